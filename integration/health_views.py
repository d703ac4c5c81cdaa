"""The edge of the health page: the verdict, the entities, rows set aside, what is left of the limits."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration import (
    calls,
    entity_words,
    health,
    health_rows,
    health_words,
    jobs,
    misfit_words,
    offline,
    troubles,
)
from integration.models import Portal
from integration.rules.health import Severity, diagnose
from integration.sync import checks, runs

blueprint = Blueprint("portal_health", __name__, template_folder="templates")

QUICK_LOOKS = 8
LAST_CALLS = 8
ASIDE = 5
ALL_CALLS = 300


@blueprint.get("/health")
@admin_required
def page() -> str:
    """How the connection stands, and what to do where it doesn't."""
    return render_template("integration/health.html", **_live())


@blueprint.get("/health/live")
@admin_required
def live() -> str:
    """The page's content alone; asks for itself, sooner while something is under way."""
    return _fragment(quick=request.args.get("quick", 0, type=int))


@blueprint.get("/health/line")
@admin_required
def line() -> str:
    """The verdict in one line, for the first page."""
    runtime = current()
    with runtime.sessions() as session:
        portal = session.get_one(Portal, g.viewer.portal_id)
    found = health.problems(runtime, portal)
    needed = [each for each in found if each.severity is Severity.NEEDS_YOU]
    first = health_words.worded(needed[0]) if needed else None
    return render_template(
        "integration/health_line.html", needed=len(needed), first=first, passing=len(found)
    )


@blueprint.post("/health/check")
@admin_required
def check() -> str:
    """Read the portal now: what changed, or everything."""
    portal_id = g.viewer.portal_id
    if request.form.get("full") != "1":
        jobs.enqueue_sync(portal_id)
        return _fragment(quick=QUICK_LOOKS, said="check")
    with current().sessions() as session:
        run = runs.progress(session, portal_id)
    if run is not None and run.status in runs.OPEN and not run.full:
        return _fragment(quick=QUICK_LOOKS, said="busy")
    jobs.enqueue_full_sync(portal_id)
    return _fragment(quick=QUICK_LOOKS, said="full")


@blueprint.post("/health/compare")
@admin_required
def compare() -> str:
    """Compare every row with the portal and repair what differs."""
    with transaction(current().sessions) as session:
        checks.request(session, g.viewer.portal_id)
    jobs.enqueue_checks(g.viewer.portal_id)
    return _fragment(quick=QUICK_LOOKS, said="compare")


@blueprint.post("/health/confirm")
@admin_required
def confirm() -> str:
    """Let a held comparison remove here what has vanished from the portal."""
    with transaction(current().sessions) as session:
        checks.confirm(session, g.viewer.portal_id)
    jobs.enqueue_checks(g.viewer.portal_id)
    return _fragment(quick=QUICK_LOOKS, said="compare")


@blueprint.post("/health/retry")
@admin_required
def retry() -> str:
    """Read the rows that were set aside again: the one named, or all."""
    entity, bitrix_id = request.form.get("entity", ""), request.form.get("id", "")
    named = [f"{entity[:40]}:{bitrix_id[:40]}"] if entity else []
    jobs.enqueue_retry(g.viewer.portal_id, *named)
    return _fragment(quick=QUICK_LOOKS, said="retry")


@blueprint.get("/health/calls")
@admin_required
def all_calls() -> str:
    """The last requests to the portal."""
    runtime = current()
    found = calls.recent(runtime.redis, g.viewer.portal_id, ALL_CALLS)
    return render_template("integration/health_calls.html", calls=found)


def _fragment(*, quick: int = 0, said: str = "") -> str:
    return render_template("integration/health_live.html", **_live(quick, said))


def _live(quick: int = 0, said: str = "") -> dict[str, Any]:
    runtime, portal_id = current(), g.viewer.portal_id
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
        facts = health.gather(runtime, session, portal)
        run = runs.progress(session, portal_id)
        shown: dict[str, Any] = {
            "entities": health_rows.entities(runtime, session, portal_id),
            "aside": health_rows.set_aside(session, portal_id, ASIDE),
            "labels": health_rows.field_labels(session, portal_id),
            "comparing": checks.is_open(session, portal_id),
            "untold": troubles.cannot_be_told(session, portal_id),
        }
    found = diagnose(facts)
    going = run is not None and run.status in runs.OPEN
    return {
        **shown,
        "problems": [(problem, health_words.worded(problem)) for problem in found],
        "needed": sum(problem.severity is Severity.NEEDS_YOU for problem in found),
        "quarantined": facts.quarantined,
        "sources": offline.sources(portal),
        "run": run,
        "going": going,
        "misfit": misfit_words.misfit,
        "names": entity_words.many(),
        "one": entity_words.one(),
        "allowance": health.allowance(runtime, portal),
        "calls": calls.recent(runtime.redis, portal_id, LAST_CALLS),
        "quick": max(0, min(quick, QUICK_LOOKS) - 1),
        "pace": "2s" if going or shown["comparing"] or quick > 0 else "15s",
        "said": said,
        "now": utcnow(),
    }
