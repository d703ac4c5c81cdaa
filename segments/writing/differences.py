"""What the portal's cards hold against what they should hold: the mirror compared with the metrics, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import any_of, document, recordset
from core.web import words
from integration.fields import METRICS
from integration.mirror import Company, Contact
from integration.models import Portal
from segments import asked_fields
from segments.models import ClientKind, ClientMetrics
from segments.scoring import score_sql, score_words, scores
from segments.scoring.scored import ClientScores, ScoreBasis
from segments.writing.targets import Target

_MIRROR: dict[ClientKind, Any] = {ClientKind.CONTACT: Contact, ClientKind.COMPANY: Company}


@dataclass(frozen=True, slots=True)
class Change:
    """One client whose fields on the portal differ from its metrics; values by field code."""

    kind: ClientKind
    client_id: int
    old: dict[str, Any]
    new: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Clients of a kind: `among` these only, and those with sales only, or those without."""

    kind: ClientKind
    among: Collection[int] | None = None
    bought: bool | None = None


def count(session: Session, portal_id: int, targets: Sequence[Target]) -> tuple[int, int]:
    """Clients looked at, and those whose fields would change."""
    clients = changed = 0
    for kind in ClientKind:
        query = _compared(session, portal_id, kind, of_kind(targets, kind)).subquery()
        clients += session.scalar(sa.select(sa.func.count()).select_from(query)) or 0
        changed += (
            session.scalar(sa.select(sa.func.count()).select_from(query).where(query.c.differs))
            or 0
        )
    return clients, changed


def of_kind(targets: Sequence[Target], kind: ClientKind) -> list[Target]:
    """The targets of one kind of client."""
    return [target for target in targets if target.kind is kind]


def overwritten(session: Session, portal_id: int, target: Target) -> int:
    """Cards on which the field holds another value than the figure that would go there."""
    query = _compared(session, portal_id, target.kind, [target]).subquery()
    held = query.c[f"old_{target.code}"].is_not(None)
    found = sa.select(sa.func.count()).select_from(query).where(query.c.differs, held)
    return session.scalar(found) or 0


def pending(
    session: Session,
    portal_id: int,
    part: Part,
    targets: Sequence[Target],
    *,
    after_id: int = 0,
    limit: int,
) -> list[Change]:
    """The next clients of the part, by id, whose fields differ from their metrics."""
    kind = part.kind
    own = of_kind(targets, kind)
    codes = [target.code for target in own]
    compared = _compared(session, portal_id, kind, own)
    if part.among is not None:
        compared = compared.where(_MIRROR[kind].bitrix_id == any_of(part.among))
    if part.bought is not None:
        compared = compared.where(ClientMetrics.client_id.is_not(None) == part.bought)
    query = compared.subquery()
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
    codes = {code for change in changes for code in change.new}
    ids = [change.client_id for change in changes]
    asked_fields.written(session, portal_id, changes[0].kind, codes, ids)


def _compared(
    session: Session, portal_id: int, kind: ClientKind, targets: Sequence[Target]
) -> sa.Select[Any]:
    """Every client of a kind with the value each field has (`old_…`) and should have (`new_…`)."""
    portal = session.get_one(Portal, portal_id)
    table = _MIRROR[kind]
    joined: list[Any] = [ClientMetrics]
    if any(target.metric == "rfm" for target in targets):
        joined.append(ClientScores)
    columns: list[sa.ColumnElement[Any]] = []
    differs: list[sa.ColumnElement[bool]] = []
    for target in targets:
        old = table.custom[target.code]
        if target.metric == "rfm":
            new = _group_name(session, portal, kind, old)
        else:
            new = _wanted(target, portal.base_currency or "RUB")
        columns += [old.label(f"old_{target.code}"), new.label(f"new_{target.code}")]
        differs.append(old.is_distinct_from(new))
    query: sa.Select[Any] = sa.select(
        table.bitrix_id.label("client_id"),
        *columns,
        sa.or_(sa.false(), *differs).label("differs"),
    ).where(table.portal_id == portal_id, table.deleted_at.is_(None))
    for rows in joined:
        same = (rows.portal_id == portal_id, rows.kind == kind.value)
        query = query.outerjoin(rows, sa.and_(*same, rows.client_id == table.bitrix_id))
    return query.where(~Company.is_my_company) if kind is ClientKind.COMPANY else query


_OF_NO_SALES = {"ltv": "0.00", "sales": "0"}
_COLUMNS = {"first_sale": "first_sale_on", "last_sale": "last_sale_on"}


def _wanted(target: Target, currency: str) -> sa.ColumnElement[Any]:
    """What the field should hold, as JSON typed by the field; SQL NULL means empty."""
    column = getattr(ClientMetrics, _COLUMNS.get(target.metric, target.metric))
    known = column
    if target.metric in _OF_NO_SALES:
        known = sa.func.coalesce(column, sa.literal_column(_OF_NO_SALES[target.metric]))
    value = sa.type_coerce(_typed(target, known, sa.literal(currency, sa.Text)), JSONB)
    if target.metric in _OF_NO_SALES:
        return value
    return sa.type_coerce(sa.case((column.is_not(None), value), else_=sa.null()), JSONB)


def _group_name(
    session: Session, portal: Portal, kind: ClientKind, old: sa.ColumnElement[Any]
) -> sa.ColumnElement[Any]:
    """The name of the client's RFM group in the portal's language; before anybody is scored, as it is."""
    if session.get(ScoreBasis, (portal.id, kind.value)) is None:
        return old
    with words.speaking(portal.language):
        names = score_words.groups(scores.choices_of(session, portal.id)[1].names)
    table, offset = _MIRROR[kind], portal.utc_offset_minutes
    today = (utcnow() + timedelta(minutes=offset)).date()
    key = score_sql.group(ClientScores.group_key, table.created_at, today, offset)
    name = sa.case(names, value=key)
    return sa.type_coerce(sa.func.to_jsonb(sa.cast(name, sa.Text)), JSONB)


def _typed(
    target: Target, value: sa.ColumnElement[Any], currency: sa.ColumnElement[str]
) -> sa.ColumnElement[Any]:
    """The figure as its field holds it. Text says what it is: an amount with its currency, a day as people write it."""
    figure = METRICS[target.metric].type_id
    if target.type_id == "money":
        return sa.func.jsonb_build_object("amount", value, "currency", currency)
    if target.type_id == "string" and figure == "money":
        return sa.func.to_jsonb(sa.cast(value, sa.Text) + " " + currency)
    if target.type_id == "string" and figure == "date":
        return sa.func.to_jsonb(sa.func.to_char(value, "DD.MM.YYYY"))
    if target.type_id == "string" or figure == "date":
        return sa.func.to_jsonb(sa.cast(value, sa.Text))
    return sa.func.to_jsonb(value)
