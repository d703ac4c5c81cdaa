"""Rows of an employee's own clients: by the pause since the last sale, and by what they made of a mailing.

Both begin where little is to be read: with the cards somebody is responsible for, with the latest answers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from insights.rules.rhythm import DUE, REST_DAYS
from integration.mirror import Company, Contact, Deal
from mailings.models import Delivery, Mailing
from segments.models import ClientKind, ClientMetrics
from segments.rules import lifecycle
from segments.scoring.scored import ScoreBasis

MOST = 50
ANSWERED_DAYS = 14
_LOOKED_AT = 4 * MOST
"""So many of the dearest, before those with a deal in progress are left out."""
_ANSWERED_AT = sa.func.greatest(Delivery.human_clicked_at, Delivery.replied_at)
TABLES: dict[ClientKind, Any] = {ClientKind.CONTACT: Contact, ClientKind.COMPANY: Company}
_DEALS_OF = {ClientKind.CONTACT: Deal.contact_id, ClientKind.COMPANY: Deal.company_id}


class Occasion(StrEnum):
    """Why it is time; each is a list of its own."""

    DUE = "due"
    SILENT = "silent"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose clients, and when. `among`: only these of each kind; None: all."""

    portal_id: int
    user_id: int
    now: datetime
    today: date
    among: Mapping[ClientKind, list[int]] | None = None

    def may_see_any(self, kind: ClientKind) -> bool:
        """Whether there is anything to look for."""
        return self.among is None or bool(self.among[kind])

    def own(self, kind: ClientKind) -> list[Any]:
        """Living cards of the kind that he is responsible for."""
        card = TABLES[kind]
        found = [
            card.portal_id == self.portal_id,
            card.assigned_by_id == self.user_id,
            card.deleted_at.is_(None),
        ]
        if kind is ClientKind.COMPANY:
            found.append(~card.is_my_company)
        return [*found, *self.known(kind, card.bitrix_id)]

    def known(self, kind: ClientKind, client_id: Any) -> list[Any]:
        """That the client is one of those."""
        return [] if self.among is None else [client_id == any_of(self.among[kind])]


def pauses(
    session: Session, reader: Reader, kind: ClientKind, wanted: Collection[Occasion]
) -> sa.CompoundSelect[Any]:
    """Buyers by the pause since the last sale: the dearest of each occasion wanted.

    All of them are looked at once: who is due and who is silent are told from the same rows.
    """
    card, worth = TABLES[kind], ClientMetrics
    columns = (worth.client_id, worth.ltv, worth.sales, worth.last_sale_on, worth.mean_gap_days)
    bought = (
        sa.select(*columns)
        .join(card, card.bitrix_id == worth.client_id)
        .where(worth.portal_id == reader.portal_id, worth.kind == kind.value, *reader.own(kind))
        .cte("bought")
        .prefix_with("MATERIALIZED")
    )
    parts = []
    for occasion, condition in conditions(session, reader, kind, bought.c).items():
        if occasion in wanted:
            parts.append(_dearest(reader, kind, occasion, sa.select(bought).where(condition)))
    return sa.union_all(*parts)


def answers(reader: Reader, kind: ClientKind) -> sa.Select[Any]:
    """Links followed and letters replied to of late, the newest first."""
    card, row, worth = TABLES[kind], Delivery, ClientMetrics
    latest = (
        sa.select(row.client_id, row.mailing_id, row.replied_at, _ANSWERED_AT.label("answered_at"))
        .join(card, card.bitrix_id == row.client_id)
        .where(*_of_late(reader, kind), *reader.own(kind), *reader.known(kind, row.client_id))
        .order_by(_ANSWERED_AT.desc())
        .limit(2 * MOST)
        .subquery("latest")
    )
    found = latest.c
    named = sa.and_(Mailing.portal_id == reader.portal_id, Mailing.id == found.mailing_id)
    bought = sa.and_(
        worth.portal_id == reader.portal_id,
        worth.kind == kind.value,
        worth.client_id == found.client_id,
    )
    columns: list[Any] = [
        sa.literal(Occasion.ANSWERED.value).label("occasion"),
        sa.extract("epoch", found.answered_at).label("rank"),
        *latest.c,
        Mailing.name.label("mailing"),
        sa.func.coalesce(worth.ltv, 0).label("ltv"),
        worth.last_sale_on,
        worth.mean_gap_days,
    ]
    return sa.select(*columns).join(Mailing, named).outerjoin(worth, bought)


def conditions(
    session: Session, reader: Reader, kind: ClientKind, buyer: Any
) -> dict[Occasion, sa.ColumnElement[bool]]:
    """What is asked of a buyer's pause.

    Due: the usual one is nearly over, or the second purchase is overdue. Silent: asleep or lost.
    """
    edges = _edges(session, reader, kind)
    asleep = buyer.last_sale_on < _days_ago(reader, edges.sleeping)
    idle = sa.literal(reader.today, sa.Date) - buyer.last_sale_on
    by_habit = sa.and_(
        buyer.mean_gap_days >= 1,
        idle >= sa.func.greatest(DUE * buyer.mean_gap_days, REST_DAYS),
    )
    second = sa.and_(buyer.sales == 1, buyer.last_sale_on < _days_ago(reader, edges.cooling))
    return {
        Occasion.DUE: sa.and_(~asleep, sa.or_(by_habit, second)),
        Occasion.SILENT: asleep,
    }


def in_progress(reader: Reader, kind: ClientKind, client_id: Any) -> sa.ColumnElement[bool]:
    """Whether the client of this column has a deal in progress."""
    return sa.exists().where(
        Deal.portal_id == reader.portal_id,
        _DEALS_OF[kind] == client_id,
        Deal.stage_semantic == "P",
        Deal.deleted_at.is_(None),
        ~Deal.is_recurring,
    )


def answered(reader: Reader, kind: ClientKind) -> sa.Select[Any]:
    """The numbers of all who answered of late."""
    return sa.select(Delivery.client_id).where(*_of_late(reader, kind))


def _of_late(reader: Reader, kind: ClientKind) -> list[sa.ColumnElement[bool]]:
    row = Delivery
    return [
        row.portal_id == reader.portal_id,
        row.kind == kind.value,
        sa.or_(row.human_clicked_at.is_not(None), row.replied_at.is_not(None)),
        reader.now - timedelta(days=ANSWERED_DAYS) <= _ANSWERED_AT,
    ]


def _dearest(
    reader: Reader, kind: ClientKind, occasion: Occasion, buyers: sa.Select[Any]
) -> sa.Select[Any]:
    """Those with the highest LTV; whoever has a deal in progress is being spoken to already."""
    found = buyers.subquery()
    first = (found.c.ltv.desc(), found.c.client_id)
    dearest = sa.select(found).order_by(*first).limit(_LOOKED_AT).subquery()
    columns: list[Any] = [
        sa.literal(occasion.value).label("occasion"),
        dearest.c.ltv.label("rank"),
        *dearest.c,
    ]
    return sa.select(*columns).where(~in_progress(reader, kind, dearest.c.client_id))


def _edges(session: Session, reader: Reader, kind: ClientKind) -> lifecycle.Edges:
    basis = session.get(ScoreBasis, (reader.portal_id, kind.value))
    return lifecycle.Edges(*basis.stages) if basis else lifecycle.FALLBACK


def _days_ago(reader: Reader, days: int) -> date:
    return reader.today - timedelta(days=days)
