"""Sync runs in SQL: started once per portal, leased to one process at a time, found again after a kill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.models import Portal, PortalState, RunStatus, SyncCursor, SyncRun

LEASE = timedelta(seconds=60)
OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)
_TELLING_SHARE, _TELLING_TIME = 0.02, timedelta(seconds=5)
"""Earlier nobody can tell when a run will end."""


class LostLease(Exception):
    """Another process has taken the run over: what this one was about to commit must not be."""


@dataclass(frozen=True, slots=True)
class EntityProgress:
    """One entity's line of `sync status`."""

    entity: str
    rows: int
    expected: int | None
    changed: int
    deleted: int
    quarantined: int
    requests: int
    seconds: float
    cursor: int
    finished: bool


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run with its entities; `share` is 0…1 when the totals are known."""

    run_id: int
    full: bool
    status: str
    reason: str | None
    started_at: datetime | None
    finished_at: datetime | None
    entities: list[EntityProgress]

    @property
    def share(self) -> float | None:
        """Rows read of rows expected."""
        known = [(e.rows, max(e.expected, e.rows)) for e in self.entities if e.expected]
        total = sum(expected for _, expected in known)
        return sum(rows for rows, _ in known) / total if total else None

    def left(self, now: datetime) -> timedelta | None:
        """How long the rest takes at the pace so far; None while that can't be told."""
        share, started = self.share, self.started_at
        if self.reason or not share or started is None:
            return None
        passed = now - started
        if share < _TELLING_SHARE or passed < _TELLING_TIME:
            return None
        return passed * ((1 - min(share, 1)) / share)


def start(session: Session, portal_id: int, *, full: bool) -> SyncRun:
    """The portal's open run, or a new queued one. The first run is always full."""
    first = session.get_one(Portal, portal_id).last_sync_at is None
    values = {"portal_id": portal_id, "full": full or first}
    session.execute(insert(SyncRun).values(values).on_conflict_do_nothing())
    return session.scalars(_open_runs().where(SyncRun.portal_id == portal_id)).one()


def claim(session: Session, portal_id: int, run_id: int, owner: str) -> SyncRun | None:
    """Take the run if nobody holds it; None when it is held or over. Clocks: the database's only."""
    taken = session.execute(
        sa.update(SyncRun)
        .where(
            SyncRun.portal_id == portal_id,
            SyncRun.id == run_id,
            SyncRun.status.in_(OPEN),
            sa.or_(
                SyncRun.owner.is_(None), SyncRun.owner == owner, SyncRun.lease_until < sa.func.now()
            ),
        )
        .values(
            owner=owner,
            lease_until=sa.func.now() + LEASE,
            status=RunStatus.RUNNING,
            started_at=sa.func.coalesce(SyncRun.started_at, sa.func.now()),
        )
    )
    return session.get(SyncRun, (portal_id, run_id)) if taken.rowcount else None  # type: ignore[attr-defined]


def keep(session: Session, portal_id: int, run_id: int, owner: str) -> None:
    """Prolong the lease inside the transaction of a page; LostLease if it was given away."""
    kept = session.execute(
        sa.update(SyncRun)
        .where(SyncRun.portal_id == portal_id, SyncRun.id == run_id, SyncRun.owner == owner)
        .values(lease_until=sa.func.now() + LEASE)
    )
    if not kept.rowcount:  # type: ignore[attr-defined]
        raise LostLease


def release(
    session: Session,
    portal_id: int,
    run_id: int,
    owner: str,
    reason: str | None = None,
    wait: float = 0.0,
) -> None:
    """Let another slice go on with the run; `reason` says why nobody is woken up for it till then."""
    resume_at = sa.func.now() + timedelta(seconds=wait) if wait else None
    session.execute(
        sa.update(SyncRun)
        .where(SyncRun.portal_id == portal_id, SyncRun.id == run_id, SyncRun.owner == owner)
        .values(owner=None, lease_until=resume_at, reason=reason)
    )


def finish(
    session: Session, portal_id: int, run_id: int, owner: str, failure: str | None = None
) -> None:
    """Close the run as done, or as failed with the reason."""
    status = RunStatus.FAILED if failure else RunStatus.DONE
    session.execute(
        sa.update(SyncRun)
        .where(SyncRun.portal_id == portal_id, SyncRun.id == run_id, SyncRun.owner == owner)
        .values(
            status=status, reason=failure, owner=None, lease_until=None, finished_at=sa.func.now()
        )
    )
    if failure is None:
        session.execute(
            sa.update(Portal).where(Portal.id == portal_id).values(last_sync_at=sa.func.now())
        )


def ask_anew(session: Session, portal_id: int, entities: Iterable[str]) -> None:
    """Have the next run read these from their first row."""
    session.execute(
        sa.update(SyncCursor)
        .where(SyncCursor.portal_id == portal_id, SyncCursor.entity.in_(list(entities)))
        .values(reading_asked=SyncCursor.reading_asked + 1)
    )


def waiting(session: Session) -> list[tuple[int, int]]:
    """(portal_id, run_id) of open runs nobody works on: what a lost queue must be told again."""
    idle = sa.or_(SyncRun.lease_until.is_(None), SyncRun.lease_until < sa.func.now())
    query = _open_runs().where(idle).join(Portal, Portal.id == SyncRun.portal_id)
    query = query.where(Portal.state.in_([s for s in PortalState if s.callable]))
    return [(run.portal_id, run.id) for run in session.scalars(query)]


def due(session: Session, every: timedelta) -> list[int]:
    """Active portals whose last run is older than `every` and that have no open run."""
    since = sa.func.now() - every
    busy = sa.exists().where(
        SyncRun.portal_id == Portal.id,
        sa.or_(SyncRun.status.in_(OPEN), SyncRun.created_at > since),
    )
    return list(
        session.scalars(sa.select(Portal.id).where(Portal.state == PortalState.ACTIVE, ~busy))
    )


def progress(session: Session, portal_id: int) -> RunProgress | None:
    """The newest run of a portal, for pages and `sync status`."""
    newest = sa.select(SyncRun).where(SyncRun.portal_id == portal_id).order_by(SyncRun.id.desc())
    run = session.scalars(newest.limit(1)).first()
    if run is None:
        return None
    cursors = session.scalars(
        sa.select(SyncCursor).where(SyncCursor.portal_id == portal_id, SyncCursor.run_id == run.id)
    )
    entities = [
        EntityProgress(
            c.entity, c.rows, c.expected, c.changed, c.deleted, c.quarantined,
            c.requests, round(c.seconds, 3), c.last_id, c.finished,
        )
        for c in cursors
    ]  # fmt: skip
    return RunProgress(
        run.id, run.full, run.status, run.reason, run.started_at, run.finished_at, entities
    )


def _open_runs() -> sa.Select[SyncRun]:
    return sa.select(SyncRun).where(SyncRun.status.in_(OPEN))
