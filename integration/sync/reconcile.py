"""Checks the mirror against the portal: the layer that repairs what events and syncs have missed.

    ids and stamps of everything ─▶ compared with the mirror ─▶ what differs is read and stored
                                                             └▶ what vanished: judged, confirmed, buried

Only ids and stamps are read of what is unchanged: 50 pages a request. Work is done in slices like a
sync's, each group of pages committed together with the place it ends at. Vanished rows are collected
over the whole entity, for rights that were narrowed look exactly like rows that were deleted: when too
many would go nothing goes, and an administrator decides. Even then each row has to be missing in a
second, single look before it is buried.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.bulk import bulk_work
from core.database import transaction
from core.errors import ServiceError
from core.runtime import Runtime
from integration import portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import CallRecord, Client
from integration.bitrix.errors import OperationTimeLimit
from integration.bitrix.lists import PAGE, Page
from integration.connect import connect
from integration.models import Check, CheckStatus, Portal, SyncCursor
from integration.rules.custom import FieldType
from integration.rules.reconciling import too_many
from integration.sync import checks, dictionaries, drift, product_rows, vanished
from integration.sync.burying import bury, forget_winners_of_the_living, note_clients
from integration.sync.drift import Drift, Listing, Row, Since
from integration.sync.entities import BY_NAME, EntitySpec
from integration.sync.lines import Stored
from integration.sync.runs import LostLease
from integration.sync.sources import read_by_ids, store_cards

log = logging.getLogger(__name__)

SLICE_SECONDS = 10.0
PAGES_PER_LOOK = 50
SECONDS_PER_LOOK = 2.0
CONFIRMED_AT_ONCE = 50
WAIT_AFTER_FAILURE = 30.0
WAIT_AFTER_CONFLICT = 1.0


@dataclass(slots=True)
class _Work:
    """One slice's hands: the check it holds, its client, its time."""

    runtime: Runtime
    check: Check
    owner: str
    client: Client
    deadline: float
    fields: Mapping[str, FieldType]
    since: Since
    requests: int = 0
    counted: int = 0
    began: float = 0.0

    @property
    def portal_id(self) -> int:
        return self.check.portal_id

    @property
    def spec(self) -> EntitySpec:
        return BY_NAME[self.check.entity]

    def over(self) -> bool:
        return time.monotonic() >= self.deadline

    def commit(self, session: Session, **values: object) -> None:
        """Store progress with what was spent since the last time; LostLease if the check was taken."""
        now, spent = time.monotonic(), self.requests - self.counted
        checks.keep(
            session,
            self.check,
            self.owner,
            requests=Check.requests + spent,
            seconds=Check.seconds + (now - self.began),
            **values,
        )
        self.counted, self.began = self.requests, now


def run_slice(runtime: Runtime, portal_id: int, seconds: float = SLICE_SECONDS) -> bool:
    """Work on the portal's open checks for some seconds; whether there is more to do at once.

    A refusal ends in a check's reason, never in an exception.
    """
    owner, deadline = secrets.token_hex(8), time.monotonic() + seconds
    while time.monotonic() < deadline:
        with transaction(runtime.sessions) as session:
            check = checks.claim(session, portal_id, owner)
        if check is None:
            return False
        _guarded(runtime, check, owner, deadline)
    return True


def _guarded(runtime: Runtime, check: Check, owner: str, deadline: float) -> None:
    try:
        work = _work(runtime, check, owner, deadline)
        with bulk_work:
            over = _work_on(work)
    except LostLease:
        log.warning("check was taken over", extra={"portal": check.portal_id})
    except ServiceError as error:
        _after_error(runtime, check, owner, error)
    except sa.exc.OperationalError as error:  # a deadlock with a sync: the database chose this one
        reason = f"the database gave up: {type(error.orig).__name__}"
        with transaction(runtime.sessions) as session:
            checks.release(session, check, owner, reason, WAIT_AFTER_CONFLICT)
    except sa.exc.DataError as error:
        log.exception("a row can't be stored", extra={"portal": check.portal_id})
        reason = f"the database refuses a row: {type(error.orig).__name__}"
        with transaction(runtime.sessions) as session:
            checks.finish(session, check, owner, CheckStatus.FAILED, reason)
    else:
        if not over:
            with transaction(runtime.sessions) as session:
                checks.release(session, check, owner, None, 0.0)


def _work(runtime: Runtime, check: Check, owner: str, deadline: float) -> _Work:
    made: list[_Work] = []

    def count(_record: CallRecord) -> None:
        made[0].requests += 1

    with transaction(runtime.sessions) as session:
        portal = session.get_one(Portal, check.portal_id)
        fields = dictionaries.custom_fields(session, check.portal_id, check.entity)
        cursor = session.get(SyncCursor, (check.portal_id, check.entity))
        if not check.listed and not check.last_id:
            vanished.forget(session, check)
    assert check.started_at is not None  # noqa: S101 - a claim sets it
    since = Since(check.started_at, cursor.watermark_at if cursor else None)
    client = connect(runtime, portal, priority=Priority.PATIENT, on_call=count)
    work = _Work(runtime, check, owner, client, deadline, fields, since, began=time.monotonic())
    made.append(work)
    return work


def _work_on(work: _Work) -> bool:
    """Compare, then judge what vanished; whether the check is over."""
    if not work.check.listed and not _compare_all(work):
        return False
    if not work.check.approved and not _judge(work):
        return True
    if not _bury_confirmed(work):
        return False
    with transaction(work.runtime.sessions) as session:
        work.commit(session)
        forget_winners_of_the_living(session, work.portal_id, work.spec)
        checks.finish(session, work.check, work.owner, CheckStatus.DONE)
    log.info("check done", extra={"portal": work.portal_id, "entity": work.check.entity})
    return True


