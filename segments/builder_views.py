"""The edge of the builder: a segment put together condition by condition, counted while one types.

The page keeps no state of its own: the draft is JSON in its form, and every edit sends it here with what
was typed and one action, and gets the tree back.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from integration.rights import may_write
from segments import jobs, segment_views
from segments.building import (
    builder,
    builder_fields,
    builder_forms,
    builder_words,
    counting,
    drafts,
)
from segments.building.builder import Draft, NoSuchPlace
from segments.building.builder_choices import Lists
from segments.building.builder_forms import Edited, Unreadable
from segments.building.builder_page import Beginning, Desk, beginning, desk
from segments.conditions.catalog import scope_of
from segments.conditions.definitions import InvalidCondition
from segments.members import saving
from segments.members.saving import NoSuchSegment, Overtaken

blueprint = Blueprint("builder", __name__, template_folder="templates")


@blueprint.get("/segments/builder")
@may_write
def open_builder() -> str:
    """A new segment, or one that is to be changed."""
    with current().sessions() as session:
        try:
            begun = beginning(session, g.viewer.portal_id, request.args.get("segment", type=int))
        except NoSuchSegment:
            flask.abort(404)
    return opened(begun)


def opened(begun: Beginning) -> str:
    """The page with this draft in it."""
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        shown = desk(session, current().redis, scope, begun.draft)
    return render_template("segments/builder.html", begun=begun, **_facts(shown))


@blueprint.post("/segments/builder/edit")
@may_write
def edit() -> tuple[str, int]:
    """The tree after what was typed and pressed."""
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        edited, wrong = _edited(scope)
        shown = desk(session, current().redis, scope, edited.draft)
        facts = _facts(shown, focus=edited.focus, wrong=wrong)
    return render_template("segments/builder_body.html", **facts), 200


@blueprint.post("/segments/builder/count")
@may_write
def count() -> str:
    """How many one branch selects, or the whole draft; asked for by the tree itself."""
    place = request.form.get("of", "")
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        draft = _draft(scope)
        try:
            question = (
                drafts.branch(draft, place, scope) if place else drafts.check(draft, scope).usable
            )
        except NoSuchPlace:
            flask.abort(400)
        counted = None
        if question is not None:
            counted = counting.tried(session, current().redis, scope, question)
    template = "segments/builder_count.html" if place else "segments/builder_totals.html"
    finished = question is not None
    return render_template(template, counted=counted, finished=finished, asked=True)


@blueprint.post("/segments/builder/fields")
@may_write
def fields() -> str:
    """Everything a condition can be added about at this place."""
    place = request.form.get("at", "")
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        try:
            shelves = builder_fields.shelves(_draft(scope), place, scope)
        except NoSuchPlace:
            flask.abort(400)
    return render_template("segments/builder_fields.html", shelves=shelves, place=place)


@blueprint.post("/segments/builder/values")
@may_write
def values() -> str:
    """The list that a condition's values are chosen from, searched."""
    place, typed = request.form.get("at", ""), request.form.get("search", "")
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        draft = _draft(scope)
        try:
            node = builder.at(draft, place)
            context = builder_fields.context_at(draft, place)
        except NoSuchPlace:
            flask.abort(400)
        field = context.find(node.get("field", ""), scope)
        if field is None:
            flask.abort(400)
        found = Lists(session, scope).search(field, context, typed)
    chosen = [str(each) for each in node.get("value") or ()]
    facts = {"place": place, "found": found, "chosen": chosen, "typed": typed}
    whole = "search" not in request.form
    return render_template("segments/builder_values.html", whole=whole, **facts)


@blueprint.post("/segments/builder/save")
@may_write
def save() -> tuple[str, int]:
    """Save the draft as a new segment, or as a new version of the one it came from."""
    portal_id = g.viewer.portal_id
    segment_id = None if request.form.get("copy") else request.form.get("segment", type=int)
    with current().sessions() as session:
        scope = scope_of(session, portal_id)
        draft = _draft(scope)
        checked = drafts.check(draft, scope)
    if checked.problems or checked.usable is None:
        return _refused(draft, "unfinished"), 422
    try:
        saved_id = _store(checked.usable, segment_id)
    except Overtaken:
        return _refused(draft, "overtaken"), 422
    except InvalidCondition as error:
        return _refused(draft, "name" if error.path == "name" else "ring"), 422
    except NoSuchSegment:
        flask.abort(404)
    jobs.enqueue_upkeep(portal_id)
    return segment_views.page(saved_id, said="saved"), 200


def _store(usable: Draft, segment_id: int | None) -> int:
    portal_id, user_id, form = g.viewer.portal_id, g.viewer.user_id, request.form
    name = form.get("name", "")
    with transaction(current().sessions) as session:
        if segment_id is None:
            preset = form.get("preset") or None
            made = saving.create(session, portal_id, name, usable, preset=preset, user_id=user_id)
            return made.id
        version = form.get("version", type=int) or 0
        saving.change(
            *(session, portal_id, segment_id),
            made_from=version, name=name, raw=usable, user_id=user_id,
        )  # fmt: skip
    return segment_id


def _refused(draft: Draft, why: str) -> str:
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        shown = desk(session, current().redis, scope, draft)
    return render_template("segments/builder_body.html", **_facts(shown, refused=why))


def _draft(scope: Any) -> Draft:
    """The draft with what was typed."""
    try:
        return builder_forms.edited(request.form.get("draft", ""), _inputs(), "", scope).draft
    except (Unreadable, NoSuchPlace):
        flask.abort(400)


def _edited(scope: Any) -> tuple[Edited, bool]:
    """The draft after the action; a pasted text that is no segment changes nothing."""
    action, text = request.form.get("action", ""), request.form.get("draft", "")
    try:
        if action == "paste":
            try:
                pasted = builder_forms.parsed(request.form.get("pasted", ""))
            except Unreadable:
                return Edited(_draft(scope)), True
            return Edited(pasted, "clients"), False
        return builder_forms.edited(text, _inputs(), action, scope), False
    except (Unreadable, NoSuchPlace):
        flask.abort(400)


def _inputs() -> dict[str, list[str]]:
    return request.form.to_dict(flat=False)


def _facts(shown: Desk, **more: Any) -> dict[str, Any]:
    return {
        "desk": shown,
        "draft_json": json.dumps(shown.draft, ensure_ascii=False),
        "words": builder_words,
        "nonce": lambda: secrets.token_hex(4),
        **more,
    }
