"""The edge of segments: the application's main page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template

from core.runtime import current
from core.web.guard import admin_required, frame_entry, viewer_required
from integration import frames, jobs, rights
from integration.models import Portal
from integration.rights import Right, may_write
from integration.sync import runs
from integration.views import frame_post, installed_portal, open_viewer
from segments import chances, pipeline
from segments.worth import base, rule_versions, sale_rules
from segments.writing import writeback

blueprint = Blueprint("segments", __name__, template_folder="templates")


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
@may_write
def figures() -> str:
    """The base in figures; asks for itself until they are those of the present rule."""
    return render_template("segments/figures.html", **_figures(g.viewer.portal_id))


@blueprint.get("/home/chances")
@may_write
def chances_card() -> str:
    """Groups worth a mailing today, asked for after the page: everybody is looked at for them."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        found = chances.found(session, portal_id)
        currency = session.get_one(Portal, portal_id).base_currency or "RUB"
    return render_template("segments/chances.html", chances=found, currency=currency)


@blueprint.post("/home/sync")
@admin_required
def sync_now() -> str:
    """Read what changed now."""
    jobs.enqueue_sync(g.viewer.portal_id)
    return sync_card()


def _home(portal_id: int) -> str:
    """Of the whole base, for those an administrator lets see it: the mirror knows more than other people may."""
    if not g.viewer.may(Right.WRITE):
        with current().sessions() as session:
            return render_template(
                "segments/home_manager.html", askable=rights.askable(session, portal_id)
            )
    with current().sessions() as session:
        facts: dict[str, Any] = {
            "run": runs.progress(session, portal_id),
            "writing": writeback.settings_of(session, portal_id),
            "last_write": writeback.last_run(session, portal_id),
            "missing": sale_rules.attention(session, portal_id),
            "names": rule_versions.names(session, portal_id),
        }
    return render_template("segments/home.html", **facts, **_figures(portal_id))


def _figures(portal_id: int) -> dict[str, Any]:
    with current().sessions() as session:
        return {
            "glance": base.glance(session, portal_id),
            "best": base.best_clients(session, portal_id),
            "behind": pipeline.is_behind(session, portal_id),
        }
