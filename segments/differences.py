"""What the portal's cards hold against what they should hold: the mirror compared with the metrics, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core.database import document, recordset
from integration.fields import AVERAGE_CHECK, FIRST_SALE, LAST_SALE, LTV, SALES
from integration.mirror import Company, Contact
from integration.models import Portal
from segments.models import ClientKind, ClientMetrics

_MIRROR: dict[ClientKind, Any] = {ClientKind.CONTACT: Contact, ClientKind.COMPANY: Company}


@dataclass(frozen=True, slots=True)
class Change:
    """One client whose fields on the portal differ from its metrics; values by field code."""

    kind: ClientKind
    client_id: int
    old: dict[str, Any]
    new: dict[str, Any]


def count(session: Session, portal_id: int, codes: Sequence[str]) -> tuple[int, int]:
    """Clients looked at, and those whose fields would change."""
    clients = changed = 0
    for kind in ClientKind:
        query = _compared(session, portal_id, kind, codes).subquery()
        clients += session.scalar(sa.select(sa.func.count()).select_from(query)) or 0
        changed += (
            session.scalar(sa.select(sa.func.count()).select_from(query).where(query.c.differs))
            or 0
        )
    return clients, changed


def pending(
    session: Session,
    portal_id: int,
    kind: ClientKind,
    codes: Sequence[str],
    *,
    after_id: int = 0,
    limit: int,
) -> list[Change]:
    """The next clients, by id, whose fields differ from their metrics."""
    query = _compared(session, portal_id, kind, codes).subquery()
    rows = session.execute(
        sa.select(query)
        .where(query.c.differs, query.c.client_id > after_id)
        .order_by(query.c.client_id)
        .limit(limit)
    ).mappings()
    return [
        Change(
            kind,
            row["client_id"],
            {
                code: row[f"old_{code}"]
                for code in codes
                if row[f"old_{code}"] != row[f"new_{code}"]
            },
            {
                code: row[f"new_{code}"]
                for code in codes
                if row[f"old_{code}"] != row[f"new_{code}"]
            },
        )
        for row in rows
    ]


def mirror_written(session: Session, portal_id: int, changes: Sequence[Change]) -> None:
    """Note in the mirror what the portal has accepted of one kind; an emptied field loses its key."""
    if not changes:
        return
    table = _MIRROR[changes[0].kind]
    names = (table.bitrix_id.key, table.custom.key)
    incoming = recordset([table.bitrix_id, table.custom], names)
    session.execute(
        sa.text(  # names are of our own tables
            f"UPDATE {table.__tablename__} t SET custom = jsonb_strip_nulls(t.custom || incoming.custom) "
            f"FROM {incoming} WHERE t.portal_id = :portal_id AND t.bitrix_id = incoming.bitrix_id"
        ),
        {
            "portal_id": portal_id,
            "rows": document({"bitrix_id": c.client_id, "custom": c.new} for c in changes),
        },
    )


def _compared(
    session: Session, portal_id: int, kind: ClientKind, codes: Sequence[str]
) -> sa.Select[Any]:
    """Every client of a kind with the value each field has (`old_…`) and should have (`new_…`)."""
    portal = session.get_one(Portal, portal_id)
    table = _MIRROR[kind]
    wanted = _wanted(portal.base_currency or "RUB")
    columns: list[sa.ColumnElement[Any]] = []
    differs: list[sa.ColumnElement[bool]] = []
    for code in codes:
        old, new = table.custom[code], wanted[code]
        columns += [old.label(f"old_{code}"), new.label(f"new_{code}")]
        differs.append(old.is_distinct_from(new))
    query: sa.Select[Any] = (
        sa.select(
            table.bitrix_id.label("client_id"),
            *columns,
            sa.or_(sa.false(), *differs).label("differs"),
        )
        .outerjoin(
            ClientMetrics,
            sa.and_(
                ClientMetrics.portal_id == portal_id,
                ClientMetrics.kind == kind.value,
                ClientMetrics.client_id == table.bitrix_id,
            ),
        )
        .where(table.portal_id == portal_id, table.deleted_at.is_(None))
    )
    return query.where(~Company.is_my_company) if kind is ClientKind.COMPANY else query


def _wanted(currency: str) -> dict[str, sa.ColumnElement[Any]]:
    """What each field should hold, as typed JSON; SQL NULL means empty."""

    def money(amount: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[Any]:
        return sa.func.jsonb_build_object(
            "amount", amount, "currency", sa.literal(currency, sa.Text)
        )

    def when_known(
        column: sa.SQLColumnExpression[Any], value: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[Any]:
        return sa.case((column.is_not(None), value), else_=sa.null())

    def day(column: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[Any]:
        return when_known(column, sa.func.to_jsonb(sa.cast(column, sa.Text)))

    metrics = ClientMetrics
    values = {
        LTV.code: money(sa.func.coalesce(metrics.ltv, sa.literal_column("0.00"))),
        AVERAGE_CHECK.code: when_known(metrics.average_check, money(metrics.average_check)),
        SALES.code: sa.func.to_jsonb(sa.func.coalesce(metrics.sales, 0)),
        FIRST_SALE.code: day(metrics.first_sale_on),
        LAST_SALE.code: day(metrics.last_sale_on),
    }
    return {code: sa.type_coerce(value, JSONB) for code, value in values.items()}
