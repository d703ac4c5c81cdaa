"""The command line: the same use cases as the pages. `--json`, given last, prints an object a line."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click
from flask import Flask

from cli_common import as_json, portal_option
from cli_common import named_portal as _portal
from cli_common import show as _print
from core import migrations, ticker, worker
from core.clock import utcnow
from core.crypto import SealBroken
from core.database import transaction
from core.errors import ConfigError, ServiceError
from core.queue import Queue
from core.runtime import current
from integration import portals
from integration.keys import rotate
from integration.portals import NotAPortalAddress
from integration.sync import checks, engine, reconcile, runs
from schedule import SCHEDULE
from segments import pipeline
from segments.worth import base, rule_texts, rule_versions, sale_rules
from segments.writing import differences, writing_rules


def register(app: Flask) -> None:
    """Add every command to the application."""
    for command in (
        portals_group, sync_group, reconcile_command, metrics_command, writeback_command, sale_rule,
        best_client, keys, worker_command, ticker_command, migrate,
    ):  # fmt: skip
        app.cli.add_command(command)


@click.group("portals")
def portals_group() -> None:
    """Portals Rubilnik works with."""


@portals_group.command("list")
@as_json
def portals_list(json_: bool) -> None:
    """Every portal with its state."""
    with current().sessions() as session:
        now = utcnow()
        rows = [
            {
                "member_id": portal.member_id,
                "domain": portal.domain,
                "state": portal.state,
                "cause": portal.state_reason,
                "since": portal.state_since,
                "installed_at": portal.installed_at,
                "last_sync_at": portal.last_sync_at,
                "lag_seconds": (
                    int((now - portal.last_sync_at).total_seconds())
                    if portal.last_sync_at
                    else None
                ),
            }
            for portal in portals.listed(session)
        ]
    _print(rows, json_=json_)


@portals_group.command("add")
@click.option("--domain", required=True, help="company.bitrix24.ru")
@click.option("--client-id", required=True)
@click.option("--client-secret", required=True, help="The secret, or - to read it from stdin.")
@as_json
def portals_add(domain: str, client_id: str, client_secret: str, json_: bool) -> None:
    """Enter the key pair of the portal's local application."""
    secret = click.get_text_stream("stdin").readline() if client_secret == "-" else client_secret  # noqa: S105
    if not secret.strip():
        raise click.UsageError("the client secret is empty")
    runtime = current()
    try:
        with transaction(runtime.sessions) as session:
            portal = portals.register(
                session, runtime.vault,
                domain=domain, client_id=client_id, client_secret=secret.strip(),
            )  # fmt: skip
            row = {"domain": portal.domain, "client_id": portal.client_id, "state": portal.state}
    except NotAPortalAddress as error:
        raise click.ClickException(str(error)) from error
    _print([row], json_=json_)


@click.group("sync", invoke_without_command=True)
@click.option("--portal", "name", help="member_id or domain.")
@click.option("--full", is_flag=True, help="Read everything, not only what changed.")
@as_json
@click.pass_context
def sync_group(context: click.Context, name: str | None, full: bool, json_: bool) -> None:
    """Read the portal now; metrics and write-back follow."""
    if context.invoked_subcommand:
        return
    if not name:
        raise click.UsageError("--portal is missing")
    runtime, portal = current(), _portal(name)
    with transaction(runtime.sessions) as session:
        run = runs.start(session, portal.id, full=full)
    _work_off(portal.id, run.id)
    _status(portal.id, json_=json_)
    with runtime.sessions() as session:
        progress = runs.progress(session, portal.id)
    if progress is None or progress.status != "done":
        raise SystemExit(1)
    pipeline.recompute(runtime, portal.id)
    _write_all(portal.id, no_wait=False)


@sync_group.command("status")
@portal_option
@as_json
def sync_status(name: str, json_: bool) -> None:
    """How the last run stands."""
    _status(_portal(name).id, json_=json_)


