"""Metrics → the portal's own fields: changed values only, in batches, every answer looked at.

What the portal holds is read from the mirror, so an unchanged second run sends nothing. Writes set
absolute values and are safe to repeat. Our own change comes back as an event and as a re-read row:
it equals the mirror and touches no deal, so it starts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import SessionFactory, transaction
from integration import echoes, portals
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError, OperationTimeLimit
from integration.fields import DEFAULT_FIELDS, METRIC_FIELDS
from integration.mirror import CustomField
from segments.differences import Change, count, mirror_written, pending
from segments.models import ClientKind, WritebackRun, WritebackSettings

BATCH = 50
_SILENT = {"REGISTER_HISTORY_EVENT": "N", "REGISTER_SONET_EVENT": "N"}


@dataclass(slots=True)
class Report:
    """What a run found and did."""

    clients: int = 0
    changed: int = 0
    written: int = 0
    failed: int = 0
    seconds: float = 0.0
    reason: str | None = None
    failures: dict[str, int] = field(default_factory=dict)
    more: bool = False
    wait: float = 0.0


class FieldIgnored(Exception):
    """The portal answered success and kept the old value: the field is gone or of another type."""


def settings_of(session: Session, portal_id: int) -> WritebackSettings:
    """The portal's settings; not stored yet: off, with the default fields."""
    stored = session.get(WritebackSettings, portal_id)
    return stored or WritebackSettings(
        portal_id=portal_id, enabled=False, fields=list(DEFAULT_FIELDS), proven=[]
    )


def switch(
    session: Session,
    portal_id: int,
    *,
    enabled: bool,
    user_id: int | None,
    codes: list[str] | None = None,
) -> None:
    """Turn writing on or off for a portal, and choose its fields."""
    settings = settings_of(session, portal_id)
    settings.fields = codes or list(settings.fields)
    settings.enabled, settings.changed_by, settings.changed_at = enabled, user_id, utcnow()
    session.add(settings)
    session.flush()


def last_run(session: Session, portal_id: int) -> WritebackRun | None:
    """What the last write-back did."""
    return session.get(WritebackRun, portal_id)


def missing_fields(session: Session, portal_id: int, codes: Collection[str]) -> set[str]:
    """Codes the portal doesn't have on contacts or on companies, by the mirror's dictionary."""
    on_both = (
        sa.select(CustomField.code)
        .where(
            CustomField.portal_id == portal_id,
            CustomField.entity.in_([kind.value for kind in ClientKind]),
            CustomField.code.in_(codes),
        )
        .group_by(CustomField.code)
        .having(sa.func.count() == len(ClientKind))
    )
    return set(codes) - set(session.scalars(on_both))


def write_back(
    sessions: SessionFactory, client: Client, portal_id: int, *, seconds: float = 20.0
) -> Report:
    """Write differing clients of the portal for some seconds; `more` in the report: not all were.

    No transaction is open while the portal is called. A refusal of the whole portal ends in
    `reason` and, when it passes by itself, in `wait`.
    """
    started = time.monotonic()
    with transaction(sessions) as session:
        settings = settings_of(session, portal_id)
        asked = [code for code in settings.fields if code in METRIC_FIELDS]
        absent = missing_fields(session, portal_id, asked)
        codes = [code for code in asked if code not in absent]
        report = Report(*count(session, portal_id, codes)) if codes else Report()
        writing = _Writing(sessions, client, portal_id, report, set(settings.proven))
    if absent:
        report.reason = "missing_fields: " + ", ".join(sorted(absent))
    try:
        for kind in ClientKind if codes else ():
            for changes in _batches(sessions, portal_id, kind, codes):
                writing.write(changes)
                report.more = time.monotonic() - started > seconds
                if report.more or report.wait:
                    break
            if report.more or report.wait:
                break
    except (BitrixError, FieldIgnored) as error:
        portals.note(sessions, portal_id, error)
        report.reason = f"{type(error).__name__}: {error}"
        report.wait = (getattr(error, "retry_after", None) or 30.0) if _passes(error) else 0.0
    report.more = report.more or report.wait > 0
    report.seconds = round(time.monotonic() - started, 3)
    with transaction(sessions) as session:
        _remember(session, portal_id, report)
    return report


