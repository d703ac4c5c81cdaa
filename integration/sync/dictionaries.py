"""Reads the portal's dictionaries: pipelines, statuses, currencies, users, custom fields.

They are small: each is read whole and replaced whole, in one transaction, at the start of every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import Base
from integration import keeping
from integration.bitrix import answers
from integration.bitrix.client import Client
from integration.bitrix.errors import UnexpectedAnswer
from integration.fields import VALUE_CODE
from integration.mirror import Currency, CustomField, Pipeline, PortalUser, Status
from integration.models import Portal
from integration.rules import values
from integration.rules.custom import FieldType
from integration.sync import prices
from integration.sync.entities import BY_NAME, CARDS, EntitySpec

_LIST: dict[str, tuple[str, dict[str, Any]]] = {
    "statuses": ("crm.status.list", {"order": {"SORT": "ASC"}}),
    "pipelines": ("crm.category.list", {"entityTypeId": 2}),
    "currencies": ("crm.currency.list", {}),
    "item_fields": ("crm.item.fields", {"entityTypeId": 2}),
}


@dataclass(slots=True)
class Dictionaries:
    """Replies as read, the portal's clock at that moment, and how many objects each entity has."""

    read_at: datetime
    rows: dict[str, Any]
    users: list[Mapping[str, Any]]
    totals: dict[str, int] = field(default_factory=dict)


def read(client: Client, *, language: str, count: bool) -> Dictionaries:
    """One batch for all of them, then the users page by page. `count` asks for totals as well."""
    commands: dict[str, tuple[str, dict[str, Any]]] = {**_LIST}
    for spec in CARDS:
        commands[f"fields_{spec.name}"] = (
            f"crm.{spec.name}.userfield.list",
            {"filter": {"LANG": language}},
        )
        if count:
            commands[f"count_{spec.name}"] = (
                f"crm.{spec.name}.list",
                {"select": ["ID"], "order": {"ID": "ASC"}, "start": 0},
            )
    answer = client.batch(commands)
    for error in answer.errors.values():
        raise error
    if answer.time.started_at is None:
        raise UnexpectedAnswer("the portal does not tell its time")
    return Dictionaries(
        read_at=answer.time.started_at,
        rows={key: value for key, value in answer.results.items() if not key.startswith("count_")},
        users=_users(client),
        totals={
            spec.name: answer.totals[f"count_{spec.name}"]
            for spec in CARDS
            if f"count_{spec.name}" in answer.totals
        },
    )


def store(session: Session, portal_id: int, read_rows: Dictionaries) -> None:
    """Replace the portal's dictionaries with what was read; UnexpectedAnswer if it has another shape."""
    try:
        _store(session, portal_id, read_rows)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedAnswer("a dictionary of the portal has another shape") from error


