"""What letters say about their recipients, for many deliveries in a few statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import any_of
from integration.mirror import Company, Contact, Currency, CustomField, Lead, PortalUser
from mailings.content.rendering import Facts
from mailings.rules.written import Sum
from segments.models import ClientMetrics

_LONGEST = 2_000


class Addressed(Protocol):
    """What is asked of a delivery: read only, so that frozen ones will do."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def client_id(self) -> int: ...
    @property
    def address(self) -> str | None: ...
    @property
    def code(self) -> str | None: ...


@dataclass(slots=True)
class _Known:
    """What the portal knows of everybody at hand."""

    currency: str
    today: date
    cards: dict[tuple[str, int], Any] = field(default_factory=dict)
    metrics: dict[tuple[str, int], Any] = field(default_factory=dict)
    managers: dict[int, str] = field(default_factory=dict)
    fields: dict[tuple[str, str], CustomField] = field(default_factory=dict)


_PERSON = ("name", "second_name", "last_name", "post", "birth_date", "company_id")
_COLUMNS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "contact": (Contact, _PERSON),
    "lead": (Lead, (*_PERSON, "title", "company_title")),
    "company": (Company, ("title",)),
}


def facts(session: Session, portal_id: int, deliveries: Iterable[Addressed]) -> dict[int, Facts]:
    """The values of each delivery's recipient, by the delivery's id."""
    wanted = list(deliveries)
    ids: dict[str, set[int]] = {}
    for each in wanted:
        ids.setdefault(each.kind, set()).add(each.client_id)
    known = _read(session, portal_id, ids)
    return {each.id: Facts(_of(each, known), each.code) for each in wanted}


def _read(session: Session, portal_id: int, ids: dict[str, set[int]]) -> _Known:
    base = sa.select(Currency.code).where(Currency.portal_id == portal_id, Currency.is_base)
    known = _Known(session.scalar(base) or "RUB", utcnow().date())
    for kind in ("contact", "lead"):
        _cards(session, portal_id, kind, ids.get(kind, set()), known)
    employers = {
        card.company_id for card in known.cards.values() if getattr(card, "company_id", None)
    }
    _cards(session, portal_id, "company", ids.get("company", set()) | employers, known)
    for kind in ("contact", "company"):
        if ids.get(kind):
            query = sa.select(ClientMetrics).where(
                ClientMetrics.portal_id == portal_id,
                ClientMetrics.kind == kind,
                ClientMetrics.client_id == any_of(ids[kind]),
            )
            known.metrics |= {(kind, row.client_id): row for row in session.scalars(query)}
    _dictionaries(session, portal_id, list(ids), known)
    return known


def _cards(session: Session, portal_id: int, kind: str, ids: set[int], known: _Known) -> None:
    if not ids:
        return
    table, names = _COLUMNS[kind]
    columns = [getattr(table, name) for name in ("bitrix_id", "assigned_by_id", "custom", *names)]
    query = sa.select(*columns).where(
        table.portal_id == portal_id, table.bitrix_id == any_of(ids), table.deleted_at.is_(None)
    )
    known.cards |= {(kind, row.bitrix_id): row for row in session.execute(query)}


def _dictionaries(session: Session, portal_id: int, kinds: list[str], known: _Known) -> None:
    fields = sa.select(CustomField).where(
        CustomField.portal_id == portal_id, CustomField.entity.in_(kinds)
    )
    known.fields = {(each.entity, each.code): each for each in session.scalars(fields)}
    people = {card.assigned_by_id for card in known.cards.values() if card.assigned_by_id}
    for (kind, _), card in known.cards.items():
        for code, value in card.custom.items():
            row = known.fields.get((kind, code))
            if row is not None and row.type_id == "employee":
                people |= set(value if isinstance(value, list) else [value])
    query = sa.select(PortalUser.bitrix_id, PortalUser.name).where(
        PortalUser.portal_id == portal_id, PortalUser.bitrix_id == any_of(people)
    )
    known.managers = {number: name or "" for number, name in session.execute(query)}


def _of(delivery: Addressed, known: _Known) -> dict[str, Any]:
    card = known.cards.get((delivery.kind, delivery.client_id))
    client = _figures(delivery, known) | {"kind": delivery.kind, "email": delivery.address or ""}
    if card is None:
        return {"client": client | {"custom": {}}, "company": {"name": ""}, "manager": {"name": ""}}
    employer = known.cards.get(("company", getattr(card, "company_id", None) or 0))
    company = (employer.title if employer else getattr(card, "company_title", None)) or ""
    if delivery.kind == "company":
        client["full_name"] = company = card.title or ""
    else:
        client |= {name: _text(getattr(card, name)) for name in _PERSON[:4]}
        client["birth_date"] = card.birth_date
        whole = " ".join(filter(None, (client["name"], client["last_name"])))
        client["full_name"] = whole or _text(getattr(card, "title", ""))
    return {
        "client": client | {"custom": _custom(delivery.kind, card.custom, known)},
        "company": {"name": _text(company)},
        "manager": {"name": _text(known.managers.get(card.assigned_by_id or 0, ""))},
    }


def _figures(delivery: Addressed, known: _Known) -> dict[str, Any]:
    row = known.metrics.get((delivery.kind, delivery.client_id))
    if row is None:
        return {"sales": 0}
    last = row.last_sale_on
    check = row.average_check
    return {
        "sales": row.sales,
        "ltv": Sum(row.ltv, known.currency),
        "average_check": None if check is None else Sum(check, known.currency),
        "first_sale_on": row.first_sale_on,
        "last_sale_on": last,
        "days_since_sale": None if last is None else (known.today - last).days,
    }


def _custom(kind: str, raw: Mapping[str, Any], known: _Known) -> dict[str, Any]:
    found = {}
    for code, value in raw.items():
        row = known.fields.get((kind, code))
        if row is None:
            continue
        if isinstance(value, list):
            listed = [_value(each, row, known) for each in value[:100]]
            found[code] = [each for each in listed if each not in {None, ""}]
        else:
            found[code] = _value(value, row, known)
    return found


def _value(value: Any, row: CustomField, known: _Known) -> Any:
    """One value of a custom field as a letter may say it."""
    match row.type_id, value:
        case "enumeration", int():
            return _text(_items(row).get(value, ""))
        case "employee", int():
            return _text(known.managers.get(value, ""))
        case "money", {"amount": amount, "currency": currency}:
            return Sum(amount, str(currency) or known.currency)
        case "date" | "datetime", str():
            return _day(value)
        case _, bool() | int() | float():
            return value
    return _text(value)


def _items(row: CustomField) -> dict[int, str]:
    return {int(each["id"]): str(each["value"]) for each in row.items or ()}


def _day(value: str) -> date | str:
    try:
        return datetime.fromisoformat(value).date()
    except ValueError:
        return ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_LONGEST]
