"""The edge of the API: what a program may ask and change of segments, answered in JSON."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from core.database import transaction
from core.runtime import current
from core.web import problems, throttle, words
from core.web.guard import program_required
from integration.models import Portal
from segments import jobs
from segments.api import reading
from segments.api.reading import NotUnderstood, TooLong
from segments.conditions.catalog import scope_of
from segments.conditions.definitions import InvalidCondition
from segments.members import saving
from segments.members.saving import InUse, NoSuchSegment, Overtaken

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

# In a minute, of a portal: a count may read the whole base.
COUNTS = 60


@blueprint.errorhandler(NoSuchSegment)
def _no_such(_error: NoSuchSegment) -> Response:
    return problems.answer(404, "The portal has no such segment, or it was put away.")


@blueprint.errorhandler(NotUnderstood)
def _not_understood(error: NotUnderstood) -> Response:
    return problems.answer(400, str(error), path=error.name)


@blueprint.errorhandler(InvalidCondition)
def _invalid(error: InvalidCondition) -> Response:
    return problems.answer(422, error.problem, path=error.path)


@blueprint.errorhandler(TooLong)
def _too_long(_error: TooLong) -> Response:
    return problems.answer(503, "The count took too long. Save the segment: its counters follow.")


@blueprint.errorhandler(Overtaken)
def _overtaken(_error: Overtaken) -> Response:
    return problems.answer(
        409, "Somebody has changed the segment since that version. Read it again."
    )


@blueprint.errorhandler(InUse)
def _in_use(error: InUse) -> Response:
    return problems.answer(409, "Other segments ask about this one.", segments=error.names)


@blueprint.get("/segments")
@program_required()
def segments() -> Response:
    """The saved segments."""
    with current().sessions() as session:
        return jsonify(reading.segments(session, g.program.portal_id, request.args))


@blueprint.get("/segments/<int:segment_id>")
@program_required()
def segment(segment_id: int) -> Response:
    """One segment with its conditions."""
    return jsonify(_segment(segment_id))


@blueprint.get("/segments/<int:segment_id>/members")
@program_required()
def members(segment_id: int) -> Response:
    """Who is in it."""
    with current().sessions() as session:
        portal = session.get_one(Portal, g.program.portal_id)
        found = reading.members(session, portal.id, segment_id, request.args)
        return jsonify({**found, "currency": portal.base_currency})


@blueprint.get("/presets")
@program_required()
def presets() -> Response:
    """The ready segments."""
    with current().sessions() as session, _portals_words(session):
        return jsonify(reading.ready(session, scope_of(session, g.program.portal_id)))


@blueprint.get("/fields")
@program_required()
def fields() -> Response:
    """What conditions can be about."""
    with current().sessions() as session, _portals_words(session):
        return jsonify(reading.fields(scope_of(session, g.program.portal_id)))


@blueprint.post("/count")
@program_required()
def count() -> Response:
    """How many a definition selects now; nothing is saved."""
    portal_id = g.program.portal_id
    throttle.limit(current().redis, "api-count", str(portal_id), COUNTS)
    raw = _body({"definition"}).get("definition")
    with current().sessions() as session:
        scope = scope_of(session, portal_id)
        return jsonify(reading.count(session, current().redis, scope, raw))


@blueprint.post("/segments")
@program_required(writes=True)
def create() -> Response:
    """Save a new segment; its members follow."""
    body, portal_id = _body({"name", "definition"}), g.program.portal_id
    with transaction(current().sessions) as session:
        made = saving.create(
            *(session, portal_id, _text(body.get("name"), "name"), _object(body.get("definition"))),
            user_id=g.program.user_id,
        )
        segment_id = made.id
    jobs.enqueue_upkeep(portal_id)
    answer = jsonify(_segment(segment_id))
    answer.status_code = 201
    answer.headers["Location"] = flask.url_for("api.segment", segment_id=segment_id)
    return answer


@blueprint.patch("/segments/<int:segment_id>")
@program_required(writes=True)
def change(segment_id: int) -> Response:
    """Another name, other conditions; `version` is the one the change was made from."""
    body, portal_id = _body({"name", "definition", "version"}), g.program.portal_id
    version = body.get("version")
    if type(version) is not int:
        raise NotUnderstood("version", "must be the number of the version the change was made from")
    name, definition = body.get("name"), body.get("definition")
    with transaction(current().sessions) as session:
        saving.change(
            *(session, portal_id, segment_id),
            made_from=version,
            name=None if name is None else _text(name, "name"),
            raw=None if definition is None else _object(definition),
            user_id=g.program.user_id,
        )
    jobs.enqueue_upkeep(portal_id)
    return jsonify(_segment(segment_id))


@blueprint.delete("/segments/<int:segment_id>")
@program_required(writes=True)
def put_away(segment_id: int) -> Response:
    """Put the segment away, as people do: it can be brought back."""
    with transaction(current().sessions) as session:
        saving.archive(session, g.program.portal_id, segment_id, g.program.user_id)
    return Response(status=204)


def _segment(segment_id: int) -> dict[str, Any]:
    with current().sessions() as session, _portals_words(session):
        return reading.segment(session, scope_of(session, g.program.portal_id), segment_id)


def _portals_words(session: Any) -> Any:
    return words.speaking(session.get_one(Portal, g.program.portal_id).language)


def _body(allowed: set[str]) -> dict[str, Any]:
    """The object that was sent; a name nobody knows is refused, lest a slip go unnoticed."""
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, with «Content-Type: application/json».")
    try:
        body = request.get_json()
    except RecursionError as error:
        raise BadRequest("The JSON is nested too deep.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be an object.")
    for name in body:
        if name not in allowed:
            raise NotUnderstood(name, f"is unknown; allowed: {', '.join(sorted(allowed))}")
    return body


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise NotUnderstood(name, "must be a text")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotUnderstood("definition", "must be an object")
    return value
