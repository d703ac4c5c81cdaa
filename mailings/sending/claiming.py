"""Claiming: a sender takes due deliveries of a mailing, as many as all paces allow, under a lease.

Nothing is on the wire yet, so a claim that is lost costs only its lease. What may not go now gets the moment at
which it may, what may not go any more its reason.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache, lru_cache

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session, aliased

from core.database import any_of
from integration.mirror import Address, AddressKind
from mailings.models import Delivery, MailServer
from mailings.planning import eligibility
from mailings.planning.eligibility import Terms
from mailings.rules import hours, pace
from mailings.rules.states import ChannelKey, DeliveryState, SkipReason
from mailings.sending import managers, pacing
from mailings.sending.prepared import Prepared, as_rows, given, rows_of
from mailings.sending.running import DUE, Running, due

LEASE = timedelta(seconds=45)
_LOOKED_AT = 200
_PUSHED_AT_MOST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in our hands; `owner` is the token of this claim alone, and fences all others."""

    portal_id: int
    id: int
    mailing_id: int
    channel: str
    kind: str
    client_id: int
    address: str
    group_key: str | None
    variant: str | None
    code: str | None
    attempt: int
    owner: str


_COLUMNS = tuple(name for name in Claimed.__slots__ if name != "owner")


def claim(
    session: Session, mailing: Running, server: MailServer | None, number: int, now: datetime
) -> list[Claimed]:
    """Up to so many deliveries that may go at this moment. `now` decides about hours and days only."""
    zone = hours.portal_zone(mailing.utc_offset_minutes)
    window = hours.Window.of(mailing.plan, mailing.days)
    if mailing.plan.zone == "portal" and not window.always:
        opening = window.opening(now, zone)
        if hours.too_late(mailing.plan, opening):
            _skip_the_rest(session, mailing)
        if opening > now:
            return []
    elif hours.too_late(mailing.plan, now):
        _skip_the_rest(session, mailing)
        return []
    slow = pacing.slow_limits(session, mailing.portal_id, server.id) if server else {}
    limits = pacing.limits_of(mailing, server, now.astimezone(zone).date(), slow.get(""))
    held = pacing.hold(session, mailing.portal_id, limits)
    number = min(number, held.allowance())
    if number < 1:
        return []
    spared = server is not None and bool(server.group_rate_per_minute or slow.keys() - {""})
    by_clock = mailing.plan.zone == "recipient" and not window.always
    rows = _take(session, mailing, max(number, _LOOKED_AT) if spared or by_clock else number)
    rows = _still_allowed(session, mailing, rows)
    later: dict[int, datetime] = {}
    if by_clock:
        later |= _closed(session, mailing, window, rows, now)
    held_groups, kept = None, [row for row in rows if row.id not in later]
    if server is not None and spared:
        groups = {row.group_key for row in kept if row.group_key}
        group_limits = pacing.group_limits(server, groups, slow)
        held_groups = pacing.hold(session, mailing.portal_id, group_limits)
        kept, pushed = _within(held_groups, server.id, kept, now)
        later |= pushed
    kept = kept[:number]
    if mailing.channel == ChannelKey.CALL_LIST:
        kept, waiting = managers.within_day(session, mailing, kept, now)
        later |= waiting
    taken = {row.id for row in kept}
    _let_go(session, mailing, [row for row in rows if row.id not in taken], later)
    held.spend(session, dict.fromkeys(held.limits, len(kept)))
    if held_groups is not None and server is not None:
        used = Counter(f"server:{server.id}:{row.group_key}" for row in kept)
        held_groups.spend(session, used)
    return kept


def release(session: Session, rows: Iterable[Claimed], wait: timedelta = timedelta(0)) -> None:
    """Give back what was not tried."""
    by_owner: dict[tuple[int, str], list[int]] = {}
    for row in rows:
        by_owner.setdefault((row.portal_id, row.owner), []).append(row.id)
    for (portal_id, owner), ids in by_owner.items():
        session.execute(
            _ours(portal_id, owner, ids).values(
                state=DeliveryState.PENDING.value,
                owner=None,
                lease_until=None,
                next_try_at=sa.func.now() + wait,
            )
        )


