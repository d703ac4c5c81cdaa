"""Rows of Bitrix24 replies → rows of the mirror. One function per entity, nothing else knows names.

A row without an id, or with a value its column can't hold, raises Misfit: the caller puts it in
quarantine. A custom field that does not fit is left out and named in `misfits`, because a wrong
custom value must not hide a client's deals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integration.rules import addresses, custom
from integration.rules.addresses import Normalised
from integration.rules.custom import FieldType
from integration.rules.values import code, day, flag, link, moment, money, required_id, text, whole

Row = Mapping[str, Any]
Fields = Mapping[str, FieldType]

UTM = ("SOURCE", "MEDIUM", "CAMPAIGN", "CONTENT", "TERM")
_CLASSIC_UTM = tuple((f"UTM_{part}", part.lower()) for part in UTM)
_ITEM_UTM = tuple((f"utm{part.title()}", part.lower()) for part in UTM)
MULTIFIELDS = ("PHONE", "EMAIL", "IM", "WEB")


@dataclass(slots=True)
class AddressRow:
    """One address of a card, in the order of the card within its kind."""

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
    misfits: list[str] = field(default_factory=list)


def contact(row: Row, fields: Fields) -> MirrorRow:
    """`crm.contact.list` row."""
    values = _classic(row) | _person(row)
    values["type_id"] = text(row.get("TYPE_ID"))
    values["company_id"] = link(row.get("COMPANY_ID"), "COMPANY_ID")
    values["lead_id"] = link(row.get("LEAD_ID"), "LEAD_ID")
    return _finish(row, values, fields)


def company(row: Row, fields: Fields) -> MirrorRow:
    """`crm.company.list` row."""
    values = _classic(row)
    values["title"] = text(row.get("TITLE"))
    values["type_id"] = text(row.get("COMPANY_TYPE"))
    values["industry"] = text(row.get("INDUSTRY"))
    values["employees"] = text(row.get("EMPLOYEES"))
    values["revenue"] = money(row.get("REVENUE"), "REVENUE")
    values["currency_id"] = code(row.get("CURRENCY_ID"), "CURRENCY_ID")
    values["is_my_company"] = flag(row.get("IS_MY_COMPANY"))
    values["lead_id"] = link(row.get("LEAD_ID"), "LEAD_ID")
    return _finish(row, values, fields)


def lead(row: Row, fields: Fields) -> MirrorRow:
    """`crm.lead.list` row."""
    values = _classic(row) | _person(row)
    values["title"] = text(row.get("TITLE"))
    values["company_title"] = text(row.get("COMPANY_TITLE"))
    values["stage_id"] = text(row.get("STATUS_ID"))
    values["stage_semantic"] = text(row.get("STATUS_SEMANTIC_ID"))
    values["opportunity"] = money(row.get("OPPORTUNITY"), "OPPORTUNITY")
    values["currency_id"] = code(row.get("CURRENCY_ID"), "CURRENCY_ID")
    values["company_id"] = link(row.get("COMPANY_ID"), "COMPANY_ID")
    values["contact_id"] = link(row.get("CONTACT_ID"), "CONTACT_ID")
    values["is_return_customer"] = flag(row.get("IS_RETURN_CUSTOMER"))
    values["closed_at"] = moment(row.get("DATE_CLOSED"), "DATE_CLOSED")
    values["moved_at"] = moment(row.get("MOVED_TIME"), "MOVED_TIME")
    return _finish(row, values, fields)


def deal(row: Row, fields: Fields) -> MirrorRow:
    """`crm.item.list` (entityTypeId 2) row: it alone brings all contacts of a deal."""
    contact_ids = list(
        dict.fromkeys(required_id(i, "contactIds") for i in row.get("contactIds") or ())
    )
    primary = link(row.get("contactId"), "contactId") or (contact_ids[0] if contact_ids else None)
    if primary is not None:
        contact_ids = [primary, *(i for i in contact_ids if i != primary)]
    values: dict[str, Any] = {
        "assigned_by_id": link(row.get("assignedById"), "assignedById"),
        "source_id": text(row.get("sourceId")),
        "opened": flag(row.get("opened")),
        "utm": _utm(row, _ITEM_UTM),
        "created_at": moment(row.get("createdTime"), "createdTime"),
        "updated_at": moment(row.get("updatedTime"), "updatedTime"),
        "title": text(row.get("title")),
        "pipeline_id": whole(row.get("categoryId"), "categoryId"),
        "stage_id": text(row.get("stageId")),
        "stage_semantic": text(row.get("stageSemanticId")),
        "type_id": text(row.get("typeId")),
        "opportunity": money(row.get("opportunity"), "opportunity"),
        "currency_id": code(row.get("currencyId"), "currencyId"),
        "company_id": link(row.get("companyId"), "companyId"),
        "contact_id": primary,
        "lead_id": link(row.get("leadId"), "leadId"),
        "is_recurring": flag(row.get("isRecurring")),
        "is_return_customer": flag(row.get("isReturnCustomer")),
        "begun_on": day(row.get("begindate"), "begindate"),
        "closed_on": day(row.get("closedate"), "closedate"),
        "moved_at": moment(row.get("movedTime"), "movedTime"),
    }
    typed = custom.read(row, fields)
    values["custom"] = typed.values
    return MirrorRow(
        required_id(row.get("id"), "id"), values, contact_ids=contact_ids, misfits=typed.misfits
    )


def _classic(row: Row) -> dict[str, Any]:
    return {
        "assigned_by_id": link(row.get("ASSIGNED_BY_ID"), "ASSIGNED_BY_ID"),
        "source_id": text(row.get("SOURCE_ID")),
        "opened": flag(row.get("OPENED")),
        "utm": _utm(row, _CLASSIC_UTM),
        "created_at": moment(row.get("DATE_CREATE"), "DATE_CREATE"),
        "updated_at": moment(row.get("DATE_MODIFY"), "DATE_MODIFY"),
    }


def _person(row: Row) -> dict[str, Any]:
    return {
        "name": text(row.get("NAME")),
        "second_name": text(row.get("SECOND_NAME")),
        "last_name": text(row.get("LAST_NAME")),
        "honorific": text(row.get("HONORIFIC")),
        "birth_date": day(row.get("BIRTHDATE"), "BIRTHDATE"),
        "post": text(row.get("POST")),
    }


def _utm(row: Row, names: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
    found = {part: value for name, part in names if (value := row.get(name))}
    return {part: value for part, raw in found.items() if (value := text(raw))} or None


def _finish(row: Row, values: dict[str, Any], fields: Fields) -> MirrorRow:
    typed = custom.read(row, fields)
    values["custom"] = typed.values
    return MirrorRow(
        required_id(row.get("ID"), "ID"), values, _addresses(row), misfits=typed.misfits
    )


def _addresses(row: Row) -> list[AddressRow]:
    found: list[AddressRow] = []
    for source, (kind, normalise) in _KINDS.items():
        position = 0
        for entry in row.get(source) or ():
            value = text(entry.get("VALUE"))
            if value is None:
                continue
            value_type = text(entry.get("VALUE_TYPE"))
            for form in normalise(value, value_type):
                found.append(
                    AddressRow(kind, position, value_type, value, form.value, form.problem)
                )
                position += 1
    return found


_KINDS: dict[str, tuple[str, Callable[[str, str | None], list[Normalised]]]] = {
    "PHONE": ("phone", lambda value, _type: addresses.phones(value)),
    "EMAIL": ("email", lambda value, _type: addresses.emails(value)),
    "IM": ("messenger", lambda value, value_type: [addresses.messenger(value, value_type)]),
    "WEB": ("web", lambda value, _type: [addresses.web(value)]),
}
