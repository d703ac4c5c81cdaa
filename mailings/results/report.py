"""What a mailing came to: how many stand where and why, what people did, what it earned and cost.

Everything is counted from the deliveries themselves, so the figures can't drift from what is shown below them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.models import Portal
from mailings.models import Attribution, Delivery, DeliveryEvent, Mailing
from mailings.results.recipients import NOT_OPENED
from mailings.rules import rates as arithmetic
from mailings.rules.events import EventKind
from mailings.rules.rates import Counts, Rates
from mailings.rules.states import ChannelKey, DeliveryState


class NoRoi(StrEnum):
    """Why there is no return on investment."""

    NO_COST = "no_cost"
    NO_MARGIN = "no_margin"


@dataclass(frozen=True, slots=True)
class Part:
    """So many deliveries stand in this state for this reason."""

    state: DeliveryState
    reason: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Earned:
    """What followed. `margin` is of the `costed` sales; None where the portal counts none."""

    leads: int = 0
    deals: int = 0
    sales: int = 0
    revenue: Decimal = Decimal(0)
    margin: Decimal | None = None
    costed: int = 0
    clients: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it. `people` leaves programs out, `everybody` counts them too. `tracked`: opens and clicks are seen.

    `not_opened`: who could be written to once more (`recipients.NOT_OPENED`).
    """

    parts: tuple[Part, ...]
    people: Counts
    everybody: Counts
    earned: Earned
    cost: Decimal
    currency: str
    tracked: bool
    called: int = 0
    not_opened: int = 0

    def number(self, *states: DeliveryState) -> int:
        """How many stand in these states."""
        return sum(part.number for part in self.parts if part.state in states)

    @property
    def audience(self) -> int:
        """All clients of the audience, whatever became of them."""
        return sum(part.number for part in self.parts)

    @property
    def open(self) -> int:
        """How many are still to be sent."""
        return sum(part.number for part in self.parts if part.state.open)

    @property
    def done(self) -> int:
        """How many are through, one way or another."""
        return self.audience - self.open

    @property
    def attempted(self) -> int:
        """Tried, with an outcome."""
        return self.people.attempted

    @property
    def sent(self) -> int:
        """Taken, and not returned."""
        return self.people.sent

    @property
    def errors(self) -> int:
        """Refused or returned."""
        return self.people.errors

    @property
    def opened(self) -> int:
        """People who opened."""
        return self.people.opened

    @property
    def clicked(self) -> int:
        """People who followed a link."""
        return self.people.clicked

    @property
    def rates(self) -> Rates:
        """Shares of people."""
        return arithmetic.rates(self.people)

    @property
    def open_rate(self) -> float | None:
        """Of those it was sent to."""
        return self.rates.opened

    @property
    def click_rate(self) -> float | None:
        """Of those it was sent to."""
        return self.rates.clicked

    @property
    def called_rate(self) -> float | None:
        """Of the to-dos that were made."""
        return arithmetic.share(self.called, self.sent)

    @property
    def roi(self) -> Decimal | None:
        """Gain per unit of money spent; None for the reason `no_roi` names."""
        if self.earned.margin is None:
            return None
        return arithmetic.roi(self.earned.margin, self.cost)

    @property
    def no_roi(self) -> NoRoi | None:
        """Why there is no return on investment, if there is none."""
        if self.earned.margin is None:
            return NoRoi.NO_MARGIN
        return NoRoi.NO_COST if self.cost <= 0 else None


def figures(session: Session, mailing: Mailing) -> Figures:
    """The figures as they stand."""
    row = Delivery
    marks = (
        *(row.opened_at, row.human_opened_at, row.clicked_at, row.human_clicked_at),
        *(row.replied_at, row.unsubscribed_at, row.complained_at),
    )
    counts = (sa.func.count(), sa.func.count().filter(NOT_OPENED), *map(sa.func.count, marks))
    what: list[Any] = [row.state, row.reason, *counts]
    query = (
        sa.select(*what)
        .where(row.portal_id == mailing.portal_id, row.mailing_id == mailing.id)
        .group_by(row.state, row.reason)
        .order_by(row.state, row.reason)
    )
    found = session.execute(query).all()
    parts = tuple(Part(DeliveryState(each[0]), each[1], each[2]) for each in found)
    not_opened, *sums = (
        sum(int(each[column]) for each in found) for column in range(3, 4 + len(marks))
    )
    earned = _earned(session, mailing)
    common: dict[str, int] = {
        "attempted": sum(part.number for part in parts if part.state.attempted),
        "sent": sum(part.number for part in parts if part.state.took),
        "errors": sum(part.number for part in parts if part.state.error),
        "replied": sums[4],
        "unsubscribed": sums[5],
        "complained": sums[6],
        "converted": earned.clients,
    }
    portal = session.get_one(Portal, mailing.portal_id)
    return Figures(
        parts=parts,
        people=Counts(opened=sums[1], clicked=sums[3], **common),
        everybody=Counts(opened=sums[0], clicked=sums[2], **common),
        earned=earned,
        cost=_cost(mailing.plan, common["sent"]),
        currency=portal.base_currency or "RUB",
        tracked=mailing.channel == ChannelKey.EMAIL,
        called=_called(session, mailing) if mailing.channel == ChannelKey.CALL_LIST else 0,
        not_opened=not_opened,
    )


def _called(session: Session, mailing: Mailing) -> int:
    """How many clients were called."""
    event = DeliveryEvent
    query = sa.select(sa.func.count(event.delivery_id.distinct())).where(
        event.portal_id == mailing.portal_id,
        event.mailing_id == mailing.id,
        event.kind == EventKind.CALLED.value,
    )
    return session.scalar(query) or 0


def _earned(session: Session, mailing: Mailing) -> Earned:
    credit = Attribution
    sold = credit.sold_on.is_not(None)
    what: list[Any] = [
        sa.func.count().filter(credit.entity == "lead"),
        sa.func.count().filter(credit.entity == "deal"),
        sa.func.count().filter(sold),
        sa.func.coalesce(sa.func.sum(credit.amount).filter(sold), 0),
        sa.func.sum(credit.margin).filter(sold),
        sa.func.count(credit.margin).filter(sold),
        sa.func.count(credit.delivery_id.distinct()),
    ]
    query = sa.select(*what).where(
        credit.portal_id == mailing.portal_id, credit.mailing_id == mailing.id
    )
    return Earned(*session.execute(query).one())


def _cost(plan: dict[str, Any], sent: int) -> Decimal:
    return arithmetic.cost(
        sent, _money(plan.get("cost_per_message")), _money(plan.get("cost_of_content"))
    )


def _money(written: Any) -> Decimal:
    try:
        return Decimal(str(written or 0))
    except InvalidOperation:
        return Decimal(0)