@click.command("reconcile")
@portal_option
@click.option("--confirm", is_flag=True, help="Let a held check remove what vanished.")
@as_json
def reconcile_command(name: str, confirm: bool, json_: bool) -> None:
    """Check every row against the portal and repair the mirror; metrics and write-back follow."""
    runtime, portal = current(), _portal(name)
    if portal.last_sync_at is None:
        raise click.ClickException("the portal has never been synced")
    with transaction(runtime.sessions) as session:
        if confirm and not checks.confirm(session, portal.id):
            raise click.ClickException("no check is held")
        if not confirm:
            checks.request(session, portal.id)
    while _is_checked(portal.id):
        if not reconcile.run_slice(runtime, portal.id):
            if (state := _portal(name).state) != "active":
                raise click.ClickException(f"the portal can't be asked now, it is: {state}")
            time.sleep(1.0)
    with runtime.sessions() as session:
        found = checks.results(session, portal.id)
    _print([asdict(result) for result in found], json_=json_)
    pipeline.recompute(runtime, portal.id)
    _write_all(portal.id, no_wait=False)
    if any(result.status != "done" for result in found):
        raise SystemExit(1)


@click.command("metrics")
@portal_option
@as_json
def metrics_command(name: str, json_: bool) -> None:
    """Recompute what every client is worth."""
    portal = _portal(name)
    done = pipeline.recompute(current(), portal.id, everyone=True)
    pipeline.score(current(), portal.id)
    row = {"clients": done.clients, "changed": done.changed, "seconds": done.seconds}
    _print([row], json_=json_)


@click.command("writeback")
@portal_option
@click.option("--dry-run", is_flag=True, help="Only count what would change.")
@click.option(
    "--no-wait", is_flag=True, help="Leave to the schedule what the portal's limits put off."
)
@as_json
def writeback_command(name: str, dry_run: bool, no_wait: bool, json_: bool) -> None:
    """Write changed figures to the portal's fields."""
    portal = _portal(name)
    if dry_run:
        started = time.perf_counter()
        with current().sessions() as session:
            targets = writing_rules.standing(session, portal.id).targets
            clients, changed = differences.count(session, portal.id, targets)
        seconds = round(time.perf_counter() - started, 3)
        row = {
            "clients": clients,
            "changed": changed,
            "written": 0,
            "failed": 0,
            "seconds": seconds,
        }
        _print([row], json_=json_)
        return
    report = _write_all(portal.id, no_wait=no_wait)
    if report is None:
        raise click.ClickException(
            "writing is off for this portal, or another process is at it; "
            "switch it on in the settings, or with: writing --portal … --on"
        )
    _print([report], json_=json_)
    if report["reason"]:
        raise SystemExit(1)


@click.command("sale-rule")
@portal_option
@click.option("--pipelines", help="Ids of pipelines that count as sales, or 'all'.")
@click.option("--date", "date_source", type=click.Choice(["closed", "history", "moved", "custom"]))
@click.option("--date-field", help="UF_CRM_… of the deal, with --date custom.")
@click.option("--contacts", "contact_mode", type=click.Choice(["primary", "split", "full"]))
@click.option("--client", "client_mode", type=click.Choice(["each", "company", "contact"]))
@click.option(
    "--margin",
    "margin_source",
    type=click.Choice(["none", "percent", "cost", "margin", "products"]),
)
@click.option("--margin-field", help="UF_CRM_… of the deal, with --margin cost or margin.")
@click.option("--margin-percent", help="Percent where no cost is known.")
@click.option("--margin-pipelines", "margin_by_pipeline", help="The same by pipeline: 1:25,3:40.")
@click.option("--active-sales", help="Sales that make a client active.")
@click.option("--active-window", type=click.Choice(["month", "90", "180", "365"]))
@click.option("--history", is_flag=True, help="List the saved versions, newest first.")
@as_json
def sale_rule(name: str, history: bool, json_: bool, **asked: str | None) -> None:
    """Show or change what counts as a sale; a change recomputes everything."""
    portal, runtime = _portal(name), current()
    if history:
        with runtime.sessions() as session:
            _print(rule_versions.listed(session, portal.id), json_=json_)
        return
    try:
        with transaction(runtime.sessions) as session:
            if any(asked.values()):
                saved = sale_rules.saved(session, portal.id)[1]
                sale_rules.change(session, portal.id, rule_texts.asked(asked, saved))
            shown = sale_rules.shown(session, portal.id)
    except sale_rules.WrongRule as error:
        raise click.ClickException(str(error)) from error
    if any(asked.values()):
        pipeline.recompute(runtime, portal.id)
        _write_all(portal.id, no_wait=False)
    _print([shown], json_=json_)


