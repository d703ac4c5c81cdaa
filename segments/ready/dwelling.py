"""How long deals usually stand in a stage, by the portal's own stage history."""

from __future__ import annotations

from math import ceil

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from integration.mirror import StageMove
from segments.ready.parameters import Facts

_MOST = 45  # more would not fit into one segment's conditions


def usual_days(facts: Facts, percent: int) -> dict[int, list[str]]:
    """Stages in progress by the days, rounded up, that so many per cent of past stays did not exceed.

    Stages with the same number are together. Stays that go on are left out.
    """
    wanted = [stage for stages in facts.funnels() for stage in stages]
    move = aliased(StageMove)
    in_time = (move.moved_at, move.bitrix_id)
    until = sa.func.lead(move.moved_at).over(partition_by=move.owner_id, order_by=in_time)
    stays = (
        sa.select(
            move.stage_id, (sa.extract("epoch", until - move.moved_at) / 86_400).label("days")
        )
        .where(move.portal_id == facts.scope.portal_id, move.entity == "deal")
        .subquery("stay")
    )
    edge = sa.func.percentile_disc(percent / 100).within_group(stays.c.days)
    query = (
        sa.select(stays.c.stage_id, edge)
        .where(stays.c.days.is_not(None), stays.c.stage_id.in_(wanted))
        .group_by(stays.c.stage_id)
        .order_by(sa.func.count().desc(), stays.c.stage_id)
    )
    found: dict[int, list[str]] = {}
    for stage, number in facts.session.execute(query):
        longest = ceil(number)
        if longest in found or len(found) < _MOST:
            found.setdefault(longest, []).append(stage)
    return found
