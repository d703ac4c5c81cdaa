"""What leaves members out of a found audience: leads that are selected clients already, and a limit."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from core.database import called
from integration.mirror import Address
from segments.card_facts import CrossingAddress
from segments.conditions.card_fields import Card
from segments.conditions.catalog import Scope
from segments.conditions.known import REACHED_BY, noted
from segments.conditions.operators import Expression
from segments.models import ClientMetrics
from segments.rules.tree import Kind, Limit


def nobodys(card: Card, clients: sa.CTE) -> list[Expression]:
    """The lead is not the person of a selected client: neither linked to one, nor with an address of one."""
    of_client = _crossing(card.scope, clients) if card.known else _of_mirror(card.scope, clients)
    return [
        card.own("contact_id").is_(None),
        card.own("company_id").is_(None),
        card.id.not_in(of_client),
    ]


def _of_mirror(scope: Scope, clients: sa.CTE) -> sa.Select[Any]:
    """Leads with an address of a selected client."""
    mine, theirs = called(Address, "mine"), called(Address, "theirs")
    same = sa.and_(theirs.c.kind == mine.c.kind, theirs.c.normalised == mine.c.normalised)
    return (
        sa.select(mine.c.entity_id)
        .join(theirs, same)
        .join(clients, _is_of(theirs, clients))
        .where(
            *_of_leads(mine, scope),
            theirs.c.portal_id == scope.portal_id,
            mine.c.kind.in_(REACHED_BY),
            *scope.among(mine.c.entity_id),
        )
    )


def _crossing(scope: Scope, clients: sa.CTE) -> sa.Select[Any]:
    """The same by what is known. Of clients that changed nothing is believed: such a lead is unsure itself."""
    mine, theirs = called(CrossingAddress, "mine"), called(CrossingAddress, "theirs")
    sure = sa.tuple_(theirs.c.entity, theirs.c.entity_id).not_in(noted(scope))
    held = (
        sa.select(theirs.c.kind, theirs.c.normalised)
        .join(clients, _is_of(theirs, clients))
        .where(theirs.c.portal_id == scope.portal_id, theirs.c.entity != Kind.LEAD.value, sure)
    )
    # IS TRUE keeps it a hash: the planner takes the clients for few, and would look each address up.
    is_held = sa.tuple_(mine.c.kind, mine.c.normalised).in_(held).is_(True)
    return sa.select(mine.c.entity_id).where(*_of_leads(mine, scope), is_held)


def _of_leads(mine: Any, scope: Scope) -> tuple[Expression, ...]:
    return mine.c.portal_id == scope.portal_id, mine.c.entity == Kind.LEAD.value


def _is_of(theirs: Any, clients: sa.CTE) -> Expression:
    return sa.and_(theirs.c.entity == clients.c.kind, theirs.c.entity_id == clients.c.member_id)


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
