"""The edge of the gallery: ready segments, counted as one looks, opened in the builder or saved as they are."""

from __future__ import annotations

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from core.web.words import gettext as _
from integration import jobs as integration_jobs
from integration.bitrix.budgets import Priority
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.models import Portal
from integration.rights import may_write
from segments import builder_views, gallery_forms, jobs, segment_views
from segments.building import builder, counting
from segments.building.builder_page import Beginning
from segments.conditions.catalog import scope_of
from segments.gallery_forms import Made
from segments.members import saving
from segments.ready import presets
from segments.ready.parameters import Facts
from segments.ready.presets import UnknownPreset

blueprint = Blueprint("gallery", __name__, template_folder="templates")


@blueprint.get("/segments/presets")
@may_write
def gallery() -> str:
    """All ready segments by topic."""
    with current().sessions() as session:
        facts = presets.facts_of(session, scope_of(session, g.viewer.portal_id))
        return render_template("segments/gallery.html", shelves=gallery_forms.shelves(facts))


@blueprint.post("/segments/presets/<key>/count")
@may_write
def count_preset(key: str) -> str:
    """How many a ready segment selects with the numbers of its form; or what it lacks here."""
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        made = _made(presets.facts_of(session, scope), key)
        counted = None
        if made.definition is not None:
            counted = counting.tried(session, current().redis, scope, made.definition)
    return render_template("segments/gallery_count.html", key=key, made=made, counted=counted)


@blueprint.post("/segments/presets/<key>/open")
@may_write
def open_preset(key: str) -> tuple[str, int]:
    """The builder with a ready segment in it."""
    with current().sessions() as session:
        made = _made(presets.facts_of(session, scope_of(session, g.viewer.portal_id)), key)
    if made.definition is None:
        return render_template("segments/gallery_count.html", key=key, made=made), 422
    name = _(presets.PRESETS[key].name)
    return builder_views.opened(Beginning(builder.opened(made.definition), name, preset=key)), 200


@blueprint.post("/segments/presets/<key>/save")
@may_write
def save_preset(key: str) -> tuple[str, int]:
    """Save a ready segment under its own name."""
    portal_id = g.viewer.portal_id
    with transaction(current().sessions) as session:
        made = _made(presets.facts_of(session, scope_of(session, portal_id)), key)
        if made.definition is None:
            return render_template("segments/gallery_count.html", key=key, made=made), 422
        name = _(presets.PRESETS[key].name)
        saved = saving.create(
            session, portal_id, name, made.definition, preset=key, user_id=g.viewer.user_id
        )
        saved_id = saved.id
    jobs.enqueue_upkeep(portal_id)
    return segment_views.page(saved_id, said="saved"), 200


@blueprint.post("/segments/presets/<key>/field")
@admin_required
def create_field(key: str) -> tuple[str, int]:
    """Create on the portal the yes/no field that a ready segment lacks."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        made = _made(presets.facts_of(session, scope_of(session, portal_id)), key)
        portal = session.get_one(Portal, portal_id)
    flag = next((each.flag for each in made.missing if each.flag is not None), None)
    if flag is None:
        return render_template("segments/gallery_count.html", key=key, made=made), 200
    try:
        client = connect(current(), portal, priority=Priority.INTERACTIVE)
        presets.create_flag_field(client, flag)
    except BitrixError as error:
        wrong = Made(None, wrong=error.detail)
        return render_template("segments/gallery_count.html", key=key, made=wrong), 422
    integration_jobs.enqueue_sync(portal_id)
    return render_template("segments/gallery_count.html", key=key, made=made, created=True), 200


def _made(facts: Facts, key: str) -> Made:
    try:
        return gallery_forms.made(facts, key, request.form.to_dict(flat=False))
    except UnknownPreset:
        flask.abort(404)
