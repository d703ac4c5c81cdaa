"""Whether a client may be written to, and if not, why: one SQL CASE for preview, planning and the gate.

Preview groups by it, planning stores it, the sender asks it again right before the last word to the provider.
What it needs to know of a client comes as columns, `Who`: planning finds them for a whole audience at once
(`mailings.planning.recipients`), the gate for single deliveries, by their address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from mailings.consent import settings
from mailings.consent.hashing import hashed
from mailings.consent.suppressions import in_force
from mailings.models import Delivery, Mailing
from mailings.permissions import Consent, ErasedClient, Suppression
from mailings.planning.capping import Limits
from mailings.rules.caps import counting
from mailings.rules.consents import Basis, Reason
from mailings.rules.plans import Plan, moment
from mailings.rules.states import SkipReason

Expression = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a mailing is judged by: its channel and topic, the portal's basis, the caps it has to keep."""

    portal_id: int
    mailing_id: int
    channel: str
    topic: str
    basis: Basis
    limits: Limits
    not_after: datetime | None = None

    @property
    def needs_yes(self) -> frozenset[str]:
        """Kinds of cards that are written to only after a yes."""
        return self.basis.needs_yes(self.channel)


@dataclass(frozen=True, slots=True)
class Who:
    """A client as columns. Consent and suppression are those of his card, the strictest counts."""

    kind: Expression
    client_id: Expression
    erased: Expression
    has_address: Expression
    address: Expression
    duplicate: Expression
    consented: Expression
    withdrawn: Expression
    suppressed: Expression
    paused: Expression


def terms_of(session: Session, mailing: Mailing) -> Terms:
    """The terms of a mailing, by the portal's rules in force."""
    rules = settings.rules_of(session, mailing.portal_id)
    plan = Plan.read(mailing.plan or {})
    caps = () if plan.exempt_from_caps else counting(rules.caps, mailing.channel)
    return Terms(
        portal_id=mailing.portal_id,
        mailing_id=mailing.id or 0,
        channel=mailing.channel,
        topic=mailing.topic or "offers",
        basis=rules.basis,
        limits=Limits(mailing.portal_id, caps, rules.exempt_segments),
        not_after=moment("not_after", plan.not_after) if plan.not_after else None,
    )


def skip_reason(terms: Terms, who: Who, *, queue: bool = False) -> Expression:
    """Why the client gets no message, by the order of SkipReason; NULL: nothing speaks against it.

    `queue`: whoever was written to often enough waits instead of being left out.
    """
    capped = () if queue else ((terms.limits.reached(who.kind, who.client_id), SkipReason.CAPPED),)
    return sa.case(
        (who.erased, SkipReason.GONE.value),
        (sa.not_(who.has_address), SkipReason.NO_ADDRESS.value),
        (who.address.is_(None), SkipReason.INVALID_ADDRESS.value),
        (who.duplicate, SkipReason.DUPLICATE_ADDRESS.value),
        *_consent(terms, who),
        (who.suppressed, SkipReason.SUPPRESSED.value),
        (who.paused, SkipReason.PAUSED.value),
        *((condition, reason.value) for condition, reason in capped),
        (_late(terms), SkipReason.TOO_LATE.value),
        else_=sa.null(),
    )


BUSY = timedelta(seconds=3)
"""So long a message waits whose client another mailing is just writing to, where the portal has caps."""


def still_allowed(terms: Terms, delivery: Any = Delivery) -> Expression:
    """For the gate: nothing speaks against this row of `deliveries` now, and no other mailing is at its client."""
    return sa.and_(refusal(terms, delivery).is_(None), sa.not_(_busy(terms, delivery)))


def refusal(terms: Terms, delivery: Any = Delivery) -> Expression:
    """For the gate: the reason, or NULL."""
    return skip_reason(terms, of_delivery(terms, delivery))


def free_at(terms: Terms, delivery: Any = Delivery) -> Expression:
    """When the caps let this row of `deliveries` go: NULL means now."""
    return terms.limits.free_at(delivery.kind, delivery.client_id)


def put_off_till(terms: Terms, delivery: Any = Delivery, *, queue: bool) -> Expression:
    """For the gate: when a row that was not let through may come again; NULL: whenever it likes."""
    if not terms.limits.caps:
        return sa.null()
    soon = sa.case((_busy(terms, delivery), sa.func.now() + BUSY))
    return sa.func.coalesce(free_at(terms, delivery), soon) if queue else soon


def alone_at_the_gate(terms: Terms) -> bool:
    """Whether gates of this mailing's portal must take turns: else two of them would not see each other."""
    return bool(terms.limits.caps)


def _busy(terms: Terms, delivery: Any) -> Expression:
    return terms.limits.busy(terms.mailing_id, delivery.client_id)


def of_delivery(terms: Terms, delivery: Any) -> Who:
    """What is known of a delivery's client now, by the address it goes to."""
    suppression, consent = aliased(Suppression), aliased(Consent)
    address_hash = hashed(terms.portal_id, delivery.address)
    on_record = [
        suppression.portal_id == terms.portal_id,
        suppression.channel == terms.channel,
        suppression.address_hash == address_hash,
        in_force(suppression),
    ]
    said = [
        consent.portal_id == terms.portal_id,
        consent.channel == terms.channel,
        consent.topic == terms.topic,
        consent.address_hash == address_hash,
    ]
    return Who(
        kind=delivery.kind,
        client_id=delivery.client_id,
        erased=is_erased(terms.portal_id, delivery.kind, delivery.client_id),
        has_address=delivery.address.is_not(None),
        address=delivery.address,
        duplicate=sa.false(),
        consented=sa.exists().where(*said, consent.given),
        withdrawn=sa.exists().where(*said, ~consent.given),
        suppressed=sa.exists().where(*on_record, suppression.reason != Reason.PAUSED.value),
        paused=sa.exists().where(*on_record, suppression.reason == Reason.PAUSED.value),
    )


def is_erased(portal_id: int, kind: Expression, client_id: Expression) -> Expression:
    """The card is one of a person who had everything removed."""
    erased = aliased(ErasedClient)
    return sa.exists().where(
        erased.portal_id == portal_id, erased.kind == kind, erased.client_id == client_id
    )


def _consent(terms: Terms, who: Who) -> tuple[tuple[Expression, str], ...]:
    """A withdrawal is told as such, not as a consent nobody gave."""
    silent = sa.not_(sa.or_(who.consented, who.withdrawn))
    needed = who.kind.in_(sorted(terms.needs_yes))
    return (
        (sa.and_(needed, silent), SkipReason.NO_CONSENT.value),
        (who.withdrawn, SkipReason.WITHDRAWN.value),
    )


def _late(terms: Terms) -> Expression:
    return sa.false() if terms.not_after is None else sa.func.now() > terms.not_after
