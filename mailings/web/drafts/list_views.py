"""The edge of the list of mailings: what is found, a file of it, and what is done to many at once.

Each of many is done in a transaction of its own by the use case of its single button, so what that refuses is refused here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, g, render_template, request

from core import sheets
from core.database import transaction
from core.runtime import current
from core.web import formats
from core.web.lists import Asked, ListKey, Outcome, Picked
from core.web.words import gettext as _
from core.web.words import plural
from integration import kept
from integration.rights import may_start, may_write
from mailings.jobs import planning as jobs
from mailings.planning import drafts, steering
from mailings.planning.drafts import NoSuchMailing
from mailings.planning.steering import NotReady
from mailings.results import report
from mailings.rules.lifecycle import IllegalTransition, LookFirst
from mailings.rules.states import MailingState
from mailings.web.drafts import pages as mailing_pages
from mailings.web.drafts import shelves
from mailings.web.words import mailing as mailing_words

blueprint = Blueprint("mailing_list", __name__, template_folder="../templates")

AT = "/mailings"


@blueprint.get("/mailings")
@may_write
def listed() -> str:
    """The portal's mailings; what is asked of them is kept in the address."""
    return page()


@blueprint.get("/mailings/file")
@may_write
def file() -> Response:
    """All that are found, with the columns that are shown, as a file."""
    sessions = current().sessions
    with sessions() as session:
        asked = _asked(session, request.args)
        headers = [_(each.label) for each in asked.shown]
        rows = list(_rows(session, asked))
    return Response(sheets.written([headers, *rows]), content_type="text/csv; charset=utf-8")


@blueprint.post("/mailings/picked/delete")
@may_write
def delete() -> str:
    """Throw the ticked drafts away."""
    chosen, result = _each(drafts.delete)
    told = plural(result.done, "%(n)s draft is deleted", "%(n)s drafts are deleted")
    return page(chosen, told=(told, result))


@blueprint.post("/mailings/picked/pause")
@may_start
def pause() -> str:
    """Let nothing more leave of the ticked ones, until they are resumed."""
    chosen, result = _each(steering.pause)
    told = plural(result.done, "%(n)s mailing is paused", "%(n)s mailings are paused")
    return page(chosen, told=(told, result))


@blueprint.post("/mailings/picked/resume")
@may_start
def resume() -> str:
    """Let the ticked ones go on."""
    chosen, result = _each(steering.resume)
    told = plural(result.done, "%(n)s mailing goes on", "%(n)s mailings go on")
    return page(chosen, told=(told, result))


@blueprint.post("/mailings/picked/cancel")
@may_start
def cancel() -> str:
    """Let nothing more leave of the ticked ones, ever."""
    chosen, result = _each(steering.cancel)
    told = plural(result.done, "%(n)s mailing is cancelled", "%(n)s mailings are cancelled")
    return page(chosen, told=(told, result))


def page(
    chosen: Picked | None = None, said: str = "", told: tuple[str, Outcome] | None = None
) -> str:
    """The list, or its next rows. `said`, `told`: what has just happened, to one or to many."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        asked = _asked(session, request.args if chosen is None else chosen.query)
        lines, after = shelves.page(session, portal_id, asked)
        facts = mailing_pages.portal_facts(session, portal_id)
        facts |= {"lines": lines, "after": after, "asked": asked, "at": AT}
        if asked.after:
            return _render("list_lines", **facts)
        counts = shelves.numbers(session, portal_id)
        number = shelves.number(session, portal_id, asked)
    tabs = mailing_words.tabs(counts, lambda state: f"{AT}?{asked.query(state=state)}")
    facts |= {"counts": counts, "number": number, "tabs": tabs, "most": shelves.AT_ONCE}
    return _render("list", **facts, said=said, told=told)


def line(session: Any, mailing: Any, shown: Any) -> str:
    """One row of the list with its figures, and the columns the list shows."""
    facts = mailing_pages.portal_facts(session, g.viewer.portal_id)
    facts |= {"figures": report.figures(session, mailing), "asked": _asked(session, request.args)}
    return _render("list_line", line=shown, **facts)


def _each(act: Callable[[Any, int, int], Any]) -> tuple[Picked, Outcome]:
    chosen, portal_id, sessions = Picked.read(request.form), g.viewer.portal_id, current().sessions
    with sessions() as session:
        ids = shelves.picked(session, portal_id, chosen)
    done, refused = 0, []
    for mailing_id in ids:
        try:
            with transaction(sessions) as session:
                mailing = drafts.locked(session, portal_id, mailing_id)
                name = mailing.name
                act(session, portal_id, mailing_id)
                waits = mailing.state == MailingState.PLANNING
        except NoSuchMailing:
            continue
        except (IllegalTransition, NotReady) as error:
            refused.append((name, _why(error)))
            continue
        done += 1
        if waits:
            jobs.enqueue_plan(portal_id, mailing_id)
    return chosen, Outcome(done, refused)


def _why(error: IllegalTransition | NotReady) -> str:
    if isinstance(error, NotReady):
        return _("its segment needs attention first")
    if isinstance(error, LookFirst):
        return _("somebody has to choose first what becomes of those who may have got it")
    return _("it is in the state “%(state)s”", state=mailing_words.states()[error.state])


def _rows(session: Any, asked: Asked) -> Iterator[list[str]]:
    counted = {"sent", "opened", "clicked"} & set(asked.columns)
    for each in shelves.every(session, g.viewer.portal_id, asked):
        mailing, cells = each.mailing, {}
        if counted and mailing.size is not None:
            figures = report.figures(session, mailing)
            cells = {"sent": str(figures.sent)}
            if figures.tracked:
                cells |= {"opened": str(figures.opened), "clicked": str(figures.clicked)}
        cells |= {
            "name": mailing.name, "state": mailing_words.states()[mailing.state],
            "size": "" if mailing.size is None else str(mailing.size), "author": each.author or "",
            "time": formats.moment(mailing.finished_at or mailing.started_at or mailing.changed_at),
            "made": formats.moment(mailing.created_at),
        }  # fmt: skip
        yield [cells.get(column.key, "") for column in asked.shown]


def _asked(session: Any, arguments: Any) -> Asked:
    whose = (g.viewer.portal_id, g.viewer.user_id, ListKey.MAILINGS)
    return shelves.LISTING.asked(arguments, kept.of(session, whose))


def _render(template: str, **facts: Any) -> str:
    return render_template(
        f"mailings/{template}.html",
        words=mailing_words,
        copy_key=secrets.token_urlsafe(12),
        **facts,
    )