def _take(session: Session, mailing: Running, number: int) -> list[Claimed]:
    owner = str(uuid.uuid4())
    taken = _taking().run(
        session, portal=mailing.portal_id, mailing=mailing.id, number=number, token=owner
    )
    rows = [Claimed(*(*row, owner)) for row in taken]
    return sorted(rows, key=lambda row: row.id)


@cache
def _taking() -> Prepared:
    chosen = aliased(Delivery)
    portal_id = given("portal", sa.Integer)
    first = (
        sa.select(Delivery.id)
        .where(*due(portal_id, given("mailing", sa.BigInteger)))
        .order_by(Delivery.next_try_at, Delivery.id)
        .limit(given("number", sa.BigInteger))
        .with_for_update(skip_locked=True)
        .cte("first")
        .prefix_with("MATERIALIZED")
    )
    return Prepared(
        sa.update(chosen)
        .where(chosen.portal_id == portal_id, chosen.id == first.c.id)
        .values(
            state=DeliveryState.CLAIMED.value,
            owner=given("token", UUID(as_uuid=False)),
            lease_until=sa.func.now() + LEASE,
        )
        .returning(*(getattr(chosen, name) for name in _COLUMNS))
    )


def _still_allowed(session: Session, mailing: Running, rows: Sequence[Claimed]) -> list[Claimed]:
    """Without those who must not be written to any more; who was written to often enough waits, if so planned."""
    if not rows:
        return []
    queue, mine = mailing.plan.queue_when_capped, {"token": rows[0].owner}
    gone = {row[0] for row in _skipping(mailing.terms, queue).run(session, **mine)}
    if queue and mailing.terms.limits.caps:
        gone |= {row[0] for row in _putting_off(mailing.terms).run(session, **mine)}
    return [row for row in rows if row.id not in gone]


@lru_cache(maxsize=256)
def _skipping(terms: Terms, queue: bool) -> Prepared:
    who = eligibility.of_delivery(terms, Delivery)
    reason = eligibility.skip_reason(terms, who, queue=queue)
    skipped = {"state": DeliveryState.SKIPPED.value, "reason": reason}
    return Prepared(
        sa.update(Delivery)
        .where(*_of_claim(terms), reason.is_not(None))
        .values(**skipped, owner=None, lease_until=None)
        .returning(Delivery.id)
    )


@lru_cache(maxsize=256)
def _putting_off(terms: Terms) -> Prepared:
    free = eligibility.free_at(terms, Delivery)
    again = {"state": DeliveryState.PENDING.value, "next_try_at": free}
    return Prepared(
        sa.update(Delivery)
        .where(*_of_claim(terms), free.is_not(None))
        .values(**again, owner=None, lease_until=None)
        .returning(Delivery.id)
    )


def _of_claim(terms: Terms) -> tuple[sa.ColumnElement[bool], ...]:
    """A claim's token is in few rows, and all of them are leased: so the index of leases finds them."""
    return (
        Delivery.portal_id == terms.portal_id,
        Delivery.owner == given("token", UUID(as_uuid=False)),
        Delivery.state == DeliveryState.CLAIMED.value,
        Delivery.state.in_([DeliveryState.CLAIMED.value, DeliveryState.SENDING.value]),
    )


def _ours(portal_id: int, owner: str, ids: Iterable[int]) -> sa.Update:
    return (
        sa.update(Delivery)
        .where(
            Delivery.portal_id == portal_id,
            Delivery.id == any_of(ids),
            Delivery.owner == owner,
            Delivery.state == DeliveryState.CLAIMED.value,
        )
        .execution_options(synchronize_session=False)
    )


