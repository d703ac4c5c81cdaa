"""The edge of the reading settings: which entities and custom fields are mirrored, and when people work."""

from __future__ import annotations

from functools import partial

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration import admin_rules, jobs, keeping, weights, working_hours
from integration.admin_rules import Overtaken, RuleName
from integration.keeping import InUse
from integration.rules.hours import CHECK_WINDOW, DAY_HOURS, Hours, WrongHours
from integration.rules.keeping import OPTIONAL, Keeping
from segments import uses
from segments.writing import admin_words

blueprint = Blueprint("reading", __name__, template_folder="templates")


@blueprint.get("/settings/sync")
@admin_required
def reading() -> str:
    """What is read of the portal, and when people work."""
    return _page()


@blueprint.post("/settings/sync")
@admin_required
def change_keeping() -> tuple[str, int]:
    """Store what is kept; what comes back is read at once, what goes is removed in the background."""
    version = request.form.get("version", type=int)
    if version is None or any("." not in place for place in request.form.getlist("shown")):
        flask.abort(400)
    return _keep(_wished(), version)


@blueprint.post("/settings/sync/hours")
@admin_required
def change_hours() -> tuple[str, int]:
    """Store when people work, and when everything is checked."""
    form = request.form
    numbers = {name: form.get(name, type=int) for name in ("version", "start", "end", "check_at")}
    days = form.getlist("days", type=int)
    version, start, end, check_at = numbers.values()
    if version is None or start is None or end is None or check_at is None:
        flask.abort(400)
    return _work(Hours(tuple(days), start, end, check_at), version)


@blueprint.post("/settings/sync/restore")
@admin_required
def restore_reading() -> tuple[str, int]:
    """Put an older version of one of the two rules into force again."""
    number, version = (request.form.get(name, type=int) for name in ("number", "version"))
    rule = request.form.get("rule", "")
    if number is None or version is None or rule not in (RuleName.KEEPING, RuleName.HOURS):
        flask.abort(400)
    with current().sessions() as session:
        content = admin_rules.find(session, g.viewer.portal_id, RuleName(rule), number)
    if content is None:
        flask.abort(404)
    if rule == RuleName.HOURS:
        return _work(Hours.of(content), version)
    return _keep(Keeping.of(content), version)


def _keep(wished: Keeping, made_from: int) -> tuple[str, int]:
    portal_id = g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            needed = uses.of_rules(session, portal_id)
            changed = keeping.change(
                *(session, portal_id, wished, needed, g.viewer.user_id), made_from=made_from
            )
    except InUse as error:
        return _page(in_use=error, wished=wished), 422
    except Overtaken:
        return _page(problem="overtaken"), 422
    if changed:
        jobs.enqueue_clear(portal_id)
        jobs.enqueue_sync(portal_id)
    return _page(saved="keeping" if changed else "same"), 200


def _work(hours: Hours, made_from: int) -> tuple[str, int]:
    try:
        with transaction(current().sessions) as session:
            changed = working_hours.change(
                *(session, g.viewer.portal_id, hours, g.viewer.user_id), made_from=made_from
            )
    except WrongHours:
        return _page(problem="hours", hours=hours), 422
    except Overtaken:
        return _page(problem="overtaken"), 422
    return _page(saved="hours" if changed else "same"), 200


def _wished() -> Keeping:
    """The form. What it didn't show stays as it is: a field that appeared meanwhile is kept."""
    shown, kept = (set(request.form.getlist(name)) for name in ("shown", "keep"))
    with current().sessions() as session:
        before = keeping.rule_of(session, g.viewer.portal_id)
    left_out = {
        f"{entity}.{code}" for entity, codes in before.left_out.items() for code in codes
    } - shown | (shown - kept)
    entities = {place.partition(".")[0] for place in left_out}
    return Keeping(
        frozenset(OPTIONAL) - set(request.form.getlist("read")),
        {
            entity: frozenset(
                place.partition(".")[2] for place in left_out if place.startswith(f"{entity}.")
            )
            for entity in entities
        },
    )


def _page(
    *,
    problem: str | None = None,
    in_use: InUse | None = None,
    wished: Keeping | None = None,
    hours: Hours | None = None,
    saved: str | None = None,
) -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        fields = weights.fields(session, portal_id)
        labels = {(field.entity, field.code): field.label for field in fields}
        needed = uses.of_rules(session, portal_id)
        return render_template(
            "segments/settings_sync.html",
            rule=wished or keeping.rule_of(session, portal_id),
            version=admin_rules.in_force(session, portal_id, RuleName.KEEPING)[0],
            hours=hours or working_hours.hours_of(session, portal_id),
            hours_version=admin_rules.in_force(session, portal_id, RuleName.HOURS)[0],
            weights=weights.weights(current(), session, portal_id),
            optional=OPTIONAL,
            fields=fields,
            used={(use.entity, use.code): use.by for use in needed},
            in_use=[admin_words.use(use, labels) for use in in_use.uses] if in_use else None,
            history=admin_rules.history(session, portal_id, RuleName.KEEPING),
            hours_history=admin_rules.history(session, portal_id, RuleName.HOURS),
            keeping_changes=partial(admin_words.keeping_changes, labels=labels),
            words=admin_words,
            day_hours=DAY_HOURS,
            check_window=CHECK_WINDOW,
            problem=problem,
            saved=saved,
        )
