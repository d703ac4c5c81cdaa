"""What a sale rule makes of some clients people know: usable as soon as their deals are read, before anything is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import WON, Deal
from segments.models import BaseTotals, ClientKind
from segments.worth import base
from segments.worth.metrics import worth
from segments.worth.sales import Rule

SHOWN = 6
_DEALS = 300


@dataclass(frozen=True, slots=True)
class Worth:
    """A client by one rule."""

    ltv: Decimal = Decimal(0)
    sales: int = 0
    average_check: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A client, by the rule in force and by the wished one."""

    kind: ClientKind
    client_id: int
    name: str
    old: Worth
    new: Worth

    @property
    def path(self) -> str:
        """The client's card on the portal."""
        return f"/crm/{self.kind}/details/{self.client_id}/"


def known(session: Session, in_force: Rule, wished: Rule) -> list[Known]:
    """Some of the dearest clients and of those who bought last: whom the rule changes most comes first."""
    found = [each for kind in ClientKind for each in _of_kind(session, in_force, wished, kind)]
    found.sort(key=lambda each: (-abs(each.new.ltv - each.old.ltv), -each.new.ltv, each.client_id))
    return found[:SHOWN]


def _of_kind(session: Session, in_force: Rule, wished: Rule, kind: ClientKind) -> list[Known]:
    ids = _candidates(session, wished.portal_id, kind)
    old, new = (_worth(session, rule, kind, ids) for rule in (in_force, wished))
    both = sorted({*old, *new})
    names = base.names_of(session, wished.portal_id, kind, both)
    nothing = Worth()
    return [
        Known(kind, each, names[each] or f"#{each}", old.get(each, nothing), new.get(each, nothing))
        for each in both
        if each in names
    ]


def _candidates(session: Session, portal_id: int, kind: ClientKind) -> list[int]:
    client: Any = Deal.contact_id if kind is ClientKind.CONTACT else Deal.company_id
    newest = (
        sa.select(client)
        .where(Deal.portal_id == portal_id, Deal.stage_semantic == WON, Deal.deleted_at.is_(None))
        .order_by(Deal.bitrix_id.desc())
        .limit(_DEALS)
    )
    total = session.get(BaseTotals, (portal_id, kind.value))
    found = {each for each in session.scalars(newest) if each is not None}
    return sorted(found.union(total.best if total else ()))


def _worth(session: Session, rule: Rule, kind: ClientKind, ids: list[int]) -> Mapping[int, Worth]:
    if not ids or rule.counts_nothing:
        return {}
    rows = worth(rule, kind, ids).subquery("row").c
    query = sa.select(rows.client_id, rows.ltv, rows.sales, rows.average_check)
    return {row[0]: Worth(row[1], row[2], row[3]) for row in session.execute(query)}
