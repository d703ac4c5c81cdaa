"""Runs a sync: every source page by page, each page committed together with its cursor.

    dictionaries ─▶ for each source: portal pages ─▶ rows mapped ─▶ mirror + cursor (one commit)

A run is worked on in slices, so that a deploy or a kill costs one commit: what one request brought at
most, a single page of a slow portal, never a part of a page. An incremental run reads what was modified
since the watermark less an overlap; the new watermark is the portal's clock from before the first page,
never the newest row and never our own clock.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.bulk import bulk_work
from core.database import repeated, transaction
from core.errors import ServiceError
from core.runtime import Runtime
from integration import keeping, portals
from integration.bitrix.ahead import ahead
from integration.bitrix.client import CallRecord, Client
from integration.bitrix.errors import (
    AccessDenied,
    BitrixError,
    MethodNotFound,
    OperationTimeLimit,
    RateLimited,
)
from integration.connect import connect
from integration.models import Portal, SyncCursor, SyncRun
from integration.sync import dictionaries, merges, runs
from integration.sync.entities import BY_NAME
from integration.sync.foresight import Reading, foreseeing
from integration.sync.gathering import gathered
from integration.sync.lines import Ready, Rows, Source, Start
from integration.sync.runs import LostLease
from integration.sync.sources import SOURCES

log = logging.getLogger(__name__)

SLICE_SECONDS = 20.0
OVERLAP = timedelta(minutes=5)
WAIT_AFTER_FAILURE = 30.0


@dataclass(frozen=True, slots=True)
class Slice:
    """What a slice left: whether there is more, and in how many seconds it makes sense."""

    more: bool
    wait: float = 0.0


@dataclass(slots=True)
class _Work:
    """One slice's hands: the run it holds, its client, its time.

    `note_clients`: the mirror was whole once, so whoever's deals differ is told at once. After the first
    run everybody is computed.
    """

    runtime: Runtime
    portal_id: int
    run_id: int
    owner: str
    client: Client
    deadline: float
    requests: int = 0
    language: str = "ru"
    note_clients: bool = True
    started: float = field(default_factory=time.monotonic)

    def over(self) -> bool:
        return time.monotonic() >= self.deadline


def run_slice(
    runtime: Runtime, portal_id: int, run_id: int, seconds: float = SLICE_SECONDS
) -> Slice:
    """Work on the run for some seconds. A refusal ends in the run's reason, never in an exception."""
    owner = secrets.token_hex(8)
    with transaction(runtime.sessions) as session:
        if runs.claim(session, portal_id, run_id, owner) is None:
            return Slice(more=False)
        portal = session.get_one(Portal, portal_id)
    try:
        work = _work(runtime, portal, run_id, owner, time.monotonic() + seconds)
        with bulk_work:
            more = _work_on(work)
    except LostLease:
        log.warning("sync run was taken over", extra={"portal": portal_id})
        return Slice(more=False)
    except ServiceError as error:
        return _after_error(runtime, portal_id, run_id, owner, error)
    except (sa.exc.DataError, sa.exc.OperationalError) as error:
        return _after_database_error(runtime, portal_id, run_id, owner, error)
    with transaction(runtime.sessions) as session:
        if more:
            runs.release(session, portal_id, run_id, owner)
        else:
            runs.finish(session, portal_id, run_id, owner)
            log.info("sync done", extra={"portal": portal_id, "run": run_id})
    return Slice(more)


def _work(runtime: Runtime, portal: Portal, run_id: int, owner: str, deadline: float) -> _Work:
    made: list[_Work] = []

    def count(_record: CallRecord) -> None:
        made[0].requests += 1

    client = connect(runtime, portal, on_call=count)
    work = _Work(
        *(runtime, portal.id, run_id, owner, client, deadline),
        language=portal.language,
        note_clients=portal.last_sync_at is not None,
    )
    made.append(work)
    return work


