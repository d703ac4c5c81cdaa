"""How a portal's connection stands: the facts of its health gathered, and the problems in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from core import queue
from core.clock import utcnow
from core.queue import Queue
from core.runtime import Runtime
from integration.bitrix.budgets import Budget, Priority
from integration.connect import limiter
from integration.models import (
    Portal,
    PortalEvent,
    QuarantinedRow,
    RunStatus,
    SyncRun,
    Trouble,
)
from integration.rules.health import Facts, Figures, OpenRun, Problem, diagnose
from integration.sync import checks, runs
from integration.sync.entities import CARDS
from integration.sync.runs import OPEN

FiguresSource = Callable[[Session, int], Figures]
HeldSource = Callable[[Session, int], int]
_figures: list[FiguresSource] = []
_held: list[HeldSource] = []


def figures_from(source: FiguresSource) -> None:
    """Who knows how the figures stand; the composition root tells, as that is above this package."""
    _figures[:] = [source]


def held_from(source: HeldSource) -> None:
    """Who knows how many mailings wait for somebody's word after the database was restored; told likewise."""
    _held[:] = [source]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the portal's limits. `free` None: requests a second are not limited."""

    free: float | None
    burst: int
    per_second: float
    methods: list[tuple[str, Budget]]


def problems(runtime: Runtime, portal: Portal) -> list[Problem]:
    """What is wrong with the portal now."""
    with runtime.sessions() as session:
        return diagnose(gather(runtime, session, portal))


def gather(runtime: Runtime, session: Session, portal: Portal) -> Facts:
    """Everything the verdict is made of, as it is now."""
    now = utcnow()
    answers, silent = _processes(runtime.redis)
    held = [check for check in checks.results(session, portal.id) if check.held]
    return Facts(
        now=now,
        state=portal.state,
        state_reason=portal.state_reason,
        state_since=portal.state_since,
        failed_steps=failed_steps(portal),
        installed_at=portal.installed_at,
        last_sync_at=portal.last_sync_at,
        open_run=_open_run(session, portal.id, now),
        failure=_failure(session, portal.id),
        closed=tuple(
            (method, now + timedelta(seconds=budget.closed_for))
            for method, budget in allowance(runtime, portal).methods
            if budget.closed_for > 0
        ),
        quarantined=_quarantined(session, portal.id),
        last_event_at=_last_event(session, portal.id),
        newest_card_at=_newest_card(session, portal.id),
        waiting_event_at=_waiting_event(session, portal.id),
        queue_answers=answers,
        silent=silent,
        figures=_figures[0](session, portal.id) if _figures else Figures(),
        held_mailings=_held[0](session, portal.id) if _held else 0,
        held_deletions=sum(check.vanished for check in held),
        held_at=min((check.finished_at for check in held if check.finished_at), default=None),
    )


def stand(session: Session, portal_id: int) -> object:
    """Another answer when the page has something new to show; by lookups by key, as pages listen for it."""
    row = Portal
    what = (row.state, row.state_reason, row.state_since, row.last_sync_at, row.install_steps)
    open_troubles = sa.select(Trouble.code, Trouble.since, Trouble.told_at).where(
        Trouble.portal_id == portal_id, Trouble.gone_at.is_(None)
    )
    return (
        session.execute(sa.select(*what).where(row.id == portal_id)).first(),
        runs.progress(session, portal_id),
        checks.results(session, portal_id),
        _quarantined(session, portal_id),
        sorted(session.execute(open_troubles).all()),
    )


def failed_steps(portal: Portal) -> tuple[str, ...]:
    """Steps of the installation that the portal refused."""
    steps = portal.install_steps.items()
    return tuple(key for key, step in steps if step.get("status") == "failed")


def allowance(runtime: Runtime, portal: Portal) -> Allowance:
    """What may still be asked of the portal; methods closed or most used first."""
    known = limiter(runtime, portal).at(Priority.BACKGROUND)
    budgets = [(method, known.budget(method)) for method in known.methods()]
    used = [(method, budget) for method, budget in budgets if budget.used or budget.closed_for]
    used.sort(key=lambda pair: (pair[1].closed_for > 0, pair[1].used), reverse=True)
    limits = known.limits
    return Allowance(known.free(), limits.burst - limits.headroom, limits.per_second, used)


def _processes(redis: Redis) -> tuple[bool, tuple[str, ...]]:
    """Whether the queue answers, and which processes have not been heard lately."""
    wanted = ("ticker", *(f"worker-{name}" for name in Queue))
    try:
        heard = queue.beats(redis)
    except RedisError:
        return False, ()
    return True, tuple(name for name in wanted if name not in heard)


def _open_run(session: Session, portal_id: int, now: datetime) -> OpenRun | None:
    query = sa.select(SyncRun).where(SyncRun.portal_id == portal_id, SyncRun.status.in_(OPEN))
    run = session.scalars(query).first()
    if run is None:
        return None
    held = run.owner is not None and run.lease_until is not None and run.lease_until > now
    return OpenRun(run.created_at, run.started_at is not None, held, run.reason)


def _failure(session: Session, portal_id: int) -> str | None:
    """Why the newest run that ended failed; a run under way says nothing of it yet."""
    query = sa.select(SyncRun).where(
        SyncRun.portal_id == portal_id, SyncRun.status.in_((RunStatus.DONE, RunStatus.FAILED))
    )
    run = session.scalars(query.order_by(SyncRun.id.desc()).limit(1)).first()
    return (run.reason or "") if run and run.status == RunStatus.FAILED else None


def _quarantined(session: Session, portal_id: int) -> int:
    query = sa.select(sa.func.count()).where(QuarantinedRow.portal_id == portal_id)
    return session.scalar(query.select_from(QuarantinedRow)) or 0


def _last_event(session: Session, portal_id: int) -> datetime | None:
    query = sa.select(PortalEvent.received_at).where(PortalEvent.portal_id == portal_id)
    return session.scalar(query.order_by(PortalEvent.id.desc()).limit(1))


def _waiting_event(session: Session, portal_id: int) -> datetime | None:
    query = sa.select(PortalEvent.received_at).where(
        PortalEvent.portal_id == portal_id, PortalEvent.handled_at.is_(None)
    )
    return session.scalar(query.order_by(PortalEvent.id).limit(1))


def _newest_card(session: Session, portal_id: int) -> datetime | None:
    """When the newest of all cards was created: the highest id of each table, found by its key."""
    found = []
    for spec in CARDS:
        table = spec.table
        query = sa.select(table.created_at).where(table.portal_id == portal_id)
        found.append(session.scalar(query.order_by(table.bitrix_id.desc()).limit(1)))
    return max(filter(None, found), default=None)
