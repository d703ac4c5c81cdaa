"""The administrator's rules on the command line: where figures go, what is read, and when people work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import click
from flask import Flask
from sqlalchemy.orm import Session

from cli_common import as_json, portal_option
from cli_common import named_portal as _portal
from cli_common import show as _print
from core.database import transaction
from core.runtime import current
from integration import admin_rules, field_types, installs, keeping, working_hours
from integration.admin_rules import RuleName
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.fields import FIELD_ENTITIES, METRICS
from integration.keeping import InUse
from integration.models import Portal
from integration.rules.hours import WrongHours
from integration.rules.keeping import OPTIONAL
from segments import uses
from segments.models import ClientKind
from segments.writing import writeback, writing_rules
from segments.writing.targets import Target
from segments.writing.writing_rules import Asked, WrongTarget

_SHOW_HISTORY = click.option(
    "--history", is_flag=True, help="List the saved versions, newest first."
)


def register(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.add_command(writing)
    app.cli.add_command(sync_rule)


@click.command("writing")
@portal_option
@click.option("--on/--off", "enabled", default=None)
@click.option(
    "--map", "mapped", multiple=True, metavar="[contact.|company.]FIGURE=FIELD",
    help="ltv=UF_CRM_…, sales=own for our own field, first_sale=off for none; repeatable.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace other values the chosen fields hold.")
@click.option("--badge", is_flag=True, help="Make the field that draws a client's value on cards.")
@_SHOW_HISTORY
@as_json
def writing(
    name: str,
    enabled: bool | None,
    mapped: tuple[str, ...],
    overwrite: bool,
    badge: bool,
    history: bool,
    json_: bool,
) -> None:
    """Show or change where figures are written, and the switch of writing."""
    portal, runtime = _portal(name), current()
    if history:
        _history(portal.id, RuleName.WRITING, json_=json_)
        return
    try:
        if mapped:
            _map(portal, _asked(mapped), overwrite=overwrite)
        if badge:
            field_types.show(runtime, portal)
    except (WrongTarget, BitrixError) as error:
        raise click.ClickException(str(error)) from error
    with transaction(runtime.sessions) as session:
        if enabled is not None:
            writeback.switch(session, portal.id, enabled=enabled, user_id=None)
        row = _writing(session, portal.id)
    _print([row], json_=json_)


@click.command("sync-rule")
@portal_option
@click.option(
    "--skip", multiple=True, type=click.Choice(OPTIONAL), help="Don't read these; repeatable."
)
@click.option(
    "--keep", multiple=True, type=click.Choice(OPTIONAL), help="Read these again; repeatable."
)
@click.option(
    "--skip-field", multiple=True, metavar="ENTITY.UF_CRM_…", help="Don't read this field."
)
@click.option(
    "--keep-field", multiple=True, metavar="ENTITY.UF_CRM_…", help="Read this field again."
)
@click.option("--days", help="Working days, 0 is Monday: 0,1,2,3,4.")
@click.option("--hours", metavar="FROM-TO", help="Working hours by the portal's clock: 8-20.")
@click.option("--check-at", type=int, help="The hour at which the nightly check may begin.")
@_SHOW_HISTORY
@as_json
def sync_rule(name: str, history: bool, json_: bool, **asked: Any) -> None:
    """Show or change what is read of the portal, and when people work."""
    portal_id = _portal(name).id
    if history:
        _history(portal_id, RuleName.KEEPING, json_=json_)
        _history(portal_id, RuleName.HOURS, json_=json_)
        return
    try:
        with transaction(current().sessions) as session:
            _keep(session, portal_id, asked)
            _work(session, portal_id, asked)
            rule, hours = (
                keeping.rule_of(session, portal_id),
                working_hours.hours_of(session, portal_id),
            )
    except (InUse, WrongHours) as error:
        raise click.ClickException(str(error)) from error
    _print([{**rule.content, **hours.content}], json_=json_)


def _asked(mapped: Iterable[str]) -> Asked:
    asked: dict[tuple[ClientKind, str], str] = {}
    for each in mapped:
        key, _equals, field = each.partition("=")
        kind, _dot, metric = key.rpartition(".")
        if metric not in METRICS or kind not in ("", *ClientKind) or not field:
            figures = ", ".join(METRICS)
            raise click.ClickException(f"not FIGURE=FIELD: {each}; figures: {figures}")
        code = writing_rules.NOWHERE if field == "off" else field
        asked |= {(ClientKind(k), metric): code for k in ([kind] if kind else ClientKind)}
    return asked


def _map(portal: Portal, asked: Asked, *, overwrite: bool) -> None:
    runtime = current()
    with runtime.sessions() as session:
        targets = writing_rules.wished(session, portal.id, asked)
        replaced = writing_rules.overwrites(session, portal.id, targets)
        enabled = writeback.settings_of(session, portal.id).enabled
    if replaced and not overwrite:
        told = "; ".join(f"{target.place} on {number} cards" for target, number in replaced)
        raise click.ClickException(f"these fields hold other values: {told}; see --overwrite")
    if enabled:
        _create(portal, targets)
    with transaction(runtime.sessions) as session:
        writing_rules.change(session, portal.id, targets)
        writeback.switch(session, portal.id, enabled=enabled, user_id=None)


def _create(portal: Portal, targets: list[Target]) -> None:
    client = connect(current(), portal)
    for entity in FIELD_ENTITIES:
        codes = tuple(each.code for each in targets if each.own and each.kind == entity)
        if codes:
            installs.ensure_fields(client, codes, (entity,))


def _writing(session: Session, portal_id: int) -> dict[str, Any]:
    version, targets = writing_rules.chosen(session, portal_id)
    held = writing_rules.standing(session, portal_id).held
    return {
        "enabled": writeback.settings_of(session, portal_id).enabled,
        "version": version,
        "map": {target.key: target.code for target in targets},
        "needs_attention": {each.target.key: each.why.value for each in held},
    }


def _keep(session: Session, portal_id: int, asked: dict[str, Any]) -> None:
    before = keeping.rule_of(session, portal_id)
    left_out = {entity: set(codes) for entity, codes in before.left_out.items()}
    for option, add in (("skip_field", True), ("keep_field", False)):
        for each in asked[option]:
            entity, _dot, code = each.partition(".")
            if add and not keeping.has_field(session, portal_id, entity, code):
                raise click.ClickException(f"the portal has no field {each}")
            codes = left_out.setdefault(entity, set())
            codes.add(code) if add else codes.discard(code)
    skipped = (before.skipped | set(asked["skip"])) - set(asked["keep"])
    wished = replace(
        before,
        skipped=frozenset(skipped),
        left_out={entity: frozenset(codes) for entity, codes in left_out.items() if codes},
    )
    keeping.change(session, portal_id, wished, uses.of_rules(session, portal_id))


def _work(session: Session, portal_id: int, asked: dict[str, Any]) -> None:
    hours = working_hours.hours_of(session, portal_id)
    try:
        if asked["days"] is not None:
            typed = (day for day in asked["days"].split(",") if day.strip())
            hours = replace(hours, days=tuple(int(day) for day in typed))
        if asked["hours"] is not None:
            start, _dash, end = asked["hours"].partition("-")
            hours = replace(hours, start=int(start), end=int(end))
    except ValueError as error:
        raise click.ClickException("days look like 0,1,2,3,4 and hours like 8-20") from error
    if asked["check_at"] is not None:
        hours = replace(hours, check_at=asked["check_at"])
    working_hours.change(session, portal_id, hours)


def _history(portal_id: int, rule: RuleName, *, json_: bool) -> None:
    with current().sessions() as session:
        rows = [
            {
                "rule": rule.value,
                "version": version.number,
                "changed_at": version.changed_at,
                "changed_by": version.changed_by,
                "content": version.content,
            }
            for version in admin_rules.history(session, portal_id, rule)
        ]
    _print(rows, json_=json_)