def _store(session: Session, portal_id: int, read_rows: Dictionaries) -> None:
    rows = read_rows.rows
    _replace(session, Status, portal_id, map(_status, rows["statuses"]))
    categories = rows["pipelines"]["categories"]
    _replace(session, Pipeline, portal_id, map(_pipeline, categories))
    currencies = [found for row in rows["currencies"] if (found := _currency(row))]
    _replace(session, Currency, portal_id, currencies)
    _replace(session, PortalUser, portal_id, map(_user, read_rows.users))
    item_names = {
        str(declared.get("upperName", name)): name
        for name, declared in rows["item_fields"]["fields"].items()
    }
    _replace(
        session,
        CustomField,
        portal_id,
        (
            _custom_field(spec, row, item_names if spec.item else {})
            for spec in CARDS
            for row in rows[f"fields_{spec.name}"]
            if row["FIELD_NAME"] != VALUE_CODE
        ),
    )
    base = next((row["code"] for row in currencies if row["is_base"]), None)
    portal = session.get_one(Portal, portal_id)
    new_base = base is not None and base != portal.base_currency
    portal.base_currency = base or portal.base_currency
    session.flush()
    prices.keep_rates(session, portal_id, read_rows.read_at.date(), new_base=new_base)
    offset = read_rows.read_at.utcoffset()
    if offset is not None:
        portal.utc_offset_minutes = int(offset.total_seconds() // 60)


def custom_fields(session: Session, portal_id: int, entity: str) -> dict[str, FieldType]:
    """Custom fields of an entity that are kept, by the name they have in its list replies."""
    spec = BY_NAME[entity]
    left_out = keeping.rule_of(session, portal_id).left_out.get(entity, frozenset())
    rows = session.scalars(
        sa.select(CustomField).where(
            CustomField.portal_id == portal_id, CustomField.entity == entity
        )
    )
    return {
        (row.item_name or row.code) if spec.item else row.code: FieldType(
            row.code, row.type_id, row.multiple
        )
        for row in rows
        if row.code not in left_out
    }


def _users(client: Client) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    start: int | None = 0
    while start is not None:
        answer = client.call("user.get", {"sort": "ID", "order": "ASC", "start": start})
        found += answers.rows(answer.result)
        start = answer.next
    return found


def _replace(
    session: Session, table: type[Base], portal_id: int, rows: Sequence[dict[str, Any]] | Any
) -> None:
    keys = [column.name for column in table.__table__.primary_key]
    named = ({"portal_id": portal_id, **row} for row in rows)
    listed = list({tuple(row[key] for key in keys): row for row in named}.values())  # may repeat
    session.execute(sa.delete(table).where(table.__table__.c.portal_id == portal_id))
    if listed:
        session.execute(sa.insert(table), listed)


def _status(row: Mapping[str, Any]) -> dict[str, Any]:
    extra = row.get("EXTRA") or {}
    semantic = values.text(row.get("SEMANTICS")) or {
        "success": "S",
        "failure": "F",
        "apology": "F",
    }.get(extra.get("SEMANTICS", "") if isinstance(extra, dict) else "")
    return {
        "dictionary": str(row["ENTITY_ID"]),
        "status_id": str(row["STATUS_ID"]),
        "name": values.text(row.get("NAME")) or str(row["STATUS_ID"]),
        "sort": int(row.get("SORT") or 0),
        "semantic": semantic,
        "color": values.text(row.get("COLOR")),
    }


def _pipeline(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "bitrix_id": int(row["id"]),
        "name": values.text(row.get("name")) or str(row["id"]),
        "sort": int(row.get("sort") or 0),
        "is_default": values.flag(row.get("isDefault")),
    }


def _currency(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """One unit in base currency is AMOUNT / AMOUNT_CNT; a currency without a usable rate is left out."""
    try:
        rate = Decimal(str(row["AMOUNT"])) / Decimal(str(row.get("AMOUNT_CNT") or 1))
    except (InvalidOperation, ZeroDivisionError, KeyError):
        return None
    return {
        "code": str(row["CURRENCY"]),
        "name": values.text(row.get("FULL_NAME")),
        "rate": rate,
        "is_base": values.flag(row.get("BASE")),
    }


def _user(row: Mapping[str, Any]) -> dict[str, Any]:
    departments = row.get("UF_DEPARTMENT") or []
    return {
        "bitrix_id": int(row["ID"]),
        "name": " ".join(filter(None, map(values.text, (row.get("NAME"), row.get("LAST_NAME")))))
        or None,
        "active": values.flag(row.get("ACTIVE")),
        "departments": [int(i) for i in departments] if isinstance(departments, list) else [],
    }


def _custom_field(
    spec: EntitySpec, row: Mapping[str, Any], item_names: Mapping[str, str]
) -> dict[str, Any]:
    code = str(row["FIELD_NAME"])
    label = row.get("EDIT_FORM_LABEL") or row.get("LIST_COLUMN_LABEL") or code
    items = [
        {
            "id": int(item["ID"]),
            "value": values.text(item["VALUE"]) or "",
            "xml_id": values.text(item.get("XML_ID")),
        }
        for item in row.get("LIST") or ()
    ]
    return {
        "entity": spec.name,
        "code": code,
        "type_id": str(row["USER_TYPE_ID"]),
        "label": values.text(label) or code,
        "multiple": values.flag(row.get("MULTIPLE")),
        "items": items or None,
        "item_name": item_names.get(code),
    }