def _closed(
    session: Session, mailing: Running, window: hours.Window, rows: Sequence[Claimed], now: datetime
) -> dict[int, datetime]:
    """Recipients whose own clock says no, with the moment at which it says yes; too late ones are skipped."""
    zones = _zones(session, mailing, rows)
    openings = {row.id: window.opening(now, zones[row.id]) for row in rows}
    late = [row for row in rows if hours.too_late(mailing.plan, openings[row.id])]
    if late:
        too_late = {"state": DeliveryState.SKIPPED.value, "reason": SkipReason.TOO_LATE.value}
        query = _ours(mailing.portal_id, late[0].owner, [row.id for row in late])
        session.execute(query.values(**too_late, owner=None, lease_until=None))
    return {number: opening for number, opening in openings.items() if opening > now}


def _zones(session: Session, mailing: Running, rows: Sequence[Claimed]) -> dict[int, tzinfo]:
    """By the first phone of each client that says where he is; else the portal's clock."""
    clients = {(row.kind, row.client_id) for row in rows}
    query = sa.select(Address.entity, Address.entity_id, Address.normalised).where(
        Address.portal_id == mailing.portal_id,
        sa.tuple_(Address.entity, Address.entity_id).in_(clients),
        Address.kind == AddressKind.PHONE.value,
        Address.normalised.is_not(None),
    )
    found: dict[tuple[str, int], tzinfo] = {}
    for entity, client_id, phone in session.execute(query.order_by(Address.position)):
        zone = hours.zone_of_phone(phone)
        if zone is not None:
            found.setdefault((entity, client_id), zone)
    portal = hours.portal_zone(mailing.utc_offset_minutes)
    return {row.id: found.get((row.kind, row.client_id), portal) for row in rows}


def _within(
    held: pacing.Held, server_id: int, rows: Sequence[Claimed], now: datetime
) -> tuple[list[Claimed], dict[int, datetime]]:
    """Those whose mail service can take them now, and when it can take the others."""
    used: Counter[str] = Counter()
    kept, pushed = [], {}
    for row in rows:
        key = f"server:{server_id}:{row.group_key}"
        limit = held.limits.get(key)
        used[key] += 1
        if limit is None or limit.per_minute is None or used[key] <= held.left(key):
            kept.append(row)
            continue
        wait = pace.until_next(held.levels[key], limit.per_minute, used[key])
        pushed[row.id] = now + min(wait, _PUSHED_AT_MOST)
    return kept, pushed


def _let_go(
    session: Session, mailing: Running, rows: Sequence[Claimed], later: Mapping[int, datetime]
) -> None:
    """Back to the queue: at the moment given, or at once."""
    if not rows:
        return
    again = as_rows({"id": row.id, "at": later.get(row.id)} for row in rows)
    _letting_go().run(session, rows=again, portal=mailing.portal_id, token=rows[0].owner)


@cache
def _letting_go() -> Prepared:
    incoming = rows_of("incoming", id=sa.BigInteger(), at=sa.DateTime(timezone=True))
    return Prepared(
        sa.update(Delivery)
        .where(
            Delivery.portal_id == given("portal", sa.Integer),
            Delivery.id == incoming.c.id,
            Delivery.owner == given("token", UUID(as_uuid=False)),
            Delivery.state == DeliveryState.CLAIMED.value,
        )
        .values(
            state=DeliveryState.PENDING.value,
            next_try_at=sa.func.coalesce(incoming.c.at, Delivery.next_try_at),
            owner=None,
            lease_until=None,
        )
    )


def _skip_the_rest(session: Session, mailing: Running) -> None:
    session.execute(
        sa.update(Delivery)
        .where(
            Delivery.portal_id == mailing.portal_id,
            Delivery.mailing_id == mailing.id,
            Delivery.state.in_(DUE),
        )
        .values(state=DeliveryState.SKIPPED.value, reason=SkipReason.TOO_LATE.value)
        .execution_options(synchronize_session=False)
    )
