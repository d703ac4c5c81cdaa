"""What is wrong with a portal's connection, told from facts: stable codes, no words, no I/O.

A problem either needs a person or passes by itself; only the former is sent to the administrator.
One cause is told once: while the portal refuses us altogether, nothing is said about what follows
from that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LATE_AFTER = timedelta(minutes=30)
STUCK_AFTER = timedelta(minutes=5)
FIGURES_LATE_AFTER = timedelta(minutes=15)
EVENTS_MISSED_AFTER = timedelta(days=3)
EVENT_MARGIN = timedelta(hours=1)
MISSING_FIELDS, FIELDS_IGNORED = "missing_fields: ", "FieldIgnored: "
TOLD_APART = (MISSING_FIELDS, FIELDS_IGNORED)
_BARRED = re.compile(r"ACCESS_?DENIED|INSUFFICIENT_?SCOPE", re.IGNORECASE)
_LIMITED = ("OperationTimeLimit", "RateLimited")


class Severity(StrEnum):
    """Who ends the problem."""

    NEEDS_YOU = "needs_you"
    PASSES = "passes"


class Code(StrEnum):
    """Names of problems: what stored troubles, the command line and tests refer to."""

    NOT_INSTALLED = "not_installed"
    UNINSTALLED = "uninstalled"
    INSTALL_UNFINISHED = "install_unfinished"
    ACCESS_LOST = "access_lost"
    PLAN_WITHOUT_REST = "plan_without_rest"
    PORTAL_UNPAID = "portal_unpaid"
    PORTAL_OVERLOADED = "portal_overloaded"
    PORTAL_CLOSED = "portal_closed"
    PORTAL_SILENT = "portal_silent"
    INSTALLER_DISMISSED = "installer_dismissed"
    INSTALLER_BARRED = "installer_barred"
    KEYS_REFUSED = "keys_refused"
    QUEUE_AWAY = "queue_away"
    PROCESS_SILENT = "process_silent"
    WORK_STUCK = "work_stuck"
    EVENTS_STUCK = "events_stuck"
    SYNC_FAILED = "sync_failed"
    SYNC_LATE = "sync_late"
    SYNC_LIMITED = "sync_limited"
    SYNC_INTERRUPTED = "sync_interrupted"
    QUARANTINED = "quarantined"
    EVENTS_MISSED = "events_missed"
    FIELDS_MISSING = "fields_missing"
    TARGETS_LOST = "targets_lost"
    WRITING_REFUSED = "writing_refused"
    WRITING_FAILED = "writing_failed"
    WRITING_WAITS = "writing_waits"
    FIGURES_LATE = "figures_late"
    NOTHING_COUNTS = "nothing_counts"
    CHECK_HELD = "check_held"
    MAILINGS_HELD = "mailings_held"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with what its words need. `reason` is the name of an error, or what a server said."""

    code: Code
    severity: Severity
    number: int = 0
    names: tuple[str, ...] = ()
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenRun:
    """The run under way. `held`: a process is working on it now; `reason`: why it waits."""

    created_at: datetime
    started: bool
    held: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How computing and writing of the figures stands; `due_since`: since when a recompute is due.

    `missing`: fields of ours the portal lacks; `lost`: fields chosen for figures that can't take them now.
    """

    due_since: datetime | None = None
    nothing_counts: bool = False
    writing: bool = False
    missing: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    failed: int = 0
    reason: str | None = None
    resume_at: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """All that the verdict is made of."""

    now: datetime
    state: str
    state_reason: str | None = None
    state_since: datetime | None = None
    failed_steps: tuple[str, ...] = ()
    installed_at: datetime | None = None
    last_sync_at: datetime | None = None
    open_run: OpenRun | None = None
    failure: str | None = None
    closed: tuple[tuple[str, datetime], ...] = ()
    quarantined: int = 0
    last_event_at: datetime | None = None
    newest_card_at: datetime | None = None
    waiting_event_at: datetime | None = None
    queue_answers: bool = True
    silent: tuple[str, ...] = ()
    figures: Figures = Figures()
    held_mailings: int = 0
    held_deletions: int = 0
    held_at: datetime | None = None


def diagnose(facts: Facts) -> list[Problem]:
    """Every problem the facts show, those that need a person first."""
    ended = shut_out(facts.state, facts.state_reason, facts.state_since, facts.failed_steps)
    found = [ended] if ended else []
    found += _machinery(facts)
    if ended is None:
        for rule in (_sync, _rows, _events, _writing):
            found += rule(facts)
    found += _counting(facts)
    if facts.held_mailings:
        found.append(_needed(Code.MAILINGS_HELD, number=facts.held_mailings))
    return sorted(found, key=lambda problem: problem.severity is Severity.PASSES)


_STATES = {
    "registered": Code.NOT_INSTALLED,
    "uninstalled": Code.UNINSTALLED,
    "reopen": Code.ACCESS_LOST,
    "blocked": Code.PORTAL_CLOSED,
}
_CAUSES = {
    "UserDismissed": Code.INSTALLER_DISMISSED,
    "UserBarred": Code.INSTALLER_BARRED,
    "WrongClient": Code.KEYS_REFUSED,
    "PlanWithoutRest": Code.PLAN_WITHOUT_REST,
    "PaymentRequired": Code.PORTAL_UNPAID,
    "Overloaded": Code.PORTAL_OVERLOADED,
    "PortalGone": Code.PORTAL_CLOSED,
    "Unreachable": Code.PORTAL_SILENT,
    "UnexpectedAnswer": Code.PORTAL_SILENT,
    "PortalFailure": Code.PORTAL_SILENT,
}


def shut_out(
    state: str, reason: str | None, since: datetime | None, failed_steps: tuple[str, ...] = ()
) -> Problem | None:
    """Why the portal does not let us in at all; None where it does."""
    why = reason or ""
    if state in _STATES:
        cut_off = state in {"reopen", "blocked"}
        code = _CAUSES.get(why, _STATES[state]) if cut_off else _STATES[state]
        return _needed(code, reason=why, since=since)
    if state == "installing" and failed_steps:
        return _needed(Code.INSTALL_UNFINISHED, names=failed_steps, since=since)
    return None


def _machinery(facts: Facts) -> Iterator[Problem]:
    """Our own processes: of them only the first broken link is named."""
    if not facts.queue_answers:
        yield _needed(Code.QUEUE_AWAY)
    elif facts.silent:
        yield _needed(Code.PROCESS_SILENT, names=facts.silent)
    elif facts.state == "active":
        run = facts.open_run
        if run and not run.started and facts.now - run.created_at > STUCK_AFTER:
            yield _needed(Code.WORK_STUCK, since=run.created_at)
        waiting = facts.waiting_event_at
        if waiting and facts.now - waiting > STUCK_AFTER:
            yield _needed(Code.EVENTS_STUCK, since=waiting)


def _sync(facts: Facts) -> Iterator[Problem]:
    if facts.state != "active":
        return
    since = facts.last_sync_at or facts.installed_at
    late = since is not None and facts.now - since > LATE_AFTER
    run = facts.open_run
    if run and run.reason and run.reason.startswith(_LIMITED):
        until = max((moment for _, moment in facts.closed), default=None)
        methods = tuple(method for method, _ in facts.closed)
        yield Problem(Code.SYNC_LIMITED, Severity.PASSES, names=methods, until=until)
    elif run and run.reason:
        yield Problem(Code.SYNC_INTERRUPTED, _if(late), reason=run.reason, since=since)
    elif facts.failure is not None:
        yield Problem(Code.SYNC_FAILED, _if(late), reason=facts.failure, since=since)
    elif late and not (run and (run.held or facts.now - run.created_at < LATE_AFTER)):
        yield _needed(Code.SYNC_LATE, since=since)


def _rows(facts: Facts) -> Iterator[Problem]:
    if facts.quarantined:
        yield _needed(Code.QUARANTINED, number=facts.quarantined)
    if facts.held_deletions:
        yield _needed(Code.CHECK_HELD, number=facts.held_deletions, since=facts.held_at)


def _events(facts: Facts) -> Iterator[Problem]:
    """Cards came to be after the last event, were found by reading, and no event told of them.

    Events are kept for three days only, so of older cards it isn't known whether one told.
    """
    heard = max(filter(None, (facts.last_event_at, facts.installed_at)), default=None)
    if heard is None or facts.newest_card_at is None or facts.now - heard < EVENTS_MISSED_AFTER:
        return
    if facts.newest_card_at > max(heard, facts.now - EVENTS_MISSED_AFTER) + EVENT_MARGIN:
        yield _needed(Code.EVENTS_MISSED, since=facts.last_event_at)


def _writing(facts: Facts) -> Iterator[Problem]:
    figures = facts.figures
    if not figures.writing:
        return
    if figures.missing:
        yield _needed(Code.FIELDS_MISSING, number=len(figures.missing), names=figures.missing)
    if figures.lost:
        yield _needed(Code.TARGETS_LOST, number=len(figures.lost), names=figures.lost)
    reason = figures.reason or ""
    if figures.resume_at is not None:
        yield Problem(Code.WRITING_WAITS, Severity.PASSES, reason=reason, until=figures.resume_at)
    elif _BARRED.search(reason):
        yield _needed(Code.WRITING_REFUSED, number=figures.failed, reason=reason)
    elif figures.failed or (reason and not reason.startswith(TOLD_APART)):
        yield _needed(Code.WRITING_FAILED, number=figures.failed, reason=reason)


def _counting(facts: Facts) -> Iterator[Problem]:
    if facts.figures.nothing_counts:
        yield _needed(Code.NOTHING_COUNTS)
    due = facts.figures.due_since
    busy = facts.open_run is not None and facts.open_run.held
    if due is not None and facts.now - due > FIGURES_LATE_AFTER and not busy:
        yield Problem(Code.FIGURES_LATE, _if(facts.now - due > 4 * FIGURES_LATE_AFTER), since=due)


def _needed(
    code: Code,
    *,
    number: int = 0,
    names: tuple[str, ...] = (),
    reason: str = "",
    since: datetime | None = None,
) -> Problem:
    return Problem(code, Severity.NEEDS_YOU, number, names, reason, since)


def _if(needs_you: bool) -> Severity:
    return Severity.NEEDS_YOU if needs_you else Severity.PASSES
