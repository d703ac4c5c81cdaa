"""Who is responsible for a client: the employee a call is planned for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import any_of
from integration.mirror import Company, Contact, Lead, PortalUser
from integration.models import Portal
from mailings.content.recipients import Addressed

_CARDS: Mapping[str, Any] = {"contact": Contact, "company": Company, "lead": Lead}


def responsible(
    session: Session, portal_id: int, deliveries: Iterable[Addressed]
) -> dict[int, int | None]:
    """The employee of each delivery's client, by the delivery's id.

    Whoever is nobody's, or of an employee that was dismissed, falls to the one who installed the application.
    """
    wanted = list(deliveries)
    ids: dict[str, set[int]] = {}
    for each in wanted:
        ids.setdefault(each.kind, set()).add(each.client_id)
    found: dict[tuple[str, int], int | None] = {}
    for kind, numbers in ids.items():
        table = _CARDS[kind]
        query = sa.select(table.bitrix_id, table.assigned_by_id).where(
            table.portal_id == portal_id, table.bitrix_id == any_of(numbers)
        )
        found |= {(kind, number): employee for number, employee in session.execute(query)}
    dismissed = set(
        session.scalars(
            sa.select(PortalUser.bitrix_id).where(
                PortalUser.portal_id == portal_id, sa.not_(PortalUser.active)
            )
        )
    )
    fallback = session.get_one(Portal, portal_id).installer_id
    return {
        each.id: fallback if employee is None or employee in dismissed else employee
        for each in wanted
        for employee in [found.get((each.kind, each.client_id))]
    }