@click.command("best-client")
@portal_option
@as_json
def best_client(name: str, json_: bool) -> None:
    """The contact with the highest LTV."""
    portal = _portal(name)
    with current().sessions() as session:
        best = base.best_clients(session, portal.id)[:1]
    _print([{"contact_id": c.client_id, "ltv": c.ltv, "sales": c.sales} for c in best], json_=json_)


@click.group("keys")
def keys() -> None:
    """Encryption keys."""


@keys.command("rotate")
@as_json
def keys_rotate(json_: bool) -> None:
    """Re-encrypt every secret with the first of ENCRYPTION_KEYS."""
    runtime = current()
    try:
        with transaction(runtime.sessions) as session:
            rotated = rotate(session, runtime.vault)
    except SealBroken as error:
        raise click.ClickException(
            "a stored secret was sealed with a key that ENCRYPTION_KEYS no longer has; "
            "add that key at the end of the list and repeat. Nothing was changed"
        ) from error
    _print([{"rotated": rotated}], json_=json_)


@click.command("worker")
@click.argument("queue_name", type=click.Choice([queue.value for queue in Queue]))
def worker_command(queue_name: str) -> None:
    """Work on the jobs of one queue."""
    worker.run(current().settings, queue_name)


@click.command("ticker")
def ticker_command() -> None:
    """Start periodic jobs in time."""
    ticker.run(current().settings, SCHEDULE)


@click.command("migrate")
def migrate() -> None:
    """Bring the database to the newest schema."""
    try:
        migrations.upgrade(current().engine)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _work_off(portal_id: int, run_id: int) -> None:
    """Work on a run until it ends, together with whoever else does."""
    runtime = current()
    while True:
        try:
            left = engine.run_slice(runtime, portal_id, run_id)
        except ServiceError as error:
            raise click.ClickException(error.detail) from error
        with runtime.sessions() as session:
            progress = runs.progress(session, portal_id)
        if progress is None or progress.status in {"done", "failed"}:
            return
        time.sleep(left.wait if left.more else 1.0)


def _is_checked(portal_id: int) -> bool:
    with current().sessions() as session:
        return checks.is_open(session, portal_id)


def _write_all(portal_id: int, *, no_wait: bool) -> dict[str, Any] | None:
    """Write until nothing is left; None when writing is off."""
    totals: dict[str, Any] = {}
    pipeline.score(current(), portal_id)
    while True:
        report = pipeline.write_back(current(), portal_id)
        if report is None:
            return totals or None
        totals = {
            "clients": report.clients,
            "changed": totals.get("changed", report.changed),
            "written": totals.get("written", 0) + report.written,
            "failed": totals.get("failed", 0) + report.failed,
            "seconds": round(totals.get("seconds", 0.0) + report.seconds, 3),
            "reason": report.reason,
        }
        if not report.more or (report.wait and no_wait):
            return totals
        if report.wait:
            click.echo(f"waiting {report.wait:.0f} s: {report.reason}", err=True)
        time.sleep(report.wait)


def _status(portal_id: int, *, json_: bool) -> None:
    with current().sessions() as session:
        progress = runs.progress(session, portal_id)
    if progress is None:
        raise click.ClickException("the portal has never been synced")
    facts = {"status": progress.status, "reason": progress.reason, "full": progress.full}
    _print([{**asdict(entity), **facts} for entity in progress.entities] or [facts], json_=json_)
