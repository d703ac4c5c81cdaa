"""Paces in SQL: what may go now is locked, taken and written down in the transaction that claims the messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailings.models import MailServer, Pace
from mailings.rules import pace
from mailings.sending.running import Running

_PLENTY = 1_000_000
_ONE_COMPLAINT = timedelta(seconds=30)
"""Servers complain to all connections at once: within this span that is one complaint."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that may run short: `per_minute` a bucket's pace, `a_day` a count. With neither it only counts."""

    key: str
    per_minute: float | None = None
    a_day: int | None = None


@dataclass(slots=True)
class Held:
    """Limits whose rows this transaction has locked, and how much of each is left."""

    portal_id: int
    limits: dict[str, Limit]
    levels: dict[str, float]

    def left(self, key: str) -> int:
        """How many messages this limit lets through now."""
        limit, level = self.limits[key], self.levels[key]
        if limit.a_day is not None:
            return max(0, limit.a_day - int(level))
        return int(level) if limit.per_minute else _PLENTY

    def allowance(self) -> int:
        """How many messages all of them let through now."""
        return min((self.left(key) for key in self.limits), default=_PLENTY)

    def spend(self, session: Session, used: Mapping[str, int]) -> None:
        """Write the levels down, less what is used."""
        for key, limit in self.limits.items():
            number = used.get(key, 0)
            change = number if limit.a_day is not None else -number if limit.per_minute else 0
            session.execute(
                sa.update(Pace)
                .where(Pace.portal_id == self.portal_id, Pace.key == key)
                .values(level=self.levels[key] + change, counted_at=sa.func.clock_timestamp())
                .execution_options(synchronize_session=False)
            )


def server_key(server_id: int | None) -> str:
    """The bucket of a server; messages that need none share one."""
    return f"server:{server_id or 0}"


def day_key(server_id: int, today: date) -> str:
    """The count of a server's day."""
    return f"day:{server_id}:{today.isoformat()}"


def limits_of(
    mailing: Running, server: MailServer | None, today: date, slow: float | None
) -> list[Limit]:
    """What a mailing has to keep on this server; its own row is locked even without a limit, so claims take turns."""
    server_id = server.id if server else None
    own = pace.tightest(server.rate_per_minute if server else None, slow)
    limits = [Limit(server_key(server_id), own)]
    if mailing.plan.rate_per_minute:
        limits.append(Limit(f"mailing:{mailing.id}", mailing.plan.rate_per_minute))
    if server is not None:
        warm = pace.warm_up(server.warm_up_from, today)
        quota = pace.quota(server.daily_quota, warm)
        if quota is not None:
            limits.append(Limit(day_key(server.id, today), a_day=quota))
    return limits


def hold(session: Session, portal_id: int, limits: Sequence[Limit]) -> Held:
    """Lock them in the order of their keys and fill the buckets up to now."""
    by_key = {limit.key: limit for limit in sorted(limits, key=lambda each: each.key)}
    if not by_key:
        return Held(portal_id, {}, {})
    new = [
        {"portal_id": portal_id, "key": key, "level": 1.0 if limit.per_minute else 0.0}
        for key, limit in by_key.items()
    ]
    session.execute(insert(Pace).values(new).on_conflict_do_nothing())
    passed = sa.func.extract("epoch", sa.func.clock_timestamp() - Pace.counted_at)
    query = (
        sa.select(Pace.key, Pace.level, passed)
        .where(Pace.portal_id == portal_id, Pace.key.in_(by_key))
        .order_by(Pace.key)
        .with_for_update()
    )
    levels = {}
    for key, level, seconds in session.execute(query):
        rate = by_key[key].per_minute
        since = timedelta(seconds=float(seconds))
        levels[key] = pace.filled(level, since, rate) if rate else level
    return Held(portal_id, by_key, levels)


def slow_limits(session: Session, portal_id: int, server_id: int) -> dict[str, float]:
    """Paces imposed by complaints: of the server under "", of mail services under their names."""
    prefix = f"slow:{server_id}:"
    passed = sa.func.extract("epoch", sa.func.clock_timestamp() - Pace.counted_at)
    query = sa.select(Pace.key, Pace.level, passed).where(
        Pace.portal_id == portal_id, Pace.key >= prefix, Pace.key < prefix[:-1] + ";"
    )
    found = {}
    for key, level, seconds in session.execute(query):
        limit = pace.recovered(level, timedelta(seconds=float(seconds)))
        if limit is not None:
            found[key.removeprefix(prefix)] = limit
    return found


def slow_down(
    session: Session, portal_id: int, server_id: int, group: str, seen_per_minute: float
) -> bool:
    """Halve the pace of a server ("") or of one mail service on it; False: it has just been done."""
    now = sa.func.clock_timestamp()
    limit = pace.slowed(seen_per_minute, slow_limits(session, portal_id, server_id).get(group))
    row = insert(Pace).values(
        portal_id=portal_id, key=f"slow:{server_id}:{group}", level=limit, counted_at=now
    )
    row = row.on_conflict_do_update(
        index_elements=["portal_id", "key"],
        set_={"level": limit, "counted_at": now},
        where=Pace.counted_at < now - _ONE_COMPLAINT,
    )
    return session.execute(row.returning(Pace.key)).scalar() is not None


def give_back(session: Session, portal_id: int, key: str, number: int) -> None:
    """A day's count is corrected for messages that were not tried after all."""
    session.execute(
        sa.update(Pace)
        .where(Pace.portal_id == portal_id, Pace.key == key)
        .values(level=sa.func.greatest(Pace.level - number, 0.0))
        .execution_options(synchronize_session=False)
    )


def group_limits(
    server: MailServer, groups: Collection[str], slow: Mapping[str, float]
) -> list[Limit]:
    """What single mail services have to be spared; those without a limit are left out."""
    found = []
    for group in groups:
        rate = pace.tightest(server.group_rate_per_minute, slow.get(group))
        if rate is not None:
            found.append(Limit(f"server:{server.id}:{group}", rate))
    return found


def rests() -> sa.ColumnElement[bool]:
    """Whether a server is to be left alone now, by the database's clock."""
    return MailServer.rest_until > sa.func.now()


def forget(session: Session) -> None:
    """Drop rows nobody has counted in for three days."""
    session.execute(
        sa.delete(Pace)
        .where(Pace.counted_at < sa.func.now() - timedelta(days=3))
        .execution_options(synchronize_session=False)
    )
