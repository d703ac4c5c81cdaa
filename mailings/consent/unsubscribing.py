"""What a recipient asks by the link of a letter: no more at all, no more of some topics, or a rest.

It only ever takes permission away, so a forwarded letter can do no harm that its reader did not ask for. It is
the same however often it is repeated, and works after the card is gone: the delivery keeps the address, and an
erased one is suppressed by its hash already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.consent import ledger, suppressions, topics
from mailings.consent.ledger import Line
from mailings.models import Delivery, Mailing
from mailings.permissions import Suppression, Topic
from mailings.rules.consents import Reason

REST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Letter:
    """The delivery a link belongs to: whose portal, about what, to whom; `language` of the portal."""

    portal_id: int
    delivery_id: int
    mailing_id: int
    channel: str
    topic: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """How a wish came, for the proof."""

    source: str
    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a recipient gets now: nothing, nothing for a while, or these topics."""

    stopped: bool
    resting: bool
    topics: tuple[tuple[Topic, bool], ...]


def letter_of(session: Session, portal_id: int, delivery_id: int) -> Letter | None:
    """The letter; None when there is no such delivery any more."""
    query = (
        sa.select(Delivery.mailing_id, Delivery.channel, Mailing.topic, Delivery.address)
        .join(
            Mailing,
            sa.and_(Mailing.portal_id == Delivery.portal_id, Mailing.id == Delivery.mailing_id),
        )
        .where(Delivery.portal_id == portal_id, Delivery.id == delivery_id)
    )
    row = session.execute(query).first()
    return None if row is None else Letter(portal_id, delivery_id, *row)


def standing(session: Session, letter: Letter) -> Standing:
    """What the page shows."""
    found = topics.listed(session, letter.portal_id)
    if letter.address is None:
        return Standing(True, False, ())
    reason = _in_force(session, letter, letter.address)
    gets = []
    for topic in found:
        said = ledger.stands(session, letter.portal_id, letter.channel, topic.key, letter.address)
        gets.append((topic, said is None or said.given))
    resting = reason == Reason.PAUSED
    return Standing(reason is not None and not resting, resting, tuple(gets))


def stop(session: Session, letter: Letter, trace: Trace) -> bool:
    """No more of anything on this channel; whether that is news."""
    if letter.address is None:
        return False
    if _in_force(session, letter, letter.address) == Reason.UNSUBSCRIBED:
        return False
    _suppress(session, letter, letter.address, Reason.UNSUBSCRIBED, trace)
    every = {letter.topic, *topics.known(session, letter.portal_id)}
    _refuse(session, letter, letter.address, every, trace)
    return True


def leave(session: Session, letter: Letter, keys: Iterable[str], trace: Trace) -> bool:
    """No more of these topics; whether that is news."""
    if letter.address is None:
        return False
    wanted = set(keys) & (topics.known(session, letter.portal_id) | {letter.topic})
    return _refuse(session, letter, letter.address, wanted, trace) > 0


def rest(session: Session, letter: Letter, trace: Trace) -> None:
    """Nothing for thirty days."""
    if letter.address is not None:
        _suppress(session, letter, letter.address, Reason.PAUSED, trace)


def _suppress(session: Session, letter: Letter, address: str, reason: Reason, trace: Trace) -> None:
    suppressions.suppress(
        *(session, letter.portal_id, letter.channel, address, reason),
        source=trace.source,
        mailing_id=letter.mailing_id,
        until=utcnow() + REST if reason is Reason.PAUSED else None,
    )


def _refuse(
    session: Session, letter: Letter, address: str, keys: Iterable[str], trace: Trace
) -> int:
    """A line for each topic that was not refused already."""
    now = utcnow()
    lines = []
    for key in sorted(keys):
        said = ledger.stands(session, letter.portal_id, letter.channel, key, address)
        if said is None or said.given:
            lines.append(
                Line(
                    letter.channel, address, False, trace.source, now, key,
                    ip=trace.ip, user_agent=trace.user_agent,
                    proof=f"delivery {letter.delivery_id} of mailing {letter.mailing_id}",
                )
            )  # fmt: skip
    return ledger.record_all(session, letter.portal_id, lines)


def _in_force(session: Session, letter: Letter, address: str) -> Reason | None:
    found: Suppression | None = suppressions.of(session, letter.portal_id, letter.channel, address)
    if found is None or (found.until is not None and found.until <= utcnow()):
        return None
    return Reason(found.reason)
