"""The edge of ticked people: into a list, out of mailings, into a file. Lists of segments and of mailings post here."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, Response, g, render_template, request

from core import sheets
from core.database import transaction
from core.runtime import current
from core.web import formats
from core.web.lists import Picked
from core.web.words import gettext as _
from core.web.words import plural
from integration.rights import may_write
from mailings.consent import stopping
from mailings.consent.stopping import Stopped
from mailings.planning.drafts import NoSuchMailing
from mailings.web.people import picking
from segments import jobs
from segments.conditions.definitions import InvalidCondition
from segments.members import exporting, lists, saving
from segments.members.lists import Card, NotStatic, TooMany
from segments.members.saving import NoSuchSegment
from segments.saved import How

blueprint = Blueprint("people", __name__, template_folder="../templates")


@blueprint.post("/people/put")
@may_write
def put() -> str:
    """Put them into a list, or into a new one of this name."""
    portal_id, user_id = g.viewer.portal_id, g.viewer.user_id
    number, name = request.form.get("segment", type=int), request.form.get("name", "")
    try:
        with transaction(current().sessions) as session:
            cards = _cards(session)
            if number is None:
                how = How.STATIC
                made = saving.create(session, portal_id, name, None, how=how, user_id=user_id)
                number = made.id
            segment = lists.static(session, portal_id, number if 0 < number < 2**31 else 0)
            entered = lists.put_in(session, portal_id, segment.id, cards, user_id)
            called = segment.name
    except InvalidCondition:
        return _told(_("Give the list a name."), tone="danger")
    except TooMany:
        return _too_many()
    except (NoSuchSegment, NotStatic):
        flask.abort(404)
    jobs.enqueue_upkeep(portal_id)
    done = plural(
        entered,
        "%(n)s card was added to the list “%(name)s”.",
        "%(n)s cards were added to the list “%(name)s”.",
        name=called,
    )
    rest = len(cards) - entered
    more = _("In it already, or gone: %(number)s.", number=formats.number(rest))
    return _told(done, more if rest else "", href=f"/segments/{number}")


@blueprint.post("/people/stop")
@may_write
def stop() -> str:
    """Let no mailing go to them any more."""
    try:
        with transaction(current().sessions) as session:
            done = stopping.stop(session, g.viewer.portal_id, _cards(session), g.viewer.user_id)
    except TooMany:
        return _too_many()
    told = plural(
        done.people,
        "No mailing will go to %(n)s person any more",
        "No mailing will go to %(n)s people any more",
    )
    return _told(told, " ".join(_rest(done)), tone="success" if done.people else "warning")


@blueprint.post("/people/file")
@may_write
def file() -> Response:
    """Their cards with the addresses, as a file."""
    headers = [_("Kind"), _("Number"), _("Name"), _("E-mail"), _("Phone"), _("Messenger")]
    with current().sessions() as session:
        try:
            cards = lists.living(session, g.viewer.portal_id, _cards(session))
        except TooMany:
            flask.abort(413)
        rows = exporting.of_cards(session, g.viewer.portal_id, cards, headers)
        content = b"".join(sheets.portions(rows))
    return Response(content, content_type="text/csv; charset=utf-8")


def _cards(session: Any) -> list[Card]:
    chosen = Picked.read(request.form)
    try:
        return picking.cards(session, g.viewer.portal_id, chosen, request.form.get("of", ""))
    except (NoSuchSegment, NoSuchMailing):
        flask.abort(404)
    except ValueError:
        flask.abort(400)


def _rest(done: Stopped) -> list[str]:
    """Those nothing was done to, and why."""
    said = []
    if done.already:
        said.append(_("Got none already: %(number)s.", number=formats.number(done.already)))
    if done.unreachable:
        said.append(_("Without an e-mail: %(number)s.", number=formats.number(done.unreachable)))
    if done.people:
        said.append(_("Who was stopped can be allowed again on the client's card."))
    return said


def _too_many() -> str:
    number = picking.AT_ONCE
    told = _(
        "Nothing was done: more than %(number)s were selected",
        number=formats.number(number),
    )
    return _told(
        told, _("Narrow the search or the filters, and go on part by part."), tone="warning"
    )


def _told(title: str, text: str = "", *, tone: str = "success", href: str = "") -> str:
    return render_template(
        "mailings/people_told.html", title=title, text=text, tone=tone, href=href
    )
