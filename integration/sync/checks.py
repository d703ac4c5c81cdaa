"""Checks in SQL: asked for, leased to one process at a time, found again after a kill, kept as results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration import admin_rules, keeping
from integration.admin_rules import RuleName
from integration.models import Check, CheckStatus, Portal, PortalState, RunStatus, SyncRun
from integration.rules.hours import CHECK_WINDOW, DAY_HOURS, Hours
from integration.sync.entities import CARDS, CATALOG
from integration.sync.runs import LEASE, LostLease, ask_anew

EVERY = timedelta(hours=20)
KEPT = timedelta(days=90)
OPEN = (CheckStatus.QUEUED, CheckStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Result:
    """One entity's newest check: how it stands, what it found and what it repaired.

    `found` counts rows that were wrong here; `held`: so many would vanish that an administrator decides.
    `shift_seconds`: the portal's clock had moved by so much, and nothing else had.
    """

    entity: str
    status: str
    reason: str | None
    looked: int
    missing: int
    differing: int
    restored: int
    vanished: int
    repaired: int
    buried: int
    expected: int | None
    shift_seconds: int
    requests: int
    seconds: float
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def found(self) -> int:
        """Rows of the mirror that were wrong, as far as is known."""
        return self.missing + self.differing + self.restored + self.vanished

    @property
    def held(self) -> bool:
        """Whether an administrator has to decide."""
        return self.status == CheckStatus.HELD


def request(session: Session, portal_id: int) -> None:
    """Ask for a check of everything; what is being checked already is not asked for twice.

    A catalog is small and has no links to compare: the next run reads it whole.
    """
    kept = keeping.rule_of(session, portal_id)
    names = [spec.name for spec in CARDS if kept.reads(spec.name)]
    rows = [{"portal_id": portal_id, "entity": name} for name in names]
    session.execute(insert(Check).values(rows).on_conflict_do_nothing())
    ask_anew(session, portal_id, CATALOG)
    session.execute(
        sa.delete(Check).where(
            Check.portal_id == portal_id, Check.finished_at < sa.func.now() - KEPT
        )
    )


def confirm(session: Session, portal_id: int) -> int:
    """An administrator lets held checks go on: their vanished rows are looked at one by one."""
    newest = sa.select(sa.func.max(Check.id)).where(Check.portal_id == portal_id)
    released = session.execute(
        sa.update(Check)
        .where(
            Check.portal_id == portal_id,
            Check.status == CheckStatus.HELD,
            Check.id.in_(newest.group_by(Check.entity)),
        )
        .values(status=CheckStatus.QUEUED, approved=True, finished_at=None)
    )
    return int(released.rowcount)  # type: ignore[attr-defined]


def claim(session: Session, portal_id: int, owner: str) -> Check | None:
    """Take the portal's next open check; None when there is none to work on now."""
    chosen = (
        sa.select(Check.id)
        .join(Portal, Portal.id == Check.portal_id)
        .where(Check.portal_id == portal_id, *_workable())
        .order_by(Check.id)
        .limit(1)
        .with_for_update(of=Check, skip_locked=True)
    )
    check_id = session.scalar(chosen)
    if check_id is None:
        return None
    session.execute(
        sa.update(Check)
        .where(Check.portal_id == portal_id, Check.id == check_id)
        .values(
            owner=owner,
            lease_until=sa.func.now() + LEASE,
            status=CheckStatus.RUNNING,
            reason=None,
            resume_at=None,
            started_at=sa.func.coalesce(Check.started_at, sa.func.now()),
        )
    )
    return session.get(Check, (portal_id, check_id), populate_existing=True)


def keep(session: Session, check: Check, owner: str, **values: Any) -> None:
    """Prolong the lease and store progress in the transaction of a page; LostLease if it was given away."""
    kept = session.execute(_mine(check, owner).values(lease_until=sa.func.now() + LEASE, **values))
    if not kept.rowcount:  # type: ignore[attr-defined]
        raise LostLease


def release(session: Session, check: Check, owner: str, reason: str | None, wait: float) -> None:
    """Let another slice go on with the check, in so many seconds at the earliest."""
    resume_at = sa.func.now() + timedelta(seconds=wait) if wait else None
    session.execute(
        _mine(check, owner).values(owner=None, lease_until=None, reason=reason, resume_at=resume_at)
    )


def finish(
    session: Session, check: Check, owner: str, status: CheckStatus, reason: str | None = None
) -> None:
    """Close the check: done, held or failed."""
    session.execute(
        _mine(check, owner).values(
            status=status,
            reason=reason,
            owner=None,
            lease_until=None,
            finished_at=sa.func.now(),
        )
    )


def waiting(session: Session) -> list[int]:
    """Portals with open checks nobody works on: what a lost queue must be told again."""
    query = sa.select(Check.portal_id).join(Portal, Portal.id == Check.portal_id)
    return list(session.scalars(query.where(*_workable()).distinct()))


def due(session: Session, now: datetime) -> list[int]:
    """Portals within some hours of their time for it whose last check is long past."""
    offset = sa.func.make_interval(0, 0, 0, 0, 0, Portal.utc_offset_minutes)
    moment = sa.literal(now, sa.DateTime(timezone=True))
    hour = sa.extract("hour", sa.func.timezone("UTC", moment) + offset)
    chosen = admin_rules.content_of(RuleName.HOURS)["check_at"].as_integer()
    since = hour - sa.func.coalesce(chosen, Hours().check_at) + DAY_HOURS
    recent = sa.exists().where(
        Check.portal_id == Portal.id,
        sa.or_(Check.finished_at.is_(None), Check.finished_at > now - EVERY),
    )
    query = sa.select(Portal.id).where(
        Portal.state == PortalState.ACTIVE,
        Portal.last_sync_at.is_not(None),
        since % DAY_HOURS < CHECK_WINDOW,
        ~recent,
    )
    return list(session.scalars(query))


def is_open(session: Session, portal_id: int) -> bool:
    """Whether a check of the portal is not over yet."""
    query = sa.select(sa.exists().where(Check.portal_id == portal_id, Check.status.in_(OPEN)))
    return bool(session.scalar(query))


def results(session: Session, portal_id: int) -> list[Result]:
    """The newest check of each entity, for pages and the command line."""
    newest = sa.select(sa.func.max(Check.id)).where(Check.portal_id == portal_id)
    rows = session.scalars(
        sa.select(Check)
        .where(Check.portal_id == portal_id, Check.id.in_(newest.group_by(Check.entity)))
        .order_by(Check.id)
    )
    return [
        Result(**{name: getattr(row, name) for name in Result.__dataclass_fields__}) for row in rows
    ]


def _workable() -> tuple[sa.ColumnElement[bool], ...]:
    """Open, not waiting, nobody at the portal's checks; it answers, was read once, isn't being read whole."""
    other = sa.orm.aliased(Check)
    taken = sa.exists().where(
        other.portal_id == Check.portal_id, other.lease_until >= sa.func.now()
    )
    full_run = sa.exists().where(
        SyncRun.portal_id == Check.portal_id,
        SyncRun.full,
        SyncRun.status.in_((RunStatus.QUEUED, RunStatus.RUNNING)),
    )
    return (
        Check.status.in_(OPEN),
        sa.or_(Check.resume_at.is_(None), Check.resume_at <= sa.func.now()),
        Portal.state == PortalState.ACTIVE,
        Portal.last_sync_at.is_not(None),
        ~taken,
        ~full_run,
    )


def _mine(check: Check, owner: str) -> sa.Update:
    return sa.update(Check).where(
        Check.portal_id == check.portal_id, Check.id == check.id, Check.owner == owner
    )
