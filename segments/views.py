"""The edge of segments: the application's main page, the sale rule, and writing to the cards."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required, frame_entry, viewer_required
from integration import frames, installs, jobs
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.fields import METRIC_FIELDS
from integration.models import Portal
from integration.sync import runs
from integration.views import frame_post, installed_portal, open_viewer
from segments import base, differences, pipeline, sale_rules, writeback
from segments import jobs as segment_jobs
from segments.models import ClientKind, ContactMode, DateSource

blueprint = Blueprint("segments", __name__, template_folder="templates")

PREVIEW = 20


@blueprint.post("/")
@frame_entry
def open_app() -> str:
    """The application's page, as Bitrix24 opens it."""
    confirmed = frames.confirm(current(), frame_post())
    portal = installed_portal(confirmed)
    open_viewer(confirmed, portal_id=portal.id)
    return _home(portal.id)


@blueprint.get("/home")
@viewer_required
def home() -> str:
    """The same page, reached from inside the application."""
    return _home(g.viewer.portal_id)


@blueprint.get("/home/sync")
@admin_required
def sync_card() -> str:
    """The card that says how fresh the mirror is; asks for itself while a run is under way."""
    with current().sessions() as session:
        run = runs.progress(session, g.viewer.portal_id)
    return render_template("segments/sync_card.html", run=run)


@blueprint.get("/home/figures")
@admin_required
def figures() -> str:
    """The base in figures; asks for itself until they are those of the present rule."""
    return render_template("segments/figures.html", **_figures(g.viewer.portal_id))


@blueprint.post("/home/sync")
@admin_required
def sync_now() -> str:
    """Read what changed now."""
    jobs.enqueue_sync(g.viewer.portal_id)
    return sync_card()


@blueprint.get("/settings")
@admin_required
def settings() -> str:
    """What counts as a sale, and what is written to the cards."""
    return _settings()


@blueprint.post("/settings/rule")
@admin_required
def change_rule() -> tuple[str, int]:
    """Store a new sale rule; everything is recomputed in the background."""
    form = request.form
    asked = {
        "pipelines": ",".join(form.getlist("pipelines")) or None,
        "date_source": form.get("date_source"),
        "date_field": form.get("date_field"),
        "contact_mode": form.get("contact_mode"),
    }
    if asked["pipelines"] is None:
        return _settings(problem="no_pipelines"), 422
    try:
        with transaction(current().sessions) as session:
            changed = sale_rules.change(
                session, g.viewer.portal_id, sale_rules.asked_in_text(asked), g.viewer.user_id
            )
    except sale_rules.WrongRule as error:
        return _settings(problem=str(error)), 422
    except ValueError:
        flask.abort(400)
    if changed:
        segment_jobs.enqueue_recompute(g.viewer.portal_id)
    return _settings(saved="rule"), 200


@blueprint.post("/settings/writing")
@admin_required
def change_writing() -> tuple[str, int]:
    """Switch writing on or off, and choose the fields; missing ones are created on the portal."""
    portal_id = g.viewer.portal_id
    enabled = request.form.get("enabled") == "1"
    codes = [code for code in METRIC_FIELDS if code in request.form.getlist("fields")]
    if enabled and not codes:
        return _settings(problem="no_fields"), 422
    try:
        with current().sessions() as session:
            portal = session.get_one(Portal, portal_id)
        if enabled:
            created = installs.ensure_fields(connect(current(), portal), tuple(codes))
            if created:
                jobs.enqueue_sync(portal_id)
    except BitrixError as error:
        return _settings(problem=error.detail), 422
    with transaction(current().sessions) as session:
        writeback.switch(
            session, portal_id, enabled=enabled, codes=codes or None, user_id=g.viewer.user_id
        )
    if enabled:
        segment_jobs.enqueue_writeback(portal_id)
    return _settings(saved="writing"), 200


@blueprint.get("/settings/preview")
@admin_required
def preview() -> str:
    """What writing would change: numbers, and the first clients with old and new values."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        codes = list(writeback.settings_of(session, portal_id).fields)
        missing = writeback.missing_fields(session, portal_id, codes)
        clients, changed = differences.count(session, portal_id, codes)
        rows = base.named(
            session,
            portal_id,
            [
                change
                for kind in ClientKind
                for change in differences.pending(session, portal_id, kind, codes, limit=PREVIEW)
            ][:PREVIEW],
        )
    return render_template(
        "segments/preview.html",
        clients=clients,
        changed=changed,
        rows=rows,
        codes=codes,
        fields=METRIC_FIELDS,
        missing=missing,
    )


def _home(portal_id: int) -> str:
    """Of the whole base, for administrators: the mirror knows more than other people may see."""
    if not g.viewer.is_admin:
        return render_template("segments/home_manager.html")
    with current().sessions() as session:
        facts: dict[str, Any] = {
            "run": runs.progress(session, portal_id),
            "writing": writeback.settings_of(session, portal_id),
            "last_write": writeback.last_run(session, portal_id),
        }
    return render_template("segments/home.html", **facts, **_figures(portal_id))


def _figures(portal_id: int) -> dict[str, Any]:
    with current().sessions() as session:
        return {
            "glance": base.glance(session, portal_id),
            "best": base.best_clients(session, portal_id),
            "behind": pipeline.is_behind(session, portal_id),
        }


def _settings(problem: str | None = None, saved: str | None = None) -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        rule = sale_rules.shown(session, portal_id)
        writing = writeback.settings_of(session, portal_id)
        return render_template(
            "segments/settings.html",
            rule=rule,
            pipelines=base.pipelines(session, portal_id),
            date_fields=base.date_fields(session, portal_id),
            date_sources=list(DateSource),
            contact_modes=list(ContactMode),
            writing=writing,
            fields=METRIC_FIELDS,
            recomputing=pipeline.is_behind(session, portal_id),
            problem=problem,
            saved=saved,
        )
