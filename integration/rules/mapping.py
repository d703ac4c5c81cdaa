"""Rows of Bitrix24 replies → rows of the mirror. One function per entity, nothing else knows names.

A row without an id, or with a value its column can't hold, raises Misfit: the caller puts it in
quarantine. A custom field that does not fit is left out and named in `misfits`, because a wrong
custom value must not hide a client's deals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integration.rules import addresses, custom, products
from integration.rules.addresses import Normalised
from integration.rules.custom import FieldType
from integration.rules.products import ProductRow
from integration.rules.values import code, day, flag, link, moment, money, required_id, text, whole

Row = Mapping[str, Any]
Fields = Mapping[str, FieldType]
Column = tuple[str, str, Callable[[Any, str], Any]]

UTM = ("SOURCE", "MEDIUM", "CAMPAIGN", "CONTENT", "TERM")
MULTIFIELDS = ("PHONE", "EMAIL", "IM", "WEB")


@dataclass
class AddressRow:
    """One address of a card, in the order of the card within its kind.

    Without slots: orjson writes it six times faster.
    """

    entity_id: int
    kind: str
    position: int
    value_type: str | None
    value: str
    normalised: str | None
    problem: str | None


@dataclass(slots=True)
class MirrorRow:
    """A row ready for its table: values by column, with what goes to the side tables."""

    bitrix_id: int
    values: dict[str, Any]
    addresses: list[AddressRow] = field(default_factory=list)
    contact_ids: list[int] = field(default_factory=list)
    products: list[ProductRow] | None = None
    misfits: list[str] = field(default_factory=list)


class _Card:
    """How the rows of one entity are read: (name in the reply, column, converter) of each value."""

    def __init__(self, id_field: str, utm: str, columns: tuple[Column, ...]) -> None:
        self.id_field = id_field
        self._columns = columns
        self._utm = tuple((utm.format(part, part.title()), part.lower()) for part in UTM)
        self._empty = {column: convert(None, name) for name, column, convert in columns}

    def values(self, row: Row) -> dict[str, Any]:
        """Values by column; a converter is asked only about what is not empty: a third of a card."""
        found = self._empty.copy()
        for name, column, convert in self._columns:
            if raw := row.get(name):
                found[column] = convert(raw, name)
        utm = {part: text(raw) for name, part in self._utm if (raw := row.get(name))}
        found["utm"] = {part: value for part, value in utm.items() if value} or None
        return found


_COMMON: tuple[Column, ...] = (
    ("ASSIGNED_BY_ID", "assigned_by_id", link),
    ("SOURCE_ID", "source_id", text),
    ("OPENED", "opened", flag),
    ("DATE_CREATE", "created_at", moment),
    ("DATE_MODIFY", "updated_at", moment),
)
_PERSON: tuple[Column, ...] = (
    ("NAME", "name", text),
    ("SECOND_NAME", "second_name", text),
    ("LAST_NAME", "last_name", text),
    ("HONORIFIC", "honorific", text),
    ("BIRTHDATE", "birth_date", day),
    ("POST", "post", text),
)
_CONTACT = _Card(
    "ID",
    "UTM_{0}",
    (
        *_COMMON,
        *_PERSON,
        ("TYPE_ID", "type_id", text),
        ("COMPANY_ID", "company_id", link),
        ("LEAD_ID", "lead_id", link),
    ),
)
_COMPANY = _Card(
    "ID",
    "UTM_{0}",
    (
        *_COMMON,
        ("TITLE", "title", text),
        ("COMPANY_TYPE", "type_id", text),
        ("INDUSTRY", "industry", text),
        ("EMPLOYEES", "employees", text),
        ("REVENUE", "revenue", money),
        ("CURRENCY_ID", "currency_id", code),
        ("IS_MY_COMPANY", "is_my_company", flag),
        ("LEAD_ID", "lead_id", link),
    ),
)
_LEAD = _Card(
    "ID",
    "UTM_{0}",
    (
        *_COMMON,
        *_PERSON,
        ("TITLE", "title", text),
        ("COMPANY_TITLE", "company_title", text),
        ("STATUS_ID", "stage_id", text),
        ("STATUS_SEMANTIC_ID", "stage_semantic", text),
        ("OPPORTUNITY", "opportunity", money),
        ("CURRENCY_ID", "currency_id", code),
        ("COMPANY_ID", "company_id", link),
        ("CONTACT_ID", "contact_id", link),
        ("IS_RETURN_CUSTOMER", "is_return_customer", flag),
        ("DATE_CLOSED", "closed_at", moment),
        ("MOVED_TIME", "moved_at", moment),
    ),
)
_DEAL = _Card(
    "id",
    "utm{1}",
    (
        ("assignedById", "assigned_by_id", link),
        ("sourceId", "source_id", text),
        ("opened", "opened", flag),
        ("createdTime", "created_at", moment),
        ("updatedTime", "updated_at", moment),
        ("title", "title", text),
        ("categoryId", "pipeline_id", whole),
        ("stageId", "stage_id", text),
        ("stageSemanticId", "stage_semantic", text),
        ("typeId", "type_id", text),
        ("opportunity", "opportunity", money),
        ("currencyId", "currency_id", code),
        ("companyId", "company_id", link),
        ("contactId", "contact_id", link),
        ("leadId", "lead_id", link),
        ("isRecurring", "is_recurring", flag),
        ("isReturnCustomer", "is_return_customer", flag),
        ("begindate", "begun_on", day),
        ("closedate", "closed_on", day),
        ("movedTime", "moved_at", moment),
    ),
)


def contact(row: Row, fields: Fields) -> MirrorRow:
    """`crm.contact.list` row."""
    return _read(_CONTACT, row, fields)


def company(row: Row, fields: Fields) -> MirrorRow:
    """`crm.company.list` row."""
    return _read(_COMPANY, row, fields)


def lead(row: Row, fields: Fields) -> MirrorRow:
    """`crm.lead.list` row."""
    return _read(_LEAD, row, fields)


def deal(row: Row, fields: Fields) -> MirrorRow:
    """`crm.item.list` (entityTypeId 2) row: it alone brings all contacts of a deal.

    It may carry the deal's product rows, which are read by themselves.
    """
    made = _read(_DEAL, row, fields)
    linked = [required_id(i, "contactIds") for i in row.get("contactIds") or ()]
    primary = made.values["contact_id"]
    if primary is not None:
        linked.insert(0, primary)
    made.contact_ids = list(dict.fromkeys(linked))
    made.values["contact_id"] = linked[0] if linked else None
    made.products = products.rows_of(row, made.misfits)
    made.values["products_hash"] = products.digest(made.products)
    return made


def _read(card: _Card, row: Row, fields: Fields) -> MirrorRow:
    bitrix_id = required_id(row.get(card.id_field), card.id_field)
    values = card.values(row)
    typed = custom.read(row, fields)
    values["custom"] = typed.values
    return MirrorRow(bitrix_id, values, _addresses(row, bitrix_id), misfits=typed.misfits)


def _addresses(row: Row, entity_id: int) -> list[AddressRow]:
    found: list[AddressRow] = []
    for source, kind, normalise in _KINDS:
        position = 0
        for entry in row.get(source) or ():
            value = text(entry.get("VALUE"))
            if value is None:
                continue
            value_type = text(entry.get("VALUE_TYPE"))
            for form in normalise(value, value_type):
                found.append(
                    AddressRow(
                        *(entity_id, kind, position, value_type, value, form.value, form.problem)
                    )
                )
                position += 1
    return found


_KINDS: tuple[tuple[str, str, Callable[[str, str | None], list[Normalised]]], ...] = (
    ("PHONE", "phone", lambda value, _type: addresses.phones(value)),
    ("EMAIL", "email", lambda value, _type: addresses.emails(value)),
    ("IM", "messenger", lambda value, value_type: [addresses.messenger(value, value_type)]),
    ("WEB", "web", lambda value, _type: [addresses.web(value)]),
)
