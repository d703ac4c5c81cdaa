"""The edge of the settings page: the sale rule with its preview and history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration.models import Portal
from segments import jobs as segment_jobs
from segments import pipeline
from segments.forms import RuleForm
from segments.models import ActiveWindow, ClientMode, ContactMode, DateSource, MarginSource
from segments.worth import base, preview, references, rule_versions, sale_rules
from segments.worth.choices import PARTS, Values
from segments.worth.sale_rules import Asked, Overtaken, Reconciled, WrongRule
from segments.worth.sales import rule_of

blueprint = Blueprint("settings", __name__, template_folder="templates")


@blueprint.get("/settings")
@admin_required
def settings() -> str:
    """What counts as a sale."""
    return _settings()


@blueprint.post("/settings/rule")
@admin_required
def change_rule() -> tuple[str, int]:
    """Store a new sale rule; everything is recomputed in the background."""
    form = _form()
    if form.problem:
        return _settings(problem=form.problem, values=form.values, typed=form.typed), 422
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


def _form() -> RuleForm:
    try:
        return RuleForm.read(request.form)
    except ValueError:
        flask.abort(400)


def _settings(
    problem: str | None = None,
    saved: str | None = None,
    values: Values | None = None,
    typed: Mapping[str, str] | None = None,
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
            typed=typed or {},
            pipelines=base.pipelines(session, portal_id),
            date_fields=references.fields(session, portal_id, references.DATE_TYPES),
            date_sources=list(DateSource),
            contact_modes=list(ContactMode),
            client_modes=list(ClientMode),
            margin_fields=references.fields(session, portal_id, references.NUMBER_TYPES),
            margin_sources=list(MarginSource),
            active_windows=list(ActiveWindow),
            active=base.active_clients(session, portal_id),
            held=rule_of(session, portal_id).counts_nothing,
            missing=sale_rules.attention(session, portal_id),
            rule_parts=tuple(PARTS),
            history=rule_versions.history(session, portal_id),
            problem=problem,
            saved=saved,
            overtaken=overtaken,
            made_from=made_from,
            **_recompute(session, portal_id),
        )


def _offered(session: Any, portal_id: int) -> Values:
    """What the form proposes: the rule in effect, so that saving it settles what was lost."""
    return Values(**rule_of(session, portal_id).chosen())


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