def _judge(work: _Work) -> bool:
    """Whether so few rows vanished that each may be looked at; otherwise the check is held."""
    with transaction(work.runtime.sessions) as session:
        gone, alive = (
            vanished.count(session, work.check),
            _alive(session, work.portal_id, work.spec),
        )
        held = too_many(gone, alive)
        work.commit(session, vanished=gone, expected=alive, approved=not held)
        if held:
            reason = f"{gone} of {alive} rows would vanish"
            checks.finish(session, work.check, work.owner, CheckStatus.HELD, reason)
            log.warning("check held", extra={"portal": work.portal_id, "reason": reason})
    return not held


def _compare_all(work: _Work) -> bool:
    """Go through the portal's list on from where the check stands; whether its end was reached."""
    spec, check = work.spec, work.check
    with work.runtime.sessions() as session:
        expected = _alive(session, work.portal_id, spec, above=check.last_id)
    pages = work.client.list_all(
        spec.method,
        params={**dict(spec.extra), "select": drift.listed_fields(spec)},
        after_id=check.last_id,
        id_field=spec.id_field,
        items_path=spec.items_path,
        total_hint=expected,
    )
    for listing in _gathered(pages):
        _look(work, _with_products(work, listing) if spec.sells else listing)
        if work.over():
            break
    return check.listed


def _with_products(work: _Work, listing: Listing) -> Listing:
    """The listing with the product rows of its deals: a change of them alone moves no stamp for sure."""
    return replace(listing, rows=product_rows.attached(work.client, listing.rows))


def _gathered(pages: Iterable[Page]) -> Iterator[Listing]:
    """Several pages in one listing, as long as they come quickly; the last one has no upper end.

    What came before a failure is looked at first.
    """
    gathered: list[Page] = []
    began = time.monotonic()
    try:
        for page in pages:
            gathered.append(page)
            if len(gathered) == PAGES_PER_LOOK or time.monotonic() - began > SECONDS_PER_LOOK:
                yield _listing(gathered)
                gathered, began = [], time.monotonic()
    except ServiceError:
        if gathered:
            yield _listing(gathered)
        raise
    if gathered:
        yield _listing(gathered)


def _listing(pages: Sequence[Page]) -> Listing:
    ended = len(pages[-1].rows) < PAGE
    rows = [row for page in pages for row in page.rows]
    return Listing(rows, pages[0].after_id, drift.LAST_ID if ended else pages[-1].last_id)


def _look(work: _Work, listing: Listing) -> None:
    """Compare one listing, read what differs, and commit the repair with the place reached."""
    check, spec, portal_id = work.check, work.spec, work.portal_id
    with work.runtime.sessions() as session:
        shift = check.shift_seconds
        found = drift.compare(session, portal_id, spec, listing, work.since, shift)
    ids = found.to_read
    rows = read_by_ids(work.client, spec, ids, work.fields) if ids else []
    with transaction(work.runtime.sessions) as session:
        repaired = _repair(session, work, found, rows)
        vanished.note(session, check, found.vanished)
        check.listed = listing.up_to == drift.LAST_ID
        check.last_id = check.last_id if check.listed else listing.up_to
        check.shift_seconds = found.shift
        work.commit(
            session,
            listed=check.listed,
            last_id=check.last_id,
            shift_seconds=check.shift_seconds,
            looked=Check.looked + len(listing.rows),
            missing=Check.missing + found.found(found.missing),
            differing=Check.differing + found.found(found.differing),
            restored=Check.restored + found.found(found.restored),
            repaired=Check.repaired + repaired,
        )


def _repair(session: Session, work: _Work, found: Drift, rows: Sequence[Row]) -> int:
    """Store what was read; how many rows of the mirror it changed."""
    drift.follow_clock(session, work.portal_id, work.spec, found)
    if not rows:
        return 0
    drift.allow_older(session, work.portal_id, work.spec, rows, work.since)
    stored: Stored = store_cards(
        session, work.portal_id, work.spec, rows, work.fields, note_clients=True
    )
    note_clients(session, work.portal_id, work.spec, found.to_read)
    return stored.changed


def _bury_confirmed(work: _Work) -> bool:
    """Look at each vanished row by itself and bury those that are not there; whether all were."""
    while True:
        with work.runtime.sessions() as session:
            ids = vanished.some(session, work.check, CONFIRMED_AT_ONCE)
        if not ids:
            return True
        gone = vanished.not_found(work.client, work.spec, ids)
        with transaction(work.runtime.sessions) as session:
            started_at = work.since.started_at
            buried = bury(session, work.portal_id, work.spec, gone, seen_before=started_at)
            vanished.forget(session, work.check, ids)
            work.commit(session, buried=Check.buried + len(buried))
        if work.over():
            return False


def _alive(session: Session, portal_id: int, spec: EntitySpec, above: int = 0) -> int:
    table = spec.table
    query = sa.select(sa.func.count()).where(
        table.portal_id == portal_id, table.bitrix_id > above, table.deleted_at.is_(None)
    )
    return session.scalar(query) or 0


def _after_error(runtime: Runtime, check: Check, owner: str, error: ServiceError) -> None:
    """A passing trouble leaves the check open with its reason; a final one fails it."""
    portals.note(runtime.sessions, check.portal_id, error)
    reason = f"{type(error).__name__}: {error.detail}"
    with transaction(runtime.sessions) as session:
        if error.retryable or isinstance(error, OperationTimeLimit):
            wait = error.retry_after or WAIT_AFTER_FAILURE
            checks.release(session, check, owner, reason, wait)
        else:
            checks.finish(session, check, owner, CheckStatus.FAILED, reason)
    log.warning("check stopped", extra={"portal": check.portal_id, "reason": reason})
