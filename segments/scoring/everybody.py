"""One look at everybody alive on the day of the scores: clients who are alike are counted together.

Pages draw from what comes of it and need not look at anybody (`score_bases.cells`, `group_outlooks`, `base_days`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Company, Contact
from segments.models import ClientKind, ClientMetrics
from segments.rules.lifecycle import Edges
from segments.scoring import score_sql
from segments.scoring.scored import ClientScores
from segments.worth.sales import Rule


@dataclass(frozen=True, slots=True)
class Alike:
    """Clients of the same points, group and stage of life, silent for the same number of days (None: nobody knows).

    `once`: they have bought on one day only; None: they never bought. `checks` is the sum of their average checks.
    """

    r: int | None
    f: int | None
    group: str
    stage: str | None
    once: bool | None
    silent: int | None
    clients: int
    ltv: Decimal
    checks: Decimal


Cell = tuple[int | None, int | None, str, str | None, int, str]
"""R, F, group, stage of life, the number of clients, their LTV as text."""


def look(session: Session, rule: Rule, kind: ClientKind, day: date, edges: Edges) -> list[Alike]:
    """All living cards of the kind, as segments of this day find them."""
    score, worth = ClientScores, ClientMetrics
    card: Any = Contact if kind is ClientKind.CONTACT else Company
    portal_id, offset = rule.portal_id, rule.utc_offset_minutes
    of_card = [
        sa.and_(
            table.portal_id == portal_id,
            table.kind == kind.value,
            table.client_id == card.bitrix_id,
        )
        for table in (score, worth)
    ]
    alive = [card.portal_id == portal_id, card.deleted_at.is_(None)]
    if kind is ClientKind.COMPANY:
        alive.append(~card.is_my_company)
    bought = score.client_id.is_not(None)
    idle = sa.cast(day, sa.Date) - worth.last_sale_on
    columns: tuple[Any, ...] = (
        score.r,
        score.f,
        score_sql.group(score.group_key, card.created_at, day, offset).label("group"),
        score_sql.stage(worth, score.previous_sale_on, card.created_at, day, offset, edges).label(
            "stage"
        ),
        sa.case((bought, score.previous_sale_on.is_(None))).label("once"),
        sa.case((bought, sa.case((idle < 0, 0), else_=idle))).label("silent"),
    )
    places: list[Any] = [sa.literal_column(str(number + 1)) for number in range(len(columns))]
    query = (
        sa.select(
            *columns,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(worth.ltv), 0),
            sa.func.coalesce(sa.func.sum(worth.average_check), 0),
        )
        .select_from(card)
        .outerjoin(score, of_card[0])
        .outerjoin(worth, of_card[1])
        .where(*alive)
        .group_by(*places)
    )
    found: Any = session.execute(query)
    return [Alike(*row) for row in found]


def cells(found: Iterable[Alike]) -> list[Cell]:
    """The same without the days of silence: what the map of RFM is drawn from."""
    numbers: dict[tuple[Any, ...], int] = defaultdict(int)
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for each in found:
        key = each.r, each.f, each.group, each.stage
        numbers[key] += each.clients
        sums[key] += each.ltv
    return [(*key, number, str(sums[key])) for key, number in numbers.items()]
