"""The edge of lists: made from a file or by hand, frozen from a segment that updates itself."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, Response, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.words import gettext as _
from integration.rights import may_write
from segments import jobs, segment_views
from segments.conditions.catalog import scope_of
from segments.conditions.definitions import InvalidCondition
from segments.members import importing, list_words, lists, saving, snapshots
from segments.members.importing import BadFile, Meaning, NothingMapped
from segments.members.lists import NotStatic
from segments.members.saving import NoSuchSegment
from segments.rules.tree import Kind
from segments.saved import How

blueprint = Blueprint("lists", __name__, template_folder="templates")

_FORM = 64 * 1024


@blueprint.get("/segments/lists/new")
@may_write
def new_list() -> str:
    """The form of a list from a file."""
    return render_template("segments/list_new.html", words=list_words)


@blueprint.post("/segments/lists/look")
@may_write
def look_at_file() -> tuple[str, int]:
    """The file's first rows, and what its columns seem to mean."""
    data, filename = _file()
    facts: dict[str, Any] = {"words": list_words, "meanings": list(Meaning)}
    try:
        with current().sessions() as session:
            facts["seen"] = importing.look(session, g.viewer.portal_id, data, filename)
    except BadFile as error:
        facts["problem"] = list_words.file_problems()[error.code]
    return render_template("segments/list_columns.html", **facts), 200


@blueprint.post("/segments/lists")
@may_write
def import_file() -> tuple[str, int]:
    """Put the rows of a file into a new list, or into the one that is named."""
    data, filename = _file()
    portal_id, segment_id = g.viewer.portal_id, request.form.get("segment", type=int)
    kind = Kind(request.form["kind"]) if request.form.get("kind") in list(Kind) else Kind.CONTACT
    try:
        with transaction(current().sessions) as session:
            if segment_id is None:
                name = request.form.get("name", "")
                made = saving.create(
                    session, portal_id, name, None, how=How.STATIC, user_id=g.viewer.user_id
                )
                segment_id = made.id
            if data or request.form.get("columns"):
                importing.import_list(
                    *(session, portal_id, segment_id, data, filename, _mapping()),
                    kind=kind, user_id=g.viewer.user_id,
                )  # fmt: skip
    except BadFile as error:
        return _refused(list_words.file_problems()[error.code]), 422
    except NothingMapped:
        return _refused(list_words.file_problems()["nothing_mapped"]), 422
    except InvalidCondition:
        return _refused(_("Give the list a name.")), 422
    except (NoSuchSegment, NotStatic):
        flask.abort(404)
    jobs.enqueue_upkeep(portal_id)
    return segment_views.page(segment_id, said="saved"), 200


@blueprint.get("/segments/<int:segment_id>/refused")
@may_write
def refused(segment_id: int) -> Response:
    """The rows of the last file that were left out, with why."""
    with current().sessions() as session:
        found = segment_views.of_address(session, segment_id)
        done = importing.last_import(session, g.viewer.portal_id, found.id)
        if done is None:
            flask.abort(404)
        words = list_words.refusals() | {"row": _("Line"), "reason": _("Reason")}
        content = importing.refused_csv(done, words)
    return Response(content, content_type="text/csv; charset=utf-8")


@blueprint.post("/segments/<int:segment_id>/put")
@may_write
def put(segment_id: int) -> str:
    """Put a card into a list."""
    return _by_hand(lists.put_in, segment_id, "put")


@blueprint.post("/segments/<int:segment_id>/take")
@may_write
def take(segment_id: int) -> str:
    """Take a card out of a list."""
    return _by_hand(lists.take_out, segment_id, "taken")


@blueprint.post("/segments/<int:segment_id>/freeze")
@may_write
def freeze(segment_id: int) -> tuple[str, int]:
    """A list of who is in now, which changes no more."""
    portal_id = g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            found = saving.find(session, portal_id, segment_id)
            frozen_id = snapshots.freeze(session, scope_of(session, portal_id), found).id
    except NoSuchSegment:
        flask.abort(404)
    except InvalidCondition:
        return segment_views.page(segment_id), 422
    return segment_views.page(frozen_id, said="frozen"), 200


def _by_hand(work: Any, segment_id: int, said: str) -> str:
    card = lists.card(request.form.get("card", ""))
    if card is None:
        flask.abort(400)
    portal_id = g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            work(session, portal_id, segment_id, [card], g.viewer.user_id)
    except (NoSuchSegment, NotStatic):
        flask.abort(404)
    jobs.enqueue_upkeep(portal_id)
    return segment_views.page(segment_id, said=said)


def _file() -> tuple[bytes, str]:
    """The file that was sent; one byte more than allowed tells that it is too large."""
    request.max_content_length = importing.MAX_BYTES + _FORM
    sent = request.files.get("file")
    if sent is None:
        return b"", ""
    return sent.read(importing.MAX_BYTES + 1), sent.filename or ""


def _mapping() -> dict[Meaning, int]:
    """Meanings by column; a column without one is left out."""
    found: dict[Meaning, int] = {}
    for number in range(request.form.get("columns", 0, type=int)):
        meaning = request.form.get(f"column.{number}", "")
        if meaning in list(Meaning):
            found.setdefault(Meaning(meaning), number)
    return found


def _refused(problem: str) -> str:
    return render_template("segments/list_problem.html", problem=problem)
