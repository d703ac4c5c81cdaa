"""The edge of a saved segment: its page, who is in it and why, its versions, its file."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, Response, g, render_template, request

from core import sheets, workbooks
from core.database import transaction
from core.runtime import current
from core.web.words import gettext as _
from integration.rights import may_write
from segments import jobs, segment_list_views, segment_pages
from segments.conditions.catalog import scope_of
from segments.conditions.definitions import InvalidCondition
from segments.members import exporting, importing, list_words, roster, saving, segment_words, sizes
from segments.members.saving import InUse, NoSuchSegment, Overtaken
from segments.saved import How, Segment

blueprint = Blueprint("saved_segments", __name__, template_folder="templates")


@blueprint.get("/segments/<int:segment_id>")
@may_write
def segment(segment_id: int) -> str:
    """One segment."""
    return page(segment_id)


@blueprint.get("/segments/<int:segment_id>/state")
@may_write
def state(segment_id: int) -> str:
    """Its counters; asks for itself until they are counted."""
    with current().sessions() as session:
        found = of_address(session, segment_id)
        return render_template("segments/segment_state.html", segment=found)


@blueprint.get("/segments/<int:segment_id>/sample")
@may_write
def sample(segment_id: int) -> str:
    """Ten people, each with why he is in."""
    with current().sessions() as session:
        found = of_address(session, segment_id)
        people = segment_pages.sample(session, scope_of(session, g.viewer.portal_id), found)
        return _people(found, people)


@blueprint.get("/segments/<int:segment_id>/people")
@may_write
def people(segment_id: int) -> str:
    """The cards that were looked for, each with why it is in or not."""
    typed = request.args.get("search", "").strip()
    with current().sessions() as session:
        found = of_address(session, segment_id)
        scope = scope_of(session, g.viewer.portal_id)
        judged = segment_pages.judged(session, scope, found, typed) if typed else []
        return _people(found, judged, typed=typed, searched=True)


@blueprint.get("/segments/<int:segment_id>/moves")
@may_write
def moves(segment_id: int) -> str:
    """Who came and went lately, and why."""
    with current().sessions() as session:
        found = of_address(session, segment_id)
        listed = segment_pages.moves(session, scope_of(session, g.viewer.portal_id), found)
        return render_template("segments/segment_moves.html", moves=listed, words=segment_words)


@blueprint.get("/segments/<int:segment_id>/overlap")
@may_write
def overlap(segment_id: int) -> str:
    """What the segment has in common with another one."""
    other_id = request.args.get("other", type=int)
    with current().sessions() as session:
        found = of_address(session, segment_id)
        other = of_address(session, other_id) if other_id else None
        shared = sizes.overlap(session, g.viewer.portal_id, segment_id, other.id) if other else None
        return render_template(
            "segments/segment_overlap.html", segment=found, other=other, shared=shared
        )


@blueprint.get("/segments/<int:segment_id>/export")
@may_write
def export(segment_id: int) -> Response:
    """The members as a file, CSV or `?as=xlsx`: all, or those the address of their list finds."""
    portal_id, sessions = g.viewer.portal_id, current().sessions
    headers = [_("Kind"), _("Number"), _("Name"), _("E-mail"), _("Phone"), _("Messenger")]
    members = roster.found(portal_id, segment_id, roster.LISTING.asked(request.args))
    as_workbook = request.args.get("as") == "xlsx"
    with sessions() as session:
        of_address(session, segment_id)

    def portions() -> Any:
        with sessions() as session:
            rows = exporting.rows(session, portal_id, members, headers)
            yield from workbooks.portions(rows) if as_workbook else sheets.portions(rows)

    kind = workbooks.TYPE if as_workbook else "text/csv; charset=utf-8"
    return Response(portions(), content_type=kind)


@blueprint.post("/segments/<int:segment_id>/name")
@may_write
def rename(segment_id: int) -> tuple[str, int]:
    """Another name."""
    return _change(segment_id, name=request.form.get("name", ""))


@blueprint.post("/segments/<int:segment_id>/restore")
@may_write
def restore(segment_id: int) -> tuple[str, int]:
    """Put an older version into force again."""
    number, version = (request.form.get(name, type=int) for name in ("number", "version"))
    if number is None or version is None:
        flask.abort(400)
    portal_id = g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            saving.restore(
                *(session, portal_id, segment_id, number),
                made_from=version, user_id=g.viewer.user_id,
            )  # fmt: skip
    except NoSuchSegment:
        flask.abort(404)
    except Overtaken:
        return page(segment_id, said="overtaken"), 422
    except InvalidCondition:
        return page(segment_id, said="unfit"), 422
    jobs.enqueue_upkeep(portal_id)
    return page(segment_id, said="restored"), 200


@blueprint.post("/segments/<int:segment_id>/archive")
@may_write
def archive(segment_id: int) -> tuple[str, int]:
    """Put the segment away."""
    try:
        with transaction(current().sessions) as session:
            saving.archive(session, g.viewer.portal_id, segment_id, g.viewer.user_id)
    except NoSuchSegment:
        flask.abort(404)
    except InUse as error:
        return page(segment_id, said="in_use", names=error.names), 422
    return segment_list_views.page(said="archived"), 200


def page(segment_id: int, **more: Any) -> str:
    """The segment's page; `said`: what has just happened."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        found = of_address(session, segment_id)
        facts = segment_pages.page(session, scope_of(session, portal_id), found)
        facts |= {"words": segment_words, "list_words": list_words}
        if found.how == How.STATIC:
            facts["last_import"] = importing.last_import(session, portal_id, segment_id)
        return render_template("segments/segment.html", **facts, **more)


def _people(found: Segment, judged: list[segment_pages.Judged], **more: Any) -> str:
    return render_template(
        "segments/segment_people.html", segment=found, judged=judged, words=segment_words, **more
    )


def _change(segment_id: int, name: str) -> tuple[str, int]:
    version = request.form.get("version", type=int) or 0
    try:
        with transaction(current().sessions) as session:
            saving.change(
                *(session, g.viewer.portal_id, segment_id),
                made_from=version, name=name, user_id=g.viewer.user_id,
            )  # fmt: skip
    except NoSuchSegment:
        flask.abort(404)
    except Overtaken:
        return page(segment_id, said="overtaken"), 422
    except InvalidCondition:
        return page(segment_id, said="nameless"), 422
    return page(segment_id, said="saved"), 200


def of_address(session: Any, segment_id: int) -> Segment:
    """The segment; the answer is 404 where there is none."""
    try:
        return saving.find(session, g.viewer.portal_id, segment_id)
    except NoSuchSegment:
        flask.abort(404)
