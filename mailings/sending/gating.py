"""The gate: the one durable mark without which the last word to a provider is never said.

A delivery passes when it is still the asker's, its lease lasts, its mailing runs, its portal is with us and nothing
speaks against the recipient. The mailing's row is locked against change, and withdrawals wait for the gates
under way (a trigger of migration 0013 takes the other side of the lock): what commits after a pause or a withdrawal
has seen it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session

from integration.models import Portal, PortalState
from mailings.models import Delivery, Mailing
from mailings.planning import eligibility
from mailings.planning.eligibility import Terms
from mailings.rules.states import DeliveryState, MailingState
from mailings.sending.claiming import LEASE, Claimed
from mailings.sending.prepared import Prepared, Together, as_rows, given, rows_of
from mailings.sending.running import Running

WITHDRAWALS = 0x4D47
"""The advisory lock that gates share and withdrawals have alone, by portal."""


def hold_still(
    said: Together, mailings: Iterable[tuple[int, int]], *, alone: Collection[int] = ()
) -> None:
    """Until the end of the transaction nobody withdraws anything in these mailings' portals, pauses or cancels them.

    Say it before anything is read. `alone`: portals in which this transaction withdraws something itself, or must be the
    only one at the gate.
    """
    held = set(mailings)
    for portal_id in sorted(set(alone) - {portal for portal, _ in held}):
        said.say(f"SELECT pg_advisory_xact_lock({WITHDRAWALS}, %(portal)s)", {"portal": portal_id})
    for portal_id, mailing_id in sorted(held):
        _holding(portal_id in alone).say(said, portal=portal_id, mailing=mailing_id)


@cache
def _holding(alone: bool) -> Prepared:
    """Rows are locked last of all in a statement: so whoever has the mailing's has the portal's lock."""
    portal = given("portal", sa.Integer)
    lock = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
    locked = sa.select(lock(WITHDRAWALS, portal)).subquery("locked")
    return Prepared(
        sa.select(Mailing.id)
        .select_from(sa.join(Mailing, locked, sa.true()))
        .where(Mailing.portal_id == portal, Mailing.id == given("mailing", sa.BigInteger))
        .with_for_update(read=True, of=Mailing)
    )


def let_through(
    said: Together, mailing: Running, asking: Sequence[Claimed]
) -> psycopg.Cursor[tuple[int]]:
    """Where the ids will be of those that may be sent."""
    return _passing(mailing.terms).say(said, rows=_asked(asking))


def turn_away(session: Session, mailing: Running, refused: Sequence[Claimed]) -> None:
    """Those that did not pass are given back or, for good reason, skipped."""
    if refused:
        turning = _turning_away(mailing.terms, mailing.plan.queue_when_capped)
        turning.run(session, rows=_asked(refused))


@lru_cache(maxsize=256)
def _passing(terms: Terms) -> Prepared:
    asked = rows_of("asked", **_ASKED)
    return Prepared(
        sa.update(Delivery)
        .where(
            *_ours(terms, asked),
            Delivery.mailing_id == terms.mailing_id,
            Delivery.lease_until > sa.func.now(),
            sa.exists().where(
                Mailing.portal_id == terms.portal_id,
                Mailing.id == terms.mailing_id,
                Mailing.state == MailingState.RUNNING.value,
            ),
            sa.exists().where(
                Portal.id == terms.portal_id, Portal.state == PortalState.ACTIVE.value
            ),
            eligibility.still_allowed(terms, Delivery),
        )
        .values(
            state=DeliveryState.SENDING.value,
            attempt=Delivery.attempt + 1,
            lease_until=sa.func.now() + LEASE,
        )
        .returning(Delivery.id)
    )


@lru_cache(maxsize=256)
def _turning_away(terms: Terms, queue: bool) -> Prepared:
    """Still claimed by us, and not let through: for its recipient's sake, or because of a pause."""
    asked = rows_of("asked", **_ASKED)
    who = eligibility.of_delivery(terms, Delivery)
    reason = eligibility.skip_reason(terms, who, queue=queue)
    free = eligibility.put_off_till(terms, Delivery, queue=queue)
    back = sa.case(
        (reason.is_not(None), DeliveryState.SKIPPED.value), else_=DeliveryState.PENDING.value
    )
    return Prepared(
        sa.update(Delivery)
        .where(*_ours(terms, asked))
        .values(
            state=back,
            reason=reason,
            next_try_at=sa.func.coalesce(free, Delivery.next_try_at),
            owner=None,
            lease_until=None,
        )
    )


def _ours(terms: Terms, asked: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """The state is spelt unlike in the index of leases: by that one all that is claimed would be read at each turn."""
    return (
        Delivery.portal_id == terms.portal_id,
        Delivery.id == asked.c.id,
        Delivery.owner == asked.c.owner,
        Delivery.state.concat("") == DeliveryState.CLAIMED.value,
    )


def _asked(rows: Sequence[Claimed]) -> str:
    return as_rows({"id": row.id, "owner": row.owner} for row in rows)


_ASKED: dict[str, Any] = {"id": sa.BigInteger(), "owner": UUID(as_uuid=False)}
