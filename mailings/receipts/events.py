"""Recording what came back of a delivery: the event and the delivery's first of its kind, in one statement.

An open, a click or a reply is evidence that a message of which nobody knew (`unknown`) has arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings import touching
from mailings.models import Delivery, DeliveryEvent, MailingLink
from mailings.rules.events import EventKind
from mailings.rules.robots import BURST, Ruling, Seen, ruling
from mailings.rules.states import DeliveryState

SAME_WITHIN = timedelta(seconds=2)
"""A double click, or a picture asked for twice, is one event."""

MOST = 500
"""Events kept of one delivery: enough for any reader, too few to fill a disk with."""

_LOCK_WAIT = "1s"
_FIRST = {
    EventKind.OPENED: (Delivery.opened_at, Delivery.human_opened_at),
    EventKind.CLICKED: (Delivery.clicked_at, Delivery.human_clicked_at),
    EventKind.REPLIED: (Delivery.replied_at, None),
    EventKind.BOUNCED: (Delivery.bounced_at, None),
    EventKind.COMPLAINED: (Delivery.complained_at, None),
    EventKind.UNSUBSCRIBED: (Delivery.unsubscribed_at, None),
}
_ARRIVED = {
    EventKind.OPENED,
    EventKind.CLICKED,
    EventKind.REPLIED,
    EventKind.COMPLAINED,
    EventKind.UNSUBSCRIBED,
}
_IN_FLIGHT = {DeliveryState.CLAIMED, DeliveryState.SENDING}


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a delivery; `at` None is now, by the database's clock."""

    kind: EventKind
    at: datetime | None = None
    link: int | None = None
    ruling: Ruling | None = None
    detail: dict[str, Any] | None = None

    @property
    def human(self) -> bool:
        """Whether a person did it."""
        return self.ruling is None


@dataclass(frozen=True, slots=True)
class Opening:
    """A letter was opened, or a link of it followed, by whoever calls himself `agent`."""

    kind: EventKind
    agent: str
    link: int | None = None


def storable(portal_id: int, delivery_id: int) -> bool:
    """Whether the database can have such ids; a token has room for greater ones."""
    return portal_id < 2**31 and delivery_id < 2**63


def observe(session: Session, portal_id: int, delivery_id: int, opening: Opening) -> Event | None:
    """Rule whether it was a person, and record it; None where there is no such delivery."""
    if not storable(portal_id, delivery_id):
        return None
    session.execute(sa.select(sa.func.set_config("lock_timeout", _LOCK_WAIT, True)))
    seen = _seen(session, portal_id, delivery_id, opening)
    if seen is None:
        return None
    event = Event(opening.kind, link=opening.link, ruling=ruling(seen))
    record(session, portal_id, delivery_id, event)
    if event.ruling is Ruling.ALL_LINKS:
        _rule_burst(session, portal_id, delivery_id)
    return event


