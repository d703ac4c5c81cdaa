"""What each RFM group is likely to buy within a month, and who has fallen silent: counted once, with the day's scores.

See docs/metrics.md, «Expected revenue».
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from segments.models import ClientKind
from segments.rules.returning import Habit, Pauses, habit
from segments.scoring.everybody import Alike
from segments.scoring.scored import GroupOutlook
from segments.worth import days
from segments.worth.days import Silent
from segments.worth.sales import Rule

Habits = dict[bool | None, Habit | None]
"""How those behave who have bought once, and the others."""

ENOUGH = 0.5
"""With fewer of a group's clients judged, nothing is said of the group's future."""


def keep(
    session: Session,
    rule: Rule,
    kind: ClientKind,
    day: date,
    pauses: Pauses,
    sleeping: int,
    everybody: Iterable[Alike],
) -> None:
    """Store the outlook of every group and the totals of the day. `sleeping`: days of silence till one sleeps."""
    found = [each for each in everybody if each.once is not None]
    session.execute(
        sa.delete(GroupOutlook).where(
            GroupOutlook.portal_id == rule.portal_id, GroupOutlook.kind == kind.value
        )
    )
    if rows := outlooks(found, pauses):
        mine = {"portal_id": rule.portal_id, "kind": kind.value}
        session.execute(sa.insert(GroupOutlook), [mine | row for row in rows])
    asleep = [each for each in found if (each.silent or 0) > sleeping]
    silent = Silent(
        sum(each.clients for each in asleep),
        sum((each.ltv for each in asleep), Decimal(0)),
        sleeping,
    )
    days.keep(session, rule, kind, day, silent)


def outlooks(found: Sequence[Alike], pauses: Pauses) -> list[dict[str, Any]]:
    """Every group's clients, and what they are likely to buy: the chance of each × the average check of his own."""
    habits: Habits = {True: habit(pauses.once), False: habit(pauses.again)}
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


def _outlook(group: str, members: Sequence[Alike], habits: Habits) -> dict[str, Any]:
    judged, likely, expected = 0, 0.0, Decimal(0)
    for each in members:
        learnt = habits.get(each.once)
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