def _work_on(work: _Work) -> bool:
    """Read until all sources are finished or the time is up; whether there is more."""
    with work.runtime.sessions() as session:
        run = session.get_one(SyncRun, (work.portal_id, work.run_id))
        prepared = _prepared(session, run)
    if not prepared:
        prepared = _prepare(work, run)
    _foresee(work, prepared, run)
    paused: OperationTimeLimit | None = None
    for source in prepared:
        try:
            if _read_source(work, source, run):
                return True
        except OperationTimeLimit as error:  # only this method pauses, the others go on
            if paused is None or (error.retry_after or 0) < (paused.retry_after or 0):
                paused = error
        except (AccessDenied, MethodNotFound) as error:
            if not source.optional:
                raise
            _do_without(work, source, error)
    if paused is not None:
        raise paused
    if not run.full:
        merges.look(work.runtime, work.portal_id, run.started_at or run.created_at)
    return False


def _prepared(session: Session, run: SyncRun) -> list[Source]:
    """The sources this run reads: those kept at its start, less what was left out since."""
    kept = keeping.rule_of(session, run.portal_id)
    query = sa.select(SyncCursor.entity).where(
        SyncCursor.portal_id == run.portal_id, SyncCursor.run_id == run.id
    )
    names = set(session.scalars(query))
    return [source for source in SOURCES if source.name in names and kept.reads(source.name)]


def _foresee(work: _Work, sources: Iterable[Source], run: SyncRun) -> None:
    """Ask for the first pages of all that is left at once: of what changed there is mostly nothing."""
    if run.full:
        return
    with work.runtime.sessions() as session:
        readings: list[Reading] = [
            (source.pages, _start(session, work.portal_id, source, cursor, run))
            for source in sources
            if not (cursor := session.get_one(SyncCursor, (work.portal_id, source.name))).finished
        ]
    if len(readings) > 1:
        work.client = foreseeing(work.client, readings)


def _prepare(work: _Work, run: SyncRun) -> list[Source]:
    """Dictionaries, and a cursor for each source that is kept at its start."""
    read = dictionaries.read(work.client, language=work.language, count=run.full)
    with transaction(work.runtime.sessions) as session:
        runs.keep(session, work.portal_id, run.id, work.owner)
        portals.note_answer(session, work.portal_id)
        dictionaries.store(session, work.portal_id, read)
        kept = keeping.rule_of(session, work.portal_id)
        for source in SOURCES:
            if kept.reads(source.name):
                _reset_cursor(session, work.portal_id, run, source, read.read_at, read.totals)
        session.flush()
        return _prepared(session, run)


def _reset_cursor(
    session: Session,
    portal_id: int,
    run: SyncRun,
    source: Source,
    window_started_at: datetime,
    totals: dict[str, int],
) -> None:
    cursor = session.get(SyncCursor, (portal_id, source.name))
    if cursor is None:
        cursor = SyncCursor(
            portal_id=portal_id, entity=source.name, last_id=0, reading=0, reading_asked=0
        )
        session.add(cursor)
    if cursor.reading != cursor.reading_asked:
        cursor.reading, cursor.watermark_at, cursor.last_id = cursor.reading_asked, None, 0
    cursor.run_id = run.id
    cursor.last_id = cursor.last_id if source.grows_only and not run.full else 0
    cursor.finished = False
    cursor.window_started_at = window_started_at
    cursor.expected = totals.get(source.name)
    if cursor.expected is not None:
        cursor.portal_rows, cursor.counted_at = cursor.expected, window_started_at
    cursor.rows = cursor.changed = cursor.deleted = cursor.quarantined = cursor.requests = 0
    cursor.seconds = 0.0


def _read_source(work: _Work, source: Source, run: SyncRun) -> bool:
    """Read one source on from its cursor; True when the time was up before its end."""
    with work.runtime.sessions() as session:
        cursor = session.get_one(SyncCursor, (work.portal_id, source.name))
        if cursor.finished:
            return False
        start = _start(session, work.portal_id, source, cursor, run)
    pages = source.pages(work.client, start)
    counted, began = work.requests, time.monotonic()
    ready = ahead(
        _prepared_rows(source, start, pages), 1
    )  # the next rows are read and mapped while these are stored
    for made in ready:
        spent = (work.requests - counted, time.monotonic() - began)
        _commit(work, source, run, made, spent)
        counted, began = work.requests, time.monotonic()
        if work.over():
            _close(ready)
            return True
    with transaction(work.runtime.sessions) as session:
        runs.keep(session, work.portal_id, run.id, work.owner)
        cursor = session.get_one(SyncCursor, (work.portal_id, source.name))
        cursor.finished, cursor.refused = True, None
        cursor.watermark_at = cursor.window_started_at
        cursor.requests += work.requests - counted
    return False


