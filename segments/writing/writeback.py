"""Metrics → the fields chosen for them: changed values only, in batches, every answer looked at.

What the portal holds is read from the mirror, so an unchanged second run sends nothing. Writes set
absolute values and are safe to repeat. Our own change comes back as an event and as a re-read row:
it equals the mirror and touches no deal, so it starts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import SessionFactory, transaction
from integration import echoes, portals
from integration.bitrix.client import Client
from integration.bitrix.errors import AccessDenied, BitrixError, OperationTimeLimit
from integration.rules.health import FIELDS_IGNORED, MISSING_FIELDS
from segments.models import ClientKind, WritebackRun, WritebackSettings
from segments.writing import writing_rules
from segments.writing.differences import Change, Part, count, mirror_written, pending
from segments.writing.targets import Target

BATCH = 50
BARRED_AFTER = 4  # batches in a row refused whole: the employee we act as may not write at all
Turn = Callable[[], AbstractContextManager[bool]]
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


class NoTurn(Exception):
    """Another process has been writing to the portal for too long."""


def settings_of(session: Session, portal_id: int) -> WritebackSettings:
    """The portal's settings; not stored yet: off."""
    stored = session.get(WritebackSettings, portal_id)
    return stored or WritebackSettings(portal_id=portal_id, enabled=False, proven=[], ignored=[])


def switch(session: Session, portal_id: int, *, enabled: bool, user_id: int | None) -> None:
    """Turn writing on or off for a portal; fields that kept their old value are tried again."""
    settings = settings_of(session, portal_id)
    settings.ignored = []
    settings.enabled, settings.changed_by, settings.changed_at = enabled, user_id, utcnow()
    session.add(settings)
    session.flush()


def last_run(session: Session, portal_id: int) -> WritebackRun | None:
    """What the last write-back did."""
    return session.get(WritebackRun, portal_id)


def write_back(
    sessions: SessionFactory,
    client: Client,
    portal_id: int,
    *,
    turn: Turn,
    seconds: float = 20.0,
    only: Mapping[ClientKind, Collection[int]] | None = None,
) -> Report:
    """Write differing clients of the portal for some seconds; `more` in the report: not all were.

    No transaction is open while the portal is called. A refusal of the whole portal ends in
    `reason` and, when it passes by itself, in `wait`. Batches of two processes take turns, so that
    neither sends a figure the other has just replaced. `only` these clients: then nothing is
    remembered as a run, which looks at everybody.
    """
    started = time.monotonic()
    until = started + seconds
    with transaction(sessions) as session:
        settings = settings_of(session, portal_id)
        standing = writing_rules.standing(session, portal_id)
        targets = list(standing.targets)
        looks = bool(targets) and only is None
        report = Report(*count(session, portal_id, targets)) if looks else Report()
        writing = _Writing(sessions, client, portal_id, report, targets, set(settings.proven))
    if standing.held:
        codes = sorted({held.target.code for held in standing.held})
        report.reason = MISSING_FIELDS + ", ".join(codes)
    try:
        for part in _parts(only) if targets else ():
            _write_part(writing, _batches(sessions, portal_id, part, targets, turn), until)
            if report.more or (report.wait and not writing.used_up):
                break
    except BitrixError as error:
        portals.note(sessions, portal_id, error)
        report.reason = f"{type(error).__name__}: {error}"
        report.wait = (getattr(error, "retry_after", None) or 30.0) if _passes(error) else 0.0
    except NoTurn:
        report.wait = 30.0
    report.more = report.more or report.wait > 0
    report.seconds = round(time.monotonic() - started, 3)
    if only is None:
        with transaction(sessions) as session:
            _remember(session, portal_id, report)
    return report


def _parts(only: Mapping[ClientKind, Collection[int]] | None) -> list[Part]:
    """Who has bought comes first: where the portal's limits make a first writing last, his card is looked at."""
    if only is not None:
        return [Part(kind, only.get(kind, ())) for kind in ClientKind]
    return [Part(kind, bought=bought) for bought in (True, False) for kind in ClientKind]


def _write_part(writing: _Writing, batches: Iterator[list[Change]], until: float) -> None:
    """Batch after batch until the time is up; a method whose own time is used up holds up no other."""
    report = writing.report
    try:
        for changes in batches:
            goes_on = writing.write(changes)
            report.more = time.monotonic() > until
            if report.more or not goes_on:
                return
    except OperationTimeLimit as error:
        writing.wait_for([error])


def _passes(error: Exception) -> bool:
    return isinstance(error, BitrixError) and (
        error.retryable or isinstance(error, OperationTimeLimit)
    )


