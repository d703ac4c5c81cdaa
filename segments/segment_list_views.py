"""The edge of the list of saved segments: what is found, a file of it, many put away or brought back at once."""

from __future__ import annotations

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
from integration.rights import may_write
from segments import jobs
from segments.members import listing, segment_words
from segments.members.listing import Left, Line

blueprint = Blueprint("segment_list", __name__, template_folder="templates")

AT = "/segments"


@blueprint.get("/segments")
@may_write
def listed() -> str:
    """The portal's segments; what is asked of them is kept in the address."""
    return page()


@blueprint.get("/segments/file")
@may_write
def file() -> Response:
    """All that are found, with the columns that are shown, as a file."""
    with current().sessions() as session:
        asked = _asked(session, request.args)
        lines = listing.every(session, g.viewer.portal_id, asked)
    columns = [each for each in asked.shown if each.key != "spark"]
    rows = [[_cell(line, each.key) for each in columns] for line in lines]
    written = sheets.written([[_(each.label) for each in columns], *rows])
    return Response(written, content_type="text/csv; charset=utf-8")


@blueprint.post("/segments/picked/archive")
@may_write
def put_away() -> str:
    """Put the ticked segments away."""
    chosen = Picked.read(request.form)
    with transaction(current().sessions) as session:
        ids = listing.picked(session, g.viewer.portal_id, chosen)
        done, left = listing.put_away(session, g.viewer.portal_id, ids, g.viewer.user_id)
    told = plural(done, "%(n)s segment is put away", "%(n)s segments are put away")
    return page(chosen, told=(told, _outcome(done, left)))


@blueprint.post("/segments/picked/back")
@may_write
def bring_back() -> str:
    """Have the ticked segments among the others again."""
    chosen = Picked.read(request.form)
    with transaction(current().sessions) as session:
        ids = listing.picked(session, g.viewer.portal_id, chosen)
        done, left = listing.bring_back(session, g.viewer.portal_id, ids, g.viewer.user_id)
    jobs.enqueue_upkeep(g.viewer.portal_id)
    told = plural(done, "%(n)s segment is brought back", "%(n)s segments are brought back")
    return page(chosen, told=(told, _outcome(done, left)))


def page(
    chosen: Picked | None = None, said: str = "", told: tuple[str, Outcome] | None = None
) -> str:
    """The list, or its next rows. `said`, `told`: what has just happened, to one or to many."""
    portal_id = g.viewer.portal_id
    arguments = request.args if chosen is None else chosen.query
    with current().sessions() as session:
        asked = _asked(session, arguments)
        lines, after = listing.page(session, portal_id, asked)
        facts: dict[str, Any] = {
            "lines": lines, "after": after, "asked": asked, "at": AT, "words": segment_words,
        }  # fmt: skip
        if asked.after:
            return render_template("segments/list_rows.html", **facts)
        number = listing.number(session, portal_id, asked)
        anything = bool(number) or listing.anything(session, portal_id)
    facts |= {"number": number, "anything": anything, "said": said, "told": told}
    return render_template("segments/list.html", **facts, most=listing.AT_ONCE)


def _asked(session: Any, arguments: Any) -> Asked:
    whose = (g.viewer.portal_id, g.viewer.user_id, ListKey.SEGMENTS)
    return listing.LISTING.asked(arguments, kept.of(session, whose))


def _outcome(done: int, left: list[Left]) -> Outcome:
    return Outcome(done, [(each.name, segment_words.left(each)) for each in left])


def _cell(line: Line, key: str) -> str:
    if key == "changed":
        return formats.moment(line.segment.changed_at)
    return listing.cell(line, key)
