"""The portal's caps as SQL: whether a client was written to often enough lately, and until when.

A cap of n messages is reached while the nth newest one is still inside its window; it is free again when that one
leaves it. Messages that count are those that were sent, on the cap's channel or on any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from mailings.models import Delivery, Mailing
from mailings.rules.caps import Cap
from mailings.rules.plans import Plan
from mailings.rules.states import OPEN, DeliveryState, MailingState
from segments.saved import SegmentStay

Expression = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Promised:
    """Another mailing on its way whose open messages go before this one's."""

    mailing_id: int
    channel: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The caps a message has to keep, who is exempt, and which mailings take their share first."""

    portal_id: int
    caps: tuple[Cap, ...] = ()
    exempt_segments: tuple[int, ...] = ()
    promised: tuple[Promised, ...] = ()

    def reached(self, kind: Expression, client_id: Expression) -> Expression:
        """Whether this client may not be written to now."""
        return sa.false() if not self.caps else self.free_at(kind, client_id).is_not(None)

    def free_at(self, kind: Expression, client_id: Expression) -> Expression:
        """When he may be written to again; NULL: now."""
        if not self.caps:
            return sa.null()
        moments = [self._free_at(cap, kind, client_id) for cap in self.caps]
        latest = sa.func.greatest(*moments, type_=sa.DateTime(timezone=True))
        if not self.exempt_segments:
            return latest
        return sa.case((self._exempt(kind, client_id), sa.null()), else_=latest)

    def busy(self, mailing_id: int, client_id: Expression) -> Expression:
        """Whether another mailing is saying its last word to this client now: it will count when it has ended.

        Few messages are under way at a time, so they are listed once a statement, for whichever clients it asks. Cards
        of two kinds with one number are not told apart: one of them waits a moment in vain.
        """
        if not self.caps:
            return sa.false()
        word = aliased(Delivery)
        under_way = sa.select(word.client_id).where(
            word.portal_id == self.portal_id,
            word.state.in_([DeliveryState.CLAIMED.value, DeliveryState.SENDING.value]),
            word.state == DeliveryState.SENDING.value,
            word.mailing_id != mailing_id,
        )  # said twice, as the index of leases has it
        return client_id == sa.any_(sa.func.array(under_way.scalar_subquery()))

    def _free_at(self, cap: Cap, kind: Expression, client_id: Expression) -> Expression:
        """When the window of one cap has room; NULL: it has."""
        sent, promised = aliased(Delivery), self._promised(cap, kind, client_id)
        of_client = [
            sent.portal_id == self.portal_id,
            sent.kind == kind,
            sent.client_id == client_id,
            sent.sent_at.is_not(None),
            sent.sent_at > sa.func.now() - cap.window,
        ]
        if cap.channel is not None:
            of_client.append(sent.channel == cap.channel)
        last_place: Any = cap.number - 1
        if promised is not None:
            last_place = sa.func.greatest(cap.number - 1 - promised, 0)
        edge = (
            sa.select(sent.sent_at + cap.window)
            .where(*of_client)
            .order_by(sent.sent_at.desc())
            .offset(last_place)
            .limit(1)
            .scalar_subquery()
        )
        if promised is None:
            return edge
        return sa.case((promised >= cap.number, sa.func.now() + cap.window), else_=edge)

    def _promised(self, cap: Cap, kind: Expression, client_id: Expression) -> Any:
        """How many messages other mailings are about to send him, as this cap counts."""
        ids = [m.mailing_id for m in self.promised if cap.channel in (None, m.channel)]
        if not ids:
            return None
        waiting = aliased(Delivery)
        return (
            sa.select(sa.func.count())
            .where(
                waiting.portal_id == self.portal_id,
                waiting.mailing_id.in_(ids),
                waiting.kind == kind,
                waiting.client_id == client_id,
                waiting.state.in_([state.value for state in OPEN]),
            )
            .scalar_subquery()
        )

    def _exempt(self, kind: Expression, client_id: Expression) -> Expression:
        stay = aliased(SegmentStay)
        return sa.exists().where(
            stay.portal_id == self.portal_id,
            stay.segment_id.in_(self.exempt_segments),
            stay.kind == kind,
            stay.member_id == client_id,
            stay.left_at.is_(None),
        )


def before(session: Session, mailing: Mailing, limits: Limits) -> Limits:
    """The same, with what mailings on their way of no lower priority have promised already."""
    if not limits.caps:
        return limits
    priority = Plan.read(mailing.plan or {}).priority
    query = sa.select(Mailing).where(
        Mailing.portal_id == mailing.portal_id,
        Mailing.id != (mailing.id or 0),
        Mailing.state.in_([MailingState.RUNNING.value, MailingState.PAUSED.value]),
    )
    first = tuple(
        Promised(other.id, other.channel)
        for other in session.scalars(query.order_by(Mailing.id))
        if Plan.read(other.plan or {}).priority >= priority
    )
    return replace(limits, promised=first)