def _passes(error: Exception) -> bool:
    return isinstance(error, BitrixError) and (
        error.retryable or isinstance(error, OperationTimeLimit)
    )


def _batches(
    sessions: SessionFactory, portal_id: int, kind: ClientKind, codes: Sequence[str]
) -> Iterator[list[Change]]:
    after_id = 0
    while True:
        with transaction(sessions) as session:
            changes = pending(session, portal_id, kind, codes, after_id=after_id, limit=BATCH)
        if not changes:
            return
        yield changes
        after_id = changes[-1].client_id


@dataclass(slots=True)
class _Writing:
    """One run's hands: sends a batch, looks at every answer, mirrors what was written."""

    sessions: SessionFactory
    client: Client
    portal_id: int
    report: Report
    proven: set[str]

    def write(self, changes: list[Change]) -> None:
        with transaction(self.sessions) as session:
            ids = [change.client_id for change in changes]
            echoes.expect(session, self.portal_id, changes[0].kind, ids)
        answer = self.client.batch(
            {f"u{change.client_id}": _command(change) for change in changes}, idempotent=True
        )
        for error in answer.errors.values():
            if portals.state_after(error) is not None:  # it concerns the whole portal
                raise error
        done = [c for c in changes if answer.results.get(f"u{c.client_id}") is True]
        fresh = {code for change in done for code in change.new} - self.proven
        if fresh:
            _prove(self.client, done, fresh)
            self.proven |= fresh
        with transaction(self.sessions) as session:
            mirror_written(session, self.portal_id, done)
            if fresh:
                _remember_proven(session, self.portal_id, self.proven)
        self.report.written += len(done)
        self._count_failures(list(answer.errors.values()), len(changes) - len(done))

    def _count_failures(self, errors: list[BitrixError], unwritten: int) -> None:
        """A refusal that passes by itself is a reason to wait, not a failure."""
        passing = [error for error in errors if _passes(error)]
        if passing:
            self.report.wait = max(error.retry_after or 30.0 for error in passing)
            self.report.reason = f"{type(passing[0]).__name__}: {passing[0].detail}"
        self.report.failed += unwritten - len(passing)
        for error in errors:
            if not _passes(error):
                key = error.code or type(error).__name__
                self.report.failures[key] = self.report.failures.get(key, 0) + 1


def _command(change: Change) -> tuple[str, dict[str, Any]]:
    fields = {code: _literal(value) for code, value in change.new.items()}
    return (
        f"crm.{change.kind}.update",
        {"id": change.client_id, "fields": fields, "params": _SILENT},
    )


def _prove(client: Client, done: list[Change], codes: set[str]) -> None:
    """Read back one client per field: the portal answers success for a field it doesn't have."""
    for code in sorted(codes):
        change = next(c for c in done if code in c.new)
        held = client.call(f"crm.{change.kind}.get", {"id": change.client_id}).result
        if not _same(held.get(code), change.new[code]):
            raise FieldIgnored(f"{code} of {change.kind} {change.client_id} kept its old value")


def _same(held: Any, wanted: Any) -> bool:
    if wanted is None:
        return held in (None, "", False, [])
    if isinstance(wanted, dict):
        amount, _, currency = str(held or "").partition("|")
        try:
            return float(amount) == float(wanted["amount"]) and currency == wanted["currency"]
        except ValueError:
            return False
    return str(held or "").startswith(str(wanted))


def _literal(value: Any) -> str:
    """A value as the portal takes it; empty clears the field."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return f"{value['amount']:.2f}|{value['currency']}"
    return str(value)


def _remember_proven(session: Session, portal_id: int, codes: set[str]) -> None:
    session.execute(
        sa.update(WritebackSettings)
        .where(WritebackSettings.portal_id == portal_id)
        .values(proven=sorted(codes))
    )


def _remember(session: Session, portal_id: int, report: Report) -> None:
    values = {
        "clients": report.clients,
        "changed": report.changed,
        "written": report.written,
        "failed": report.failed,
        "seconds": report.seconds,
        "reason": report.reason or (str(report.failures) if report.failures else None),
        "finished_at": utcnow(),
        "resume_at": utcnow() + timedelta(seconds=report.wait) if report.more else None,
    }
    put = insert(WritebackRun).values(portal_id=portal_id, **values)
    session.execute(put.on_conflict_do_update(index_elements=["portal_id"], set_=values))
