"""The kinds of CRM items the portal knows: their fields, both names of each, and its flags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from demo.portal import catalogue

MULTIFIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")
LINKS = frozenset({"crm_contact", "crm_company", "crm_lead", "crm_quote"})
_WORDLESS_TAIL = re.compile(r"UF_CRM_(\d+)_(\d+|[A-Z_]+)")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an item: `name` as classic methods call it, `item` as crm.item.* does."""

    name: str
    item: str
    type: str
    title: str
    read_only: bool = False
    immutable: bool = False
    multiple: bool = False
    required: bool = False
    deprecated: bool = False
    status_type: str = ""
    in_classic: bool = True
    write_only: bool = False
    user_field: dict[str, Any] | None = None

    @property
    def is_user(self) -> bool:
        """Whether the field was created by people of the portal."""
        return self.user_field is not None


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of CRM item: numbers, names and system fields keyed by classic code."""

    name: str
    type_id: int
    code: str
    title: str
    fields: dict[str, Field]
    stage_field: str = ""

    @property
    def uf_entity(self) -> str:
        """The owner code of user fields: CRM_DEAL."""
        return f"CRM_{self.name.upper()}"

    def event(self, action: str) -> str:
        """The event name: ONCRMDEALUPDATE."""
        return f"ONCRM{self.name.upper()}{action.upper()}"


def camel(code: str) -> str:
    """ASSIGNED_BY_ID -> assignedById."""
    head, *tail = code.lower().split("_")
    return head + "".join(part.capitalize() for part in tail)


def uf_item_name(code: str) -> str:
    """The crm.item.* name of a user field: reversible camel case, or only the prefix replaced."""
    tail = code.removeprefix("UF_CRM_")
    if re.fullmatch(r"[A-Z_]+", tail):
        return camel(code)
    if match := _WORDLESS_TAIL.fullmatch(code):
        number, rest = match.groups()
        return f"ufCrm{number}_{rest}" if rest.isdigit() else camel(code)
    return f"ufCrm_{tail}"


def _parse(text: str) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, kind, flags, title = line.split(" ", 3)
        kind, _, dictionary = kind.partition(":")
        fields[name] = Field(
            name=name,
            item=catalogue.ITEM_NAMES.get(name, camel(name)),
            type="crm_status" if dictionary else kind,
            title=title,
            read_only="R" in flags,
            immutable="I" in flags,
            multiple="M" in flags,
            required="!" in flags,
            deprecated="~" in flags,
            status_type=dictionary,
            in_classic="i" not in flags,
            write_only="w" in flags,
        )
    return fields


LEAD = Entity("lead", 1, "L", "Лид", _parse(catalogue.LEAD), "STATUS_ID")
DEAL = Entity("deal", 2, "D", "Сделка", _parse(catalogue.DEAL), "STAGE_ID")
CONTACT = Entity("contact", 3, "C", "Контакт", _parse(catalogue.CONTACT))
COMPANY = Entity("company", 4, "CO", "Компания", _parse(catalogue.COMPANY))

ENTITIES = {entity.name: entity for entity in (LEAD, DEAL, CONTACT, COMPANY)}
BY_TYPE_ID = {entity.type_id: entity for entity in ENTITIES.values()}

# Columns of the other large tables; small ones (user, status, category…) need none.
COLUMNS: dict[str, tuple[str, ...]] = {
    **{name: tuple(entity.fields) for name, entity in ENTITIES.items()},
    "activity": (
        *("ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "PROVIDER_ID", "PROVIDER_TYPE_ID"),
        *("SUBJECT", "DESCRIPTION", "DIRECTION", "PRIORITY", "COMPLETED", "STATUS"),
        *("RESPONSIBLE_ID", "AUTHOR_ID", "EDITOR_ID", "CREATED", "LAST_UPDATED"),
        *("START_TIME", "END_TIME", "DEADLINE", "SETTINGS", "COMMUNICATIONS", "BINDINGS"),
        *("ORIGINATOR_ID", "ORIGIN_ID", "LAYOUT", "APP_ID"),
    ),
    "stagehistory": (
        *("ID", "ENTITY_TYPE_ID", "TYPE_ID", "OWNER_ID", "CREATED_TIME"),
        *("CATEGORY_ID", "STAGE_ID", "STAGE_SEMANTIC_ID"),
    ),
}
TABLES = (
    *COLUMNS,
    *("user", "status", "category", "currency", "userfield", "department"),
    *("catalog", "section", "product"),
)


class FieldSet:
    """All fields of one kind of item at one moment: the system ones and the portal's own."""

    def __init__(self, entity: Entity, user_fields: list[dict[str, Any]]) -> None:
        self.entity = entity
        self.by_name = dict(entity.fields)
        self.by_item = {field.item: field for field in entity.fields.values()}
        for row in user_fields:
            field = _user_field(row, taken=self.by_item)
            self.by_name[field.name] = field
            self.by_item[field.item] = field

    def find(self, name: str, *, item: bool, original: bool = False) -> Field | None:
        """The field under the name one method family uses; `original` admits UF_CRM_ names."""
        if not item:
            return self.by_name.get(name)
        found = self.by_item.get(name)
        return found or (self.by_name.get(name) if original and name.startswith("UF_") else None)


def _user_field(row: dict[str, Any], taken: dict[str, Field]) -> Field:
    code = row["FIELD_NAME"]
    item = uf_item_name(code)
    return Field(
        name=code,
        item=code if item in taken else item,
        type=row["USER_TYPE_ID"],
        title=code,
        multiple=row.get("MULTIPLE") == "Y",
        required=row.get("MANDATORY") == "Y",
        user_field=row,
    )