def _batches(
    sessions: SessionFactory,
    portal_id: int,
    part: Part,
    targets: Sequence[Target],
    turn: Turn,
) -> Iterator[list[Change]]:
    """Each is looked at and, while the caller has it, written in one turn.

    `targets` may lose some of them on the way.
    """
    after_id = 0
    while True:
        with turn() as mine:
            if not mine:
                raise NoTurn
            with transaction(sessions) as session:
                changes = pending(session, portal_id, part, targets, after_id=after_id, limit=BATCH)
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
    targets: list[Target]
    proven: set[str]
    barred: int = 0
    used_up: bool = False

    def write(self, changes: list[Change]) -> bool:
        """Send a batch; False when some of it has to wait, and more would."""
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
        fresh = {
            f"{change.kind}.{code}"
            for change in done
            for code, value in change.new.items()
            if value is not None  # an emptied field proves nothing
        } - self.proven
        ignored = self._not_proven(done, fresh)
        self.proven |= fresh - ignored
        with transaction(self.sessions) as session:
            mirror_written(session, self.portal_id, [_without(c, ignored) for c in done])
            if fresh:
                _remember_proof(session, self.portal_id, self.proven, ignored)
        self.report.written += len(done)
        waits = self._count_failures(list(answer.errors.values()), len(changes) - len(done))
        self._stop_if_barred(list(answer.errors.values()), len(changes))
        return not waits

    def _stop_if_barred(self, errors: list[BitrixError], sent: int) -> None:
        refused = [error for error in errors if isinstance(error, AccessDenied)]
        self.barred = self.barred + 1 if len(refused) == sent else 0
        if self.barred == BARRED_AFTER:
            raise refused[0]

    def _not_proven(self, done: list[Change], fresh: set[str]) -> set[str]:
        """Fields that kept their old value though the portal answers success: held from now on."""
        ignored = {place for place in fresh if not _kept(self.client, done, place)}
        if ignored:
            self.targets[:] = [t for t in self.targets if t.place not in ignored]
            self.report.reason = FIELDS_IGNORED + ", ".join(sorted(ignored))
        return ignored

    def _count_failures(self, errors: list[BitrixError], unwritten: int) -> bool:
        """A refusal that passes by itself is a reason to wait, not a failure; whether there was one."""
        passing = [error for error in errors if _passes(error)]
        if passing:
            self.wait_for(passing)
        self.report.failed += unwritten - len(passing)
        for error in errors:
            if not _passes(error):
                key = error.code or type(error).__name__
                self.report.failures[key] = self.report.failures.get(key, 0) + 1
        return bool(passing)

    def wait_for(self, errors: list[BitrixError]) -> None:
        """What can't be written now is to be written when this is over; `used_up`: only one method is."""
        self.used_up = all(isinstance(error, OperationTimeLimit) for error in errors)
        waits = (error.retry_after or 30.0 for error in errors)
        self.report.wait = max(self.report.wait, *waits)
        self.report.reason = f"{type(errors[0]).__name__}: {errors[0].detail}"


def _command(change: Change) -> tuple[str, dict[str, Any]]:
    fields = {code: _literal(value) for code, value in change.new.items()}
    return (
        f"crm.{change.kind}.update",
        {"id": change.client_id, "fields": fields, "params": _SILENT},
    )


def _without(change: Change, places: set[str]) -> Change:
    kept = {k: v for k, v in change.new.items() if f"{change.kind}.{k}" not in places}
    return replace(change, new=kept)


def _kept(client: Client, done: list[Change], place: str) -> bool:
    """Whether a field holds what was written: the portal answers success for one it doesn't have.

    One card is read back, with a fractional amount if there is any: a field may round.
    """
    code = place.partition(".")[2]
    written = [change for change in done if change.new.get(code) is not None]
    change = max(written, key=lambda each: _fractional(each.new[code]))
    held = client.call(f"crm.{change.kind}.get", {"id": change.client_id}).result
    return _same(held.get(code), change.new[code])


def _fractional(value: Any) -> bool:
    amount = value["amount"] if isinstance(value, dict) else value
    return isinstance(amount, float) and not amount.is_integer()


def _same(held: Any, wanted: Any) -> bool:
    try:
        if isinstance(wanted, dict):
            amount, _, currency = str(held or "").partition("|")
            return float(amount) == float(wanted["amount"]) and currency == wanted["currency"]
        if isinstance(wanted, int | float):
            return float(held) == float(wanted)
    except (TypeError, ValueError):
        return False
    return str(held or "").startswith(str(wanted))


def _literal(value: Any) -> str:
    """A value as the portal takes it; empty clears the field."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return f"{value['amount']:.2f}|{value['currency']}"
    return str(value)


def _remember_proof(session: Session, portal_id: int, proven: set[str], ignored: set[str]) -> None:
    settings = session.get_one(WritebackSettings, portal_id, populate_existing=True)
    settings.proven = sorted(proven - ignored)
    settings.ignored = sorted({*settings.ignored, *ignored})


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
