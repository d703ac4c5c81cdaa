"""Leads and deals that followed a mailing: what each is, where it stands and whose it is, now.

The mirror knows them all; status and owner are asked of the portal itself when it answers at once, because who looks at
the result of a mailing wants to know what has become of the requests since.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import ServiceError
from core.runtime import Runtime
from integration.bitrix.batch import Command
from integration.bitrix.budgets import Priority
from integration.connect import connect
from integration.mirror import Deal, Lead, PortalUser, Status
from integration.models import Portal, PortalState
from mailings.models import Attribution, Delivery
from segments import audience
from segments.audience import Member
from segments.rules.tree import Kind

log = logging.getLogger(__name__)

_PATIENCE = 3.0
TABLES: dict[str, Any] = {"lead": Lead, "deal": Deal}
_LISTED = {
    "lead": ("crm.lead.list", "STATUS_ID", "STATUS_SEMANTIC_ID"),
    "deal": ("crm.deal.list", "STAGE_ID", "STAGE_SEMANTIC_ID"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """A lead or deal that followed. `semantic`: S won, F lost, else under way; `live`: as the portal says now."""

    entity: str
    id: int
    title: str
    stage_id: str | None
    stage: str
    semantic: str | None
    owner_id: int | None
    owner: str
    client: Member
    delivery_id: int
    touch: str
    touched_at: datetime
    happened_at: datetime
    sold_on: date | None
    amount: Decimal | None
    margin: Decimal | None
    live: bool = False

    @property
    def path(self) -> str:
        """The card on the portal."""
        return f"/crm/{self.entity}/details/{self.id}/"


def cards(session: Session, portal_id: int, credited: Sequence[Attribution]) -> list[Card]:
    """What was credited, as the mirror knows it."""
    known = {
        (entity, row.bitrix_id): row
        for entity, table in TABLES.items()
        for row in session.scalars(
            sa.select(table).where(
                table.portal_id == portal_id,
                table.bitrix_id.in_([each.bitrix_id for each in credited if each.entity == entity]),
            )
        )
    }
    clients = _clients(session, portal_id, credited)
    return _worded(
        *(session, portal_id),
        [
            _card(each, known.get((each.entity, each.bitrix_id)), client)
            for each, client in zip(credited, clients, strict=True)
        ],
    )


def live(runtime: Runtime, portal_id: int, shown: list[Card]) -> list[Card]:
    """The same with status and owner as the portal says at this moment; as they are when it doesn't answer."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    if not shown or portal.state != PortalState.ACTIVE:
        return shown
    try:
        client = connect(runtime, portal, priority=Priority.INTERACTIVE)
        client.patience = replace(
            client.patience, longest_wait=_PATIENCE, rate_limit_attempts=1, failure_attempts=1
        )
        found = client.batch(_questions(shown))
    except ServiceError as error:
        log.info("shown as mirrored", extra={"reason": type(error).__name__})
        return shown
    rows = {
        (entity, str(row.get("ID"))): row
        for entity in TABLES
        for row in found.results.get(entity) or ()
    }
    with runtime.sessions() as session:
        return _as_told(session, portal_id, shown, rows)


def _questions(cards: list[Card]) -> dict[str, Command]:
    asked: dict[str, Command] = {}
    for entity, (method, stage, semantic) in _LISTED.items():
        if ids := [card.id for card in cards if card.entity == entity]:
            select = ["ID", "TITLE", "ASSIGNED_BY_ID", "CATEGORY_ID", stage, semantic]
            asked[entity] = method, {"filter": {"@ID": ids}, "select": select, "start": -1}
    return asked


def _as_told(
    session: Session, portal_id: int, cards: list[Card], rows: dict[tuple[str, str], dict[str, Any]]
) -> list[Card]:
    told = []
    for card in cards:
        row = rows.get((card.entity, str(card.id)))
        if row is None:
            told.append(card)
            continue
        _method, stage, semantic = _LISTED[card.entity]
        told.append(
            replace(
                card,
                title=str(row.get("TITLE") or card.title),
                stage_id=str(row.get(stage) or ""),
                stage=_dictionary(card.entity, row.get("CATEGORY_ID")),
                semantic=str(row.get(semantic) or "P"),
                owner_id=_number(row.get("ASSIGNED_BY_ID")),
                live=True,
            )
        )
    return _worded(session, portal_id, told)


def _clients(session: Session, portal_id: int, credited: Sequence[Attribution]) -> list[Member]:
    """Whose each of them is: the client the message went to."""
    query = sa.select(Delivery.id, Delivery.kind, Delivery.client_id).where(
        Delivery.portal_id == portal_id, Delivery.id.in_({each.delivery_id for each in credited})
    )
    whose = {row[0]: (Kind(row[1]), row[2]) for row in session.execute(query)}
    return audience.named(session, portal_id, [whose[each.delivery_id] for each in credited])


def _card(credit: Attribution, row: Any, client: Member) -> Card:
    return Card(
        entity=credit.entity,
        id=credit.bitrix_id,
        title=(row.title if row else None) or f"#{credit.bitrix_id}",
        stage_id=row.stage_id if row else None,
        stage=_dictionary(credit.entity, getattr(row, "pipeline_id", None)),
        semantic=row.stage_semantic if row else None,
        owner_id=row.assigned_by_id if row else None,
        owner="",
        client=client,
        delivery_id=credit.delivery_id,
        touch=credit.touch,
        touched_at=credit.touched_at,
        happened_at=credit.happened_at,
        sold_on=credit.sold_on,
        amount=credit.amount,
        margin=credit.margin,
    )


def _dictionary(entity: str, pipeline: Any) -> str:
    """In which dictionary of the portal the names of its stages are."""
    if entity == "lead":
        return "STATUS"
    return f"DEAL_STAGE_{pipeline}" if _number(pipeline) else "DEAL_STAGE"


def _worded(session: Session, portal_id: int, cards: list[Card]) -> list[Card]:
    """Names in place of the dictionary and the employee's number."""
    stages = sa.select(Status.dictionary, Status.status_id, Status.name).where(
        Status.portal_id == portal_id, Status.status_id.in_({card.stage_id or "" for card in cards})
    )
    names = {(row[0], row[1]): row[2] for row in session.execute(stages)}
    owners = sa.select(PortalUser.bitrix_id, PortalUser.name).where(
        PortalUser.portal_id == portal_id,
        PortalUser.bitrix_id.in_({card.owner_id or 0 for card in cards}),
    )
    people = {row[0]: row[1] for row in session.execute(owners)}
    return [
        replace(
            card,
            stage=names.get((card.stage, card.stage_id or "")) or card.stage_id or "",
            owner=people.get(card.owner_id or 0) or "",
        )
        for card in cards
    ]


def _number(value: Any) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() else None
