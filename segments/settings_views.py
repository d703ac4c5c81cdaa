"""The edge of the settings page: the sale rule with its preview and history, and writing to the cards."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration import installs, jobs
from integration.bitrix.budgets import Priority
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.fields import METRIC_FIELDS
from integration.models import Portal
from segments import base, differences, pipeline, preview, rule_versions, sale_rules, writeback
from segments import jobs as segment_jobs
from segments.forms import RuleForm
from segments.models import ClientKind, ContactMode, DateSource
from segments.rule_versions import Values
from segments.sale_rules import Asked, Overtaken, Reconciled, WrongRule
from segments.sales import rule_of

blueprint = Blueprint("settings", __name__, template_folder="templates")

PREVIEW = 20


@blueprint.get("/settings")
@admin_required
def settings() -> str:
    """What counts as a sale, and what is written to the cards."""
    return _settings()


@blueprint.post("/settings/rule")
@admin_required
def change_rule() -> tuple[str, int]:
    """Store a new sale rule; everything is recomputed in the background."""
    form = _form()
    if form.problem:
        return _settings(problem=form.problem, values=form.values), 422
    portal_id, user_id = g.viewer.portal_id, g.viewer.user_id
    try:
        with transaction(current().sessions) as session:
            changed = sale_rules.change(
                session, portal_id, form.asked, user_id, made_from=form.version
            )
    except Overtaken:
        return _overtaken(form), 422
    except WrongRule as error:
        return _settings(problem=str(error), values=form.values), 422
    if changed:
        segment_jobs.enqueue_recompute(portal_id)
    return _settings(saved="rule" if changed else "same"), 200


@blueprint.post("/settings/rule/preview")
@admin_required
def preview_rule() -> tuple[str, int]:
    """What the rule in the form would change on real clients; nothing is stored."""
    form, portal_id = _form(), g.viewer.portal_id
    facts: dict[str, Any] = {"problem": form.problem}
    if form.problem:
        return render_template("segments/rule_preview.html", **facts), 422
    with current().sessions() as session:
        try:
            values = sale_rules.wished(session, portal_id, form.asked)
        except WrongRule as error:
            return render_template("segments/rule_preview.html", problem=str(error)), 422
        saved = sale_rules.saved(session, portal_id)[1]
        facts |= {
            "found": preview.compare(session, sale_rules.compiled(session, portal_id, values)),
            "values": values,
            "saved": saved,
            "names": rule_versions.names(session, portal_id),
            "currency": session.get_one(Portal, portal_id).base_currency or "RUB",
            "behind": pipeline.is_behind(session, portal_id),
        }
    return render_template("segments/rule_preview.html", **facts), 200


@blueprint.post("/settings/rule/restore")
@admin_required
def restore_rule() -> tuple[str, int]:
    """Put an older version of the sale rule into force again."""
    number, version = (request.form.get(name, type=int) for name in ("number", "version"))
    if number is None or version is None:
        flask.abort(400)
    portal_id, user_id = g.viewer.portal_id, g.viewer.user_id
    try:
        with transaction(current().sessions) as session:
            changed = sale_rules.restore(session, portal_id, number, user_id, made_from=version)
    except Overtaken:
        return _overtaken(RuleForm(version, Values()), restoring=True), 422
    except WrongRule as error:
        return _settings(problem=str(error)), 422
    if changed:
        segment_jobs.enqueue_recompute(portal_id)
    return _settings(saved="rule" if changed else "same"), 200


@blueprint.get("/settings/recompute")
@admin_required
def recompute_state() -> str:
    """Whether the figures are those of the present rule; asks for itself until they are."""
    with current().sessions() as session:
        facts = _recompute(session, g.viewer.portal_id)
    return render_template("segments/recompute_state.html", **facts, watched=True)


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
            created = installs.ensure_fields(
                connect(current(), portal, priority=Priority.INTERACTIVE), tuple(codes)
            )
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
def preview_writing() -> str:
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


def _form() -> RuleForm:
    try:
        return RuleForm.read(request.form)
    except ValueError:
        flask.abort(400)


def _settings(
    problem: str | None = None,
    saved: str | None = None,
    values: Values | None = None,
    overtaken: Reconciled | None = None,
    made_from: int = 0,
) -> str:
    """The page; with `values`, the form as it was sent."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        version, in_force = sale_rules.saved(session, portal_id)
        return render_template(
            "segments/settings.html",
            version=version,
            in_force=in_force,
            rule=values or _offered(session, portal_id),
            pipelines=base.pipelines(session, portal_id),
            date_fields=base.date_fields(session, portal_id),
            date_sources=list(DateSource),
            contact_modes=list(ContactMode),
            missing=sale_rules.attention(session, portal_id),
            history=rule_versions.history(session, portal_id),
            writing=writeback.settings_of(session, portal_id),
            fields=METRIC_FIELDS,
            problem=problem,
            saved=saved,
            overtaken=overtaken,
            made_from=made_from,
            **_recompute(session, portal_id),
        )


def _offered(session: Any, portal_id: int) -> Values:
    """What the form proposes: the rule in effect, so that saving it settles what was lost."""
    rule = rule_of(session, portal_id)
    return Values(rule.pipelines, rule.date_source, rule.date_field, rule.contact_mode)


def _overtaken(form: RuleForm, *, restoring: bool = False) -> str:
    """The page for whoever saved second: what the other changed, and both changes in the form."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        if restoring:
            found = sale_rules.reconcile(session, portal_id, Asked(), form.version)
        else:
            found = sale_rules.reconcile(session, portal_id, form.asked, form.version)
    return _settings(values=found.values, overtaken=found, made_from=form.version)


def _recompute(session: Any, portal_id: int) -> dict[str, Any]:
    return {
        "behind": pipeline.is_behind(session, portal_id),
        "run": pipeline.last_run(session, portal_id),
    }
