"""The edge of segments: the application's main page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required, frame_entry, viewer_required
from integration import frames, jobs, rights
from integration.rights import Right, may_write
from integration.sync import runs
from integration.views import frame_post, installed_portal, open_home
from segments import first_run, pipeline, start_views, suggestions
from segments.members import growth
from segments.worth import activity, base, rule_versions, sale_rules
from segments.worth.sales import rule_of
from segments.writing import writeback

blueprint = Blueprint("segments", __name__, template_folder="templates")


@blueprint.post("/")
@frame_entry
def open_app() -> str:
    """The application's page, as Bitrix24 opens it."""
    confirmed = frames.confirm(current(), frame_post())
    portal = installed_portal(confirmed)
    open_home(confirmed, portal_id=portal.id)
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
    left = run.left(utcnow()) if run else None
    return render_template("segments/sync_card.html", run=run, left=left)


@blueprint.get("/home/figures")
@may_write
def figures() -> str:
    """The base in figures; asks for itself until they are those of the present rule."""
    return render_template("segments/figures.html", **_figures(g.viewer.portal_id))


@blueprint.post("/start/close")
@admin_required
def close_first_run() -> str:
    """The first steps are done, or not wanted: from now on the usual page."""
    with transaction(current().sessions) as session:
        first_run.close(session, g.viewer.portal_id, g.viewer.user_id)
    return _home(g.viewer.portal_id)


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
    if g.viewer.is_admin and _led(portal_id):
        return start_views.page()
    with current().sessions() as session:
        run = runs.progress(session, portal_id)
        facts: dict[str, Any] = {
            "run": run,
            "left": run.left(utcnow()) if run else None,
            "writing": writeback.settings_of(session, portal_id),
            "last_write": writeback.last_run(session, portal_id),
            "missing": sale_rules.attention(session, portal_id),
            "names": rule_versions.names(session, portal_id),
        }
    return render_template("segments/home.html", **facts, **_figures(portal_id))


def _led(portal_id: int) -> bool:
    with current().sessions() as session:
        return first_run.is_open(session, portal_id)


def _figures(portal_id: int) -> dict[str, Any]:
    with current().sessions() as session:
        today = activity.today(rule_of(session, portal_id))
        return {
            "glance": base.glance(session, portal_id),
            "best": base.best_clients(session, portal_id),
            "behind": pipeline.is_behind(session, portal_id),
            "todo": suggestions.ranked(session, portal_id),
            "early": suggestions.is_early(session, portal_id),
            "growth": growth.of_week(session, portal_id, today),
        }