def record(session: Session, portal_id: int, delivery_id: int, event: Event) -> bool:
    """Store the event; False where there is no such delivery, or just the same was stored already."""
    at = sa.func.now() if event.at is None else sa.literal(event.at, sa.DateTime(timezone=True))
    added = _added(portal_id, delivery_id, event, at).cte("added")
    change = (
        sa.update(Delivery)
        .where(
            Delivery.portal_id == portal_id,
            Delivery.id == delivery_id,
            sa.exists(sa.select(added.c.delivery_id)),
        )
        .values(**_changes(event, at))
        .add_cte(added)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    if session.execute(change).first() is None:
        return False
    touching.note_deliveries(session, portal_id, [delivery_id])
    return True


def _added(portal_id: int, delivery_id: int, event: Event, at: sa.ColumnElement[Any]) -> Any:
    past = DeliveryEvent
    own = (past.portal_id == portal_id, past.delivery_id == delivery_id)
    number = sa.select(sa.func.count()).where(*own).scalar_subquery()
    same = sa.exists().where(
        *own,
        past.kind == event.kind.value,
        past.link.is_not_distinct_from(event.link),
        past.human == event.human,
        sa.func.abs(sa.extract("epoch", past.at - at)) < SAME_WITHIN.total_seconds(),
    )
    rows = sa.select(
        Delivery.portal_id,
        Delivery.id,
        Delivery.mailing_id,
        sa.literal(event.kind.value, sa.Text),
        at,
        sa.literal(event.link, sa.SmallInteger),
        sa.literal(event.human, sa.Boolean),
        sa.literal(event.ruling.value if event.ruling else None, sa.Text),
        sa.literal(event.detail, past.detail.type),
    ).where(Delivery.portal_id == portal_id, Delivery.id == delivery_id, ~same, number < MOST)
    names = ("portal_id", "delivery_id", "mailing_id", "kind", "at", "link", "human", "ruling")
    put = sa.insert(past).from_select([*names, "detail"], rows)
    return put.returning(past.delivery_id)


def _changes(event: Event, at: sa.ColumnElement[Any]) -> dict[str, Any]:
    """What the event changes of its delivery: the first of its kind, and what it proves."""
    changed: dict[str, Any] = {}
    kinds = [event.kind]
    if event.kind is EventKind.CLICKED:
        kinds.append(EventKind.OPENED)  # whoever follows a link has the letter before him
    for kind in kinds:
        first, human = _FIRST.get(kind, (None, None))
        for column in (first, human if event.human else None):
            if column is not None:
                changed[column.key] = sa.func.least(column, at)  # LEAST passes over NULL
    if event.kind in _ARRIVED:
        arrived = Delivery.state == DeliveryState.UNKNOWN.value
        changed["state"] = sa.case((arrived, DeliveryState.SENT.value), else_=Delivery.state)
        changed["sent_at"] = sa.case(
            (arrived, sa.func.coalesce(Delivery.sent_at, at)), else_=Delivery.sent_at
        )
    if not changed:
        changed["mailing_id"] = Delivery.mailing_id
    return changed


def _seen(session: Session, portal_id: int, delivery_id: int, opening: Opening) -> Seen | None:
    """What the rules need to know, in one question."""
    event, link = DeliveryEvent, MailingLink
    links = (
        sa.select(sa.func.count())
        .where(link.portal_id == portal_id, link.mailing_id == Delivery.mailing_id)
        .scalar_subquery()
    )
    burst = (
        sa.select(sa.func.count(event.link.distinct()))
        .where(
            event.portal_id == portal_id,
            event.delivery_id == delivery_id,
            event.kind == EventKind.CLICKED.value,
            event.link != (opening.link or 0),
            event.at > sa.func.now() - BURST,
        )
        .scalar_subquery()
    )
    clicked = opening.kind is EventKind.CLICKED
    row = session.execute(
        sa.select(
            Delivery.state,
            sa.func.now() - Delivery.sent_at,
            links if clicked else sa.literal(0),
            burst if clicked else sa.literal(0),
        ).where(Delivery.portal_id == portal_id, Delivery.id == delivery_id)
    ).first()
    if row is None:
        return None
    state, after, number, others = row
    if after is None and state in _IN_FLIGHT:
        after = timedelta(0)  # the server has hardly taken it
    return Seen(opening.kind, opening.agent, after, others + clicked, number)


def _rule_burst(session: Session, portal_id: int, delivery_id: int) -> None:
    """The clicks just before the one that gave the program away were its too."""
    event = DeliveryEvent
    own = (event.portal_id == portal_id, event.delivery_id == delivery_id)
    session.execute(
        sa.update(event)
        .where(
            *own,
            event.kind == EventKind.CLICKED.value,
            event.human,
            event.at > sa.func.now() - BURST,
        )
        .values(human=False, ruling=Ruling.ALL_LINKS.value)
        .execution_options(synchronize_session=False)
    )

    def first(*kinds: EventKind) -> sa.ScalarSelect[Any]:
        return (
            sa.select(sa.func.min(event.at))
            .where(*own, event.human, event.kind.in_([kind.value for kind in kinds]))
            .scalar_subquery()
        )

    session.execute(
        sa.update(Delivery)
        .where(Delivery.portal_id == portal_id, Delivery.id == delivery_id)
        .values(
            human_clicked_at=first(EventKind.CLICKED),
            human_opened_at=first(EventKind.CLICKED, EventKind.OPENED),
        )
        .execution_options(synchronize_session=False)
    )
