"""Who of an audience gets the message, and where the others are lost: step by step, with the people behind each.

Before the launch it is found by the very select planning writes down; afterwards it is read from the deliveries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Delivery, Mailing
from mailings.planning import plan, recipients
from mailings.rules.states import DeliveryState, SkipReason
from segments import audience
from segments.rules.tree import Kind

PATIENCE_MS = 30_000
PAGE = 50
MATCHED, HELD, LEFT, WAITING = "matched", "held", "left", "waiting"


@dataclass(frozen=True, slots=True)
class Step:
    """A reason, how many it takes away, and how many are left after it."""

    key: str
    lost: int
    left: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """`matched` clients, the steps that take some away, and who `gets` it.

    `waiting`: of those who get it, how many later, when a cap lets them.
    """

    matched: int
    steps: tuple[Step, ...]
    gets: int
    waiting: int = 0

    def __iter__(self) -> Iterator[Step]:
        """The steps."""
        return iter(self.steps)

    def lost(self, key: str) -> int:
        """How many a step takes away."""
        return next((step.lost for step in self.steps if step.key == key), 0)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody behind a step."""

    kind: Kind
    id: int
    name: str
    address: str | None

    @property
    def path(self) -> str:
        """The card on the portal."""
        return f"/crm/{self.kind}/details/{self.id}/"


def preview(session: Session, portal_id: int, mailing: Mailing) -> Waterfall:
    """The waterfall of a mailing, stored or not. Raises NoAudience, NoSuchSegment, Unready, InvalidCondition.

    Of a launched one it tells what was written down, whatever the segment selects now.
    """
    rows = _rows(session, portal_id, mailing)
    later = rows.c.next_try_at > sa.func.now()
    numbers = sa.select(
        rows.c.state, rows.c.reason, sa.func.count(), sa.func.count().filter(later)
    ).group_by(rows.c.state, rows.c.reason)
    with audience.patient(session, PATIENCE_MS):
        found = session.execute(numbers).all()
    lost: dict[str, int] = {}
    gets = waiting = 0
    for state, reason, number, late in found:
        if state in {DeliveryState.SKIPPED.value, DeliveryState.HELD.value}:
            key = HELD if state == DeliveryState.HELD.value else reason
            lost[key] = lost.get(key, 0) + number
        else:
            gets, waiting = gets + number, waiting + late
    return _poured(lost, gets, 0 if mailing.planned_at else waiting)


def people(
    session: Session, portal_id: int, mailing: Mailing, key: str, *, page: int = 1
) -> list[Person]:
    """A page of the people behind a step (its key), all who `matched`, who is `left`, or `waiting`."""
    rows = _rows(session, portal_id, mailing)
    query = sa.select(rows.c.kind, rows.c.client_id, rows.c.address).where(*_behind(rows, key))
    query = query.order_by(recipients.in_order(rows)).limit(PAGE).offset((page - 1) * PAGE)
    with audience.patient(session, PATIENCE_MS):
        found = session.execute(query).all()
    cards = [(Kind(kind), number) for kind, number, _ in found]
    named = audience.named(session, portal_id, cards)
    return [
        Person(member.kind, member.id, member.name, row.address)
        for member, row in zip(named, found, strict=True)
    ]


def _rows(session: Session, portal_id: int, mailing: Mailing) -> Any:
    if mailing.portal_id != portal_id:
        raise LookupError("a mailing of another portal")
    if mailing.planned_at is None:
        return recipients.planned(*plan.asked(session, mailing))
    return (
        sa.select(Delivery)
        .where(Delivery.portal_id == portal_id, Delivery.mailing_id == mailing.id)
        .subquery("planned")
    )


def _behind(rows: Any, key: str) -> list[Any]:
    skipped = rows.c.state == DeliveryState.SKIPPED.value
    held = rows.c.state == DeliveryState.HELD.value
    match key:
        case "matched":
            return []
        case "held":
            return [held]
        case "left":
            return [~skipped, ~held]
        case "waiting":
            return [~skipped, ~held, rows.c.next_try_at > sa.func.now()]
        case _:
            return [skipped, rows.c.reason == SkipReason(key).value]


def _poured(lost: dict[str, int], gets: int, waiting: int) -> Waterfall:
    """The steps in the order the reasons are looked at; the control group is drawn from the rest."""
    order = [reason.value for reason in SkipReason]
    at = order.index(SkipReason.NO_CODE.value)
    order = [*order[:at], *order[at + 1 :], HELD, SkipReason.NO_CODE.value]
    matched = left = gets + sum(lost.values())
    steps = []
    for key in order:
        left -= lost.get(key, 0)
        steps.append(Step(key, lost.get(key, 0), left))
    return Waterfall(matched, tuple(steps), gets, waiting)
