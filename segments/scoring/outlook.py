"""What each RFM group is likely to buy within a month, and who has fallen silent: counted once, with the day's scores.

One look at everybody: clients of a group who have been silent for the same number of days are alike, so they are
counted together, and pages need not look at anybody (docs/metrics.md, «Expected revenue»).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Company, Contact
from segments.models import ClientKind, ClientMetrics
from segments.rules.lifecycle import Edges
from segments.rules.returning import Habit, Pauses, habit
from segments.scoring.scored import ClientScores, GroupOutlook
from segments.worth import days
from segments.worth.days import Silent
from segments.worth.sales import Rule

ENOUGH = 0.5
"""With fewer of a group's clients judged, nothing is said of the group's future."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Clients of a group silent for the same number of days, None: nobody knows; `once`: who have bought on one day only."""

    group: str
    once: bool
    silent: int | None
    clients: int
    ltv: Decimal
    checks: Decimal


def keep(
    session: Session, rule: Rule, kind: ClientKind, day: date, pauses: Pauses, edges: Edges
) -> None:
    """Store the outlook of every group and the totals of the day."""
    found = _alike(session, rule.portal_id, kind, day)
    session.execute(
        sa.delete(GroupOutlook).where(
            GroupOutlook.portal_id == rule.portal_id, GroupOutlook.kind == kind.value
        )
    )
    if rows := outlooks(found, pauses):
        mine = {"portal_id": rule.portal_id, "kind": kind.value}
        session.execute(sa.insert(GroupOutlook), [mine | row for row in rows])
    asleep = [each for each in found if (each.silent or 0) > edges.sleeping]
    silent = Silent(
        sum(each.clients for each in asleep),
        sum((each.ltv for each in asleep), Decimal(0)),
        edges.sleeping,
    )
    days.keep(session, rule, kind, day, silent)


def outlooks(found: Sequence[Alike], pauses: Pauses) -> list[dict[str, Any]]:
    """Every group's clients, and what they are likely to buy: the chance of each × the average check of his own."""
    habits = {True: habit(pauses.once), False: habit(pauses.again)}
    of_group: dict[str, list[Alike]] = defaultdict(list)
    for each in found:
        of_group[each.group].append(each)
    return [_outlook(group, members, habits) for group, members in sorted(of_group.items())]


def of_kind(session: Session, portal_id: int, kind: ClientKind) -> list[GroupOutlook]:
    """The outlooks of a kind's groups, as of the last scores."""
    query = sa.select(GroupOutlook).where(
        GroupOutlook.portal_id == portal_id, GroupOutlook.kind == kind.value
    )
    return list(session.scalars(query.order_by(GroupOutlook.group_key)))


def is_known(row: GroupOutlook) -> bool:
    """Whether enough of the group's clients could be judged to name a sum."""
    return row.judged > 0 and row.judged >= ENOUGH * row.clients


def _outlook(
    group: str, members: Sequence[Alike], habits: dict[bool, Habit | None]
) -> dict[str, Any]:
    judged, likely, expected = 0, 0.0, Decimal(0)
    for each in members:
        learnt = habits[each.once]
        chance = learnt.chance(each.silent) if learnt and each.silent is not None else None
        if chance is not None:
            judged += each.clients
            likely += chance * each.clients
            expected += Decimal(chance) * each.checks
    return {
        "group_key": group,
        "clients": sum(each.clients for each in members),
        "ltv": sum((each.ltv for each in members), Decimal(0)),
        "judged": judged,
        "likely": likely,
        "expected": round(expected, 2),
    }


def _alike(session: Session, portal_id: int, kind: ClientKind, day: date) -> list[Alike]:
    """Everybody alive who has bought, by group and days of silence."""
    score, worth = ClientScores, ClientMetrics
    card: Any = Contact if kind is ClientKind.CONTACT else Company
    same = sa.and_(
        worth.portal_id == portal_id, worth.kind == kind.value, worth.client_id == score.client_id
    )
    alive = sa.and_(
        card.portal_id == portal_id, card.bitrix_id == score.client_id, card.deleted_at.is_(None)
    )
    if kind is ClientKind.COMPANY:
        alive &= ~card.is_my_company
    once = score.previous_sale_on.is_(None).label("once")
    idle = sa.cast(day, sa.Date) - worth.last_sale_on
    silent = sa.case((idle < 0, 0), else_=idle).label("silent")
    columns = (score.group_key, once, silent)
    query = (
        sa.select(
            *columns,
            sa.func.count(),
            sa.func.sum(worth.ltv),
            sa.func.coalesce(sa.func.sum(worth.average_check), 0),
        )
        .join(worth, same)
        .join(card, alive)
        .where(score.portal_id == portal_id, score.kind == kind.value)
        .group_by(*columns)
    )
    return [Alike(*row) for row in session.execute(query)]
