"""What is read of the portal, by which method, and how: one row per entity.

Why which family of methods (docs/decisions/0003-which-methods-read-what.md): deals come by
`crm.item.list`, which alone brings all contacts of a deal and refuses a misspelt filter; contacts,
companies and leads come by the classic lists, because phones and e-mails there can be selected by
name while `crm.item.list` gives them only with every field of the card. What changed since the last
run is always asked of the classic lists: their DATE_MODIFY is server time, `updatedTime` of
crm.item.list has been seen shifted by the caller's time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integration.mirror import Company, Contact, Deal, Lead, Mirrored
from integration.rules import mapping
from integration.rules.custom import FieldType
from integration.rules.mapping import MirrorRow, Row

_UTM = tuple(f"UTM_{part}" for part in mapping.UTM)
_CARD = ("ID", "ASSIGNED_BY_ID", "SOURCE_ID", "OPENED", "DATE_CREATE", "DATE_MODIFY", *_UTM)
_PERSON = ("NAME", "SECOND_NAME", "LAST_NAME", "HONORIFIC", "BIRTHDATE", "POST")


@dataclass(frozen=True)
class EntitySpec:
    """How one kind of CRM object is read and where it goes.

    `select` holds the system fields; custom fields are added by their name in the reply.
    `changed_method` lists ids by modification time. `sells`: product rows are read along.
    """

    name: str
    table: type[Mirrored]
    map: Callable[[Row, Mapping[str, FieldType]], MirrorRow]
    method: str
    select: tuple[str, ...]
    changed_method: str
    extra: tuple[tuple[str, Any], ...] = ()
    item: bool = False
    entity_type_id: int = 0
    links_contacts: bool = False
    sells: bool = False

    @property
    def table_name(self) -> str:
        """Name of the mirror's table."""
        return str(self.table.__table__.name)  # type: ignore[attr-defined]

    @property
    def columns(self) -> list[sa.Column[Any]]:
        """Columns of the mirror's table."""
        return list(self.table.__table__.columns)  # type: ignore[attr-defined]

    @property
    def id_field(self) -> str:
        """Name of the id in the reply."""
        return "id" if self.item else "ID"

    @property
    def items_path(self) -> tuple[str, ...]:
        """Where the rows are inside `result`."""
        return ("items",) if self.item else ()

    def params(self, custom_names: Sequence[str]) -> dict[str, Any]:
        """Parameters of the list method, without filter and paging."""
        return {**dict(self.extra), "select": [*self.select, *custom_names]}


CONTACTS = EntitySpec(
    "contact",
    Contact,
    mapping.contact,
    "crm.contact.list",
    (*_CARD, *_PERSON, "TYPE_ID", "COMPANY_ID", "LEAD_ID", *mapping.MULTIFIELDS),
    "crm.contact.list",
    entity_type_id=3,
)
COMPANIES = EntitySpec(
    "company",
    Company,
    mapping.company,
    "crm.company.list",
    (
        *_CARD,
        *("TITLE", "COMPANY_TYPE", "INDUSTRY", "EMPLOYEES", "REVENUE", "CURRENCY_ID"),
        *("IS_MY_COMPANY", "LEAD_ID", *mapping.MULTIFIELDS),
    ),
    "crm.company.list",
    entity_type_id=4,
)
LEADS = EntitySpec(
    "lead",
    Lead,
    mapping.lead,
    "crm.lead.list",
    (
        *(*_CARD, *_PERSON, "TITLE", "COMPANY_TITLE", "STATUS_ID", "STATUS_SEMANTIC_ID"),
        *("OPPORTUNITY", "CURRENCY_ID", "COMPANY_ID", "CONTACT_ID", "IS_RETURN_CUSTOMER"),
        *("DATE_CLOSED", "MOVED_TIME", *mapping.MULTIFIELDS),
    ),
    "crm.lead.list",
    entity_type_id=1,
)
DEALS = EntitySpec(
    "deal",
    Deal,
    mapping.deal,
    "crm.item.list",
    (
        *("id", "title", "categoryId", "stageId", "stageSemanticId", "typeId", "opportunity"),
        *("currencyId", "companyId", "contactId", "contactIds", "leadId", "isRecurring"),
        *("isReturnCustomer", "begindate", "closedate", "movedTime", "createdTime", "updatedTime"),
        *("assignedById", "sourceId", "opened"),
        *(f"utm{part.title()}" for part in mapping.UTM),
    ),
    "crm.deal.list",
    extra=(("entityTypeId", 2),),
    item=True,
    entity_type_id=2,
    links_contacts=True,
    sells=True,
)

CATALOG = SECTIONS, PRODUCTS = "product_section", "product"  # beside the cards
CARDS = (CONTACTS, COMPANIES, LEADS, DEALS)
BY_NAME = {spec.name: spec for spec in CARDS}
