"""The edge of the first steps: one page that leads an administrator from the installation to the first useful number."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration import granted, health_words
from integration.bitrix.errors import BitrixError
from integration.models import Portal
from segments import first_run, start_pages, writing_views
from segments import jobs as segment_jobs
from segments.first_run import Step
from segments.models import ClientMode
from segments.worth import known, sale_rules
from segments.worth.sale_rules import Asked, Overtaken, WrongRule
from segments.worth.sales import rule_of

blueprint = Blueprint("start", __name__, template_folder="templates")


@blueprint.get("/start")
@admin_required
def start() -> str:
    """The step that is asked for, or the first one that is not done."""
    asked = request.args.get("step", "")
    if asked and asked not in list(Step):
        flask.abort(404)
    return page(Step(asked)) if asked else page()


@blueprint.get("/start/rights")
@admin_required
def rights() -> str:
    """What the portal grants, as it says now."""
    with current().sessions() as session:
        portal = session.get_one(Portal, g.viewer.portal_id)
    facts: dict[str, Any] = {}
    try:
        facts["granted"] = granted.ask(current(), portal)
    except BitrixError as error:
        facts["problem"] = health_words.reason(type(error).__name__)
    return render_template(
        "segments/start_rights.html", needed=granted.NEEDED, useful=granted.USEFUL, **facts
    )


@blueprint.get("/start/reading")
@admin_required
def reading() -> str:
    """How far the reading is, with the steps above it; asks for itself till the end."""
    with current().sessions() as session:
        steps = first_run.progress(session, g.viewer.portal_id)
        facts = start_pages.of_reading(session, g.viewer.portal_id)
    return render_template("segments/start_reading.html", live=True, progress=steps, **facts)


@blueprint.post("/start/done")
@admin_required
def done() -> str:
    """A step is understood, or put off; the next one that is not done."""
    step = request.form.get("step", "")
    if step not in first_run.CONFIRMED:
        flask.abort(400)
    _confirm(Step(step))
    return page(after=Step(step))


@blueprint.post("/start/rule/preview")
@admin_required
def preview_rule() -> str:
    """What the choices make of some clients people know; nothing is stored."""
    portal_id = g.viewer.portal_id
    asked = _asked()
    if asked is None:
        return render_template("segments/start_known.html", problem=True)
    with current().sessions() as session:
        try:
            values = sale_rules.wished(session, portal_id, asked)
        except WrongRule:
            flask.abort(400)
        wished = sale_rules.compiled(session, portal_id, values)
        in_force = rule_of(session, portal_id)
        found = known.known(session, in_force, wished)
        reads = session.get_one(Portal, portal_id).last_sync_at is None
    return render_template(
        "segments/start_known.html", found=found, currency=in_force.base_currency, reads=reads
    )


@blueprint.post("/start/rule")
@admin_required
def choose_rule() -> tuple[str, int]:
    """Save the choices; the other ones stay as they are."""
    portal_id, asked = g.viewer.portal_id, _asked()
    if asked is None:
        return page(Step.RULE, problem="no_pipelines"), 422
    made_from = request.form.get("version", type=int)
    try:
        with transaction(current().sessions) as session:
            changed = sale_rules.change(
                session, portal_id, asked, g.viewer.user_id, made_from=made_from
            )
    except Overtaken:
        return page(Step.RULE, problem="overtaken"), 422
    except WrongRule as error:
        return page(Step.RULE, problem=str(error)), 422
    if changed:
        segment_jobs.enqueue_recompute(portal_id)
    _confirm(Step.RULE)
    return page(after=Step.RULE), 200


@blueprint.post("/start/writing")
@admin_required
def switch_on() -> tuple[str, int]:
    """Throw the switch of writing."""
    problem = writing_views.switch_on(g.viewer.portal_id, g.viewer.user_id)
    if problem:
        return page(Step.WRITING, problem=problem), 422
    return page(after=Step.WRITING), 200


@blueprint.get("/start/base")
@admin_required
def whole_base() -> str:
    """The base at a glance; asks for itself until it is counted."""
    with current().sessions() as session:
        steps = first_run.progress(session, g.viewer.portal_id)
        facts = start_pages.of_base(session, g.viewer.portal_id)
    return render_template("segments/start_base.html", progress=steps, **facts)


def page(step: Step | None = None, problem: str = "", after: Step | None = None) -> str:
    """The page with this step, or with the first one that is not done, after another one if that is said."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        progress = first_run.progress(session, portal_id)
        shown = step or progress.after(after)
        facts = start_pages.facts(session, portal_id, shown)
    return render_template(
        "segments/start.html", step=shown, progress=progress, problem=problem, **facts
    )


def _confirm(step: Step) -> None:
    with transaction(current().sessions) as session:
        first_run.confirm(session, g.viewer.portal_id, step)


def _asked() -> Asked | None:
    """The choices of the form; None when no pipeline is ticked. All of them means those to come as well."""
    form = request.form
    try:
        ticked = tuple(sorted({int(each) for each in form.getlist("pipelines")}))
        mode = ClientMode(form.get("client_mode", ""))
    except ValueError:
        flask.abort(400)
    if not ticked:
        return None
    every = len(ticked) == form.get("offered", type=int)
    return Asked(pipelines=() if every else ticked, client_mode=mode)
