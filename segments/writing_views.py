"""The edge of writing to the cards: the switch, where each figure goes, and what would change."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration import admin_rules, installs, jobs
from integration.admin_rules import Overtaken, RuleName
from integration.bitrix.budgets import Priority
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.fields import METRICS
from integration.models import Portal
from segments import jobs as segment_jobs
from segments.models import ClientKind
from segments.writing import admin_words, differences, named_changes, writeback, writing_rules
from segments.writing.targets import Target
from segments.writing.writing_rules import Asked, WrongTarget

blueprint = Blueprint("writing", __name__, template_folder="templates")

PREVIEW = 20


@blueprint.get("/settings/writing")
@admin_required
def writing() -> str:
    """Where each figure is written."""
    return _page()


@blueprint.post("/settings/writing")
@admin_required
def change_writing() -> tuple[str, int]:
    """Switch writing on or off, and choose where figures go; missing fields of ours are created."""
    version = request.form.get("version", type=int)
    if version is None:
        flask.abort(400)
    try:
        with current().sessions() as session:
            targets = writing_rules.wished(session, g.viewer.portal_id, _asked())
    except WrongTarget as error:
        return _page(refused=error, enabled="enabled" in request.form), 422
    return _save(targets, version, enabled=request.form.get("enabled") == "1")


@blueprint.post("/settings/writing/restore")
@admin_required
def restore_writing() -> tuple[str, int]:
    """Put an older choice into force again."""
    number, version = (request.form.get(name, type=int) for name in ("number", "version"))
    if number is None or version is None:
        flask.abort(400)
    with current().sessions() as session:
        targets = writing_rules.version(session, g.viewer.portal_id, number)
        enabled = writeback.settings_of(session, g.viewer.portal_id).enabled
    if targets is None:
        flask.abort(404)
    return _save(targets, version, enabled=enabled)


@blueprint.get("/settings/preview")
@admin_required
def preview_writing() -> str:
    """What writing would change: numbers, and the first clients with old and new values."""
    rows = max(1, min(request.args.get("rows", PREVIEW, type=int), PREVIEW))
    with current().sessions() as session:
        standing = writing_rules.standing(session, g.viewer.portal_id)
        return _preview(session, list(standing.targets), rows)


@blueprint.post("/settings/writing/preview")
@admin_required
def preview_wished() -> tuple[str, int]:
    """The same for the choices in the form; nothing is stored."""
    with current().sessions() as session:
        try:
            targets = writing_rules.wished(session, g.viewer.portal_id, _asked())
        except WrongTarget as error:
            return render_template("segments/preview.html", refused=_refused(error)), 422
        return _preview(session, targets), 200


def switch_on(portal_id: int, user_id: int) -> str:
    """Begin to write what is chosen now; empty, or why not: «settings» when it has to be chosen there first."""
    with current().sessions() as session:
        targets = writing_rules.chosen(session, portal_id)[1]
        if not targets or writing_rules.overwrites(session, portal_id, targets):
            return "settings"
    try:
        _create(portal_id, targets)
    except BitrixError as error:
        return error.detail
    with transaction(current().sessions) as session:
        writeback.switch(session, portal_id, enabled=True, user_id=user_id)
    segment_jobs.enqueue_writeback(portal_id)
    return ""


def _save(targets: list[Target], made_from: int, *, enabled: bool) -> tuple[str, int]:
    portal_id = g.viewer.portal_id
    if enabled and not targets:
        return _page(problem="no_fields", targets=targets, enabled=True), 422
    with current().sessions() as session:
        replaced = writing_rules.overwrites(session, portal_id, targets)
    confirmed = request.form.getlist("confirmed")
    if any(target.place not in confirmed for target, _number in replaced):
        return _page(replaced=replaced, targets=targets, enabled=enabled), 422
    try:
        if enabled:
            _create(portal_id, targets)
        with transaction(current().sessions) as session:
            writing_rules.change(session, portal_id, targets, g.viewer.user_id, made_from=made_from)
            writeback.switch(session, portal_id, enabled=enabled, user_id=g.viewer.user_id)
    except Overtaken:
        return _page(problem="overtaken"), 422
    except BitrixError as error:
        return _page(problem=error.detail, targets=targets, enabled=enabled), 422
    if enabled:
        segment_jobs.enqueue_writeback(portal_id)
    return _page(saved=True), 200


def _create(portal_id: int, targets: list[Target]) -> None:
    """Create the fields of ours that the portal lacks; an incremental run brings them here."""
    with current().sessions() as session:
        portal = session.get_one(Portal, portal_id)
    client = connect(current(), portal, priority=Priority.INTERACTIVE)
    created: list[str] = []
    for kind in ClientKind:
        codes = tuple(target.code for target in targets if target.own and target.kind is kind)
        if codes:
            created += installs.ensure_fields(client, codes, (kind.value,))
    if created:
        jobs.enqueue_sync(portal_id)


def _asked() -> Asked:
    """The choices of the form; what it doesn't name stays."""
    return {
        (kind, metric): request.form[f"to.{kind}.{metric}"]
        for kind in ClientKind
        for metric in METRICS
        if f"to.{kind}.{metric}" in request.form
    }


def _refused(error: WrongTarget) -> str:
    why = admin_words.refusals()[error.why]
    return f"{admin_words.figure(error.key)} → {error.code}: {why}"


def _preview(session: Any, targets: list[Target], rows: int = PREVIEW) -> str:
    portal_id = g.viewer.portal_id
    clients, changed = differences.count(session, portal_id, targets)
    changes = [
        change
        for kind in ClientKind
        for change in differences.pending(
            session, portal_id, differences.Part(kind), targets, limit=rows
        )
    ]
    return render_template(
        "segments/preview.html",
        clients=clients,
        changed=changed,
        rows=named_changes.named(session, portal_id, changes[:rows]),
        names={target.place: target for target in targets},
        metrics=admin_words.metrics(),
        held=writing_rules.standing(session, portal_id).held,
    )


def _page(
    *,
    problem: str | None = None,
    refused: WrongTarget | None = None,
    replaced: list[tuple[Target, int]] | None = None,
    targets: list[Target] | None = None,
    enabled: bool | None = None,
    saved: bool = False,
) -> str:
    """The page; with `targets`, `refused` or `enabled`, the choices as they were sent."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        version, chosen = writing_rules.chosen(session, portal_id)
        if enabled is None:
            enabled = writeback.settings_of(session, portal_id).enabled
        shown = {target.key: target.code for target in (chosen if targets is None else targets)}
        if refused is not None:
            shown |= {f"{kind}.{metric}": code for (kind, metric), code in _asked().items()}
        return render_template(
            "segments/settings_writing.html",
            version=version,
            enabled=enabled,
            shown=shown,
            options=writing_rules.options(session, portal_id),
            own={metric: field.code for metric, field in METRICS.items()},
            held=writing_rules.standing(session, portal_id).held,
            history=admin_rules.history(session, portal_id, RuleName.WRITING),
            words=admin_words,
            problem=_refused(refused) if refused else problem,
            replaced=replaced,
            saved=saved,
        )
