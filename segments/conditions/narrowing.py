"""What leaves members out of a found audience: leads that are selected clients already, and a limit."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from core.database import called
from integration.mirror import Address
from segments.conditions.card_fields import Card
from segments.conditions.catalog import Scope
from segments.conditions.known import REACHED_BY
from segments.conditions.operators import Expression
from segments.models import ClientMetrics
from segments.rules.tree import Kind, Limit


def nobodys(card: Card, clients: sa.CTE) -> list[Expression]:
    """The lead is not the person of a selected client: neither linked to one, nor with an address of one."""
    same_ones = called(Address, "theirs")
    mine, theirs = called(Address, "mine").c, same_ones.c
    same = sa.and_(
        theirs.portal_id == mine.portal_id,
        theirs.kind == mine.kind,
        theirs.normalised == mine.normalised,
    )
    of_client = sa.and_(theirs.entity == clients.c.kind, theirs.entity_id == clients.c.member_id)
    shared = (
        sa.select(mine.entity_id)
        .join(same_ones, same)
        .join(clients, of_client)
        .where(
            mine.portal_id == card.scope.portal_id,
            mine.entity == Kind.LEAD.value,
            mine.kind.in_(REACHED_BY),
        )
    )
    return [
        card.row.contact_id.is_(None),
        card.row.company_id.is_(None),
        card.id.not_in(shared),
    ]


def limited(query: sa.Select[Any], found: Any, scope: Scope, limit: Limit) -> sa.Select[Any]:
    """Only so many of those found: the highest by a metric, or the same ones by chance at every look."""
    if limit.by is None:
        chance = sa.func.hashint8extended(found.c.member_id, sa.cast(0, sa.BigInteger))
        return query.order_by(chance, found.c.kind, found.c.member_id).limit(limit.count)
    metrics = called(ClientMetrics, "limiting")
    worth = metrics.c
    same = sa.and_(
        worth.portal_id == scope.portal_id,
        worth.kind == found.c.kind,
        worth.client_id == found.c.member_id,
    )
    order = getattr(worth, limit.by).desc().nulls_last()
    return (
        query.select_from(found.outerjoin(metrics, same))
        .order_by(order, found.c.kind, found.c.member_id)
        .limit(limit.count)
    )