def _prepared_rows(source: Source, start: Start, pages: Iterator[Rows]) -> Iterator[Ready]:
    for rows in gathered(pages):
        made = source.prepare(rows, start.fields)
        rows.clear()  # as the portal sent them they take the most memory, and it may be long until the next ones
        yield made


def _do_without(work: _Work, source: Source, error: BitrixError) -> None:
    """Remember why the portal does not let us read it; when it does again, all of it is read."""
    with transaction(work.runtime.sessions) as session:
        runs.keep(session, work.portal_id, work.run_id, work.owner)
        cursor = session.get_one(SyncCursor, (work.portal_id, source.name))
        cursor.finished, cursor.watermark_at = True, None
        cursor.refused = type(error).__name__


def _start(
    session: Session, portal_id: int, source: Source, cursor: SyncCursor, run: SyncRun
) -> Start:
    since = None
    if not run.full and cursor.watermark_at is not None and not source.grows_only:
        since = cursor.watermark_at - OVERLAP
        if cursor.window_started_at is not None and cursor.window_started_at < since:
            since = None  # the portal's clock went back: newer changes bear older times
    is_card = source.name in BY_NAME
    fields = dictionaries.custom_fields(session, portal_id, source.name) if is_card else {}
    expected = max(0, cursor.expected - cursor.rows) if cursor.expected is not None else None
    return Start(cursor.last_id, since, expected, fields)


def _commit(
    work: _Work,
    source: Source,
    run: SyncRun,
    ready: Ready,
    spent: tuple[int, float],
) -> None:
    def put(session: Session) -> None:
        # A crash of the machine may undo the newest commits, each whole: its rows with its cursor.
        session.execute(sa.text("SET LOCAL synchronous_commit = off"))
        runs.keep(session, work.portal_id, run.id, work.owner)
        stored = source.put(session, work.portal_id, ready, work.note_clients)
        cursor = session.get_one(SyncCursor, (work.portal_id, source.name))
        cursor.rows += ready.count
        cursor.changed += stored.changed
        cursor.quarantined += stored.quarantined
        cursor.requests += spent[0]
        cursor.seconds += spent[1]
        cursor.last_id = max(cursor.last_id, ready.last_id)

    repeated(work.runtime.sessions, put, sleep=work.runtime.sleep)


def _close(pages: object) -> None:
    close: Callable[[], None] | None = getattr(pages, "close", None)
    if close is not None:
        close()


def _after_database_error(
    runtime: Runtime, portal_id: int, run_id: int, owner: str, error: sa.exc.DBAPIError
) -> Slice:
    """A restart or a full disk passes. A refused value is a defect of ours: told, not repeated."""
    passing = isinstance(error, sa.exc.OperationalError)
    what = "gave up" if passing else "refuses a row"
    reason = f"the database {what}: {type(error.orig).__name__}"
    log.error("a page can't be stored", exc_info=error, extra={"portal": portal_id})
    with suppress(sa.exc.OperationalError), transaction(runtime.sessions) as session:
        if passing:
            runs.release(session, portal_id, run_id, owner, reason, WAIT_AFTER_FAILURE)
        else:
            runs.finish(session, portal_id, run_id, owner, failure=reason)
    return Slice(passing, WAIT_AFTER_FAILURE if passing else 0.0)


def _after_error(
    runtime: Runtime, portal_id: int, run_id: int, owner: str, error: ServiceError
) -> Slice:
    """A passing trouble leaves the run open with its reason; a final one fails it."""
    ended = portals.note(runtime.sessions, portal_id, error)
    passing = not ended and (error.retryable or isinstance(error, OperationTimeLimit | RateLimited))
    reason = f"{type(error).__name__}: {error.detail}"
    with transaction(runtime.sessions) as session:
        if passing:
            runs.release(session, portal_id, run_id, owner, reason, WAIT_AFTER_FAILURE)
        else:
            runs.finish(session, portal_id, run_id, owner, failure=reason)
    log.warning("sync stopped", extra={"portal": portal_id, "run": run_id, "reason": reason})
    return Slice(passing, error.retry_after or WAIT_AFTER_FAILURE if passing else 0.0)
