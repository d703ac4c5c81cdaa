"""Who is linked to whom: contacts of deals, leads and companies, companies of contacts."""

from __future__ import annotations

from functools import partial
from typing import Any

from demo.portal import rights, writes
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.methods.support import COST, as_map, classic_error
from demo.portal.schema import COMPANY, CONTACT, DEAL, LEAD, Entity
from demo.portal.values import is_yes, param, to_int

_SORT_STEP = 10


def get_items(owner: Entity, column: str, ctx: Context, params: dict[str, Any]) -> Result:
    """The bindings of one item, in their order."""
    row_id = _owner(owner, ctx, params)
    if owner is COMPANY:
        ids = list(ctx.portal.store.tables["contact"].lookup("COMPANY_IDS", row_id))
    else:
        ids = (ctx.portal.store.tables[owner.name].get(row_id) or {})[column]
    key = column.removesuffix("S")
    items = [
        {
            key: linked,
            "SORT": (place + 1) * _SORT_STEP,
            "ROLE_ID": 0,
            "IS_PRIMARY": "N" if place else "Y",
        }
        for place, linked in enumerate(ids)
    ]
    return Result(items, seconds=COST.dictionary)


def set_contacts(owner: Entity, ctx: Context, params: dict[str, Any]) -> Result:
    """Replace the contacts of a deal or a lead."""
    row_id = _owner(owner, ctx, params)
    items = param(params, "items")
    if not isinstance(items, (dict, list)):
        raise classic_error("The parameter items must be array.")
    parts = [part for part in as_map(items).values() if isinstance(part, dict)]
    parts.sort(key=lambda part: (not is_yes(part.get("IS_PRIMARY")), to_int(part.get("SORT"))))
    known = ctx.portal.store.tables["contact"]
    ids = (to_int(part.get("CONTACT_ID")) for part in parts)
    contacts = list(dict.fromkeys(contact for contact in ids if contact in known))
    writes.link_contacts(ctx, owner, row_id, contacts)
    return Result(True, seconds=COST.classic_write)


def _owner(owner: Entity, ctx: Context, params: dict[str, Any]) -> int:
    row_id = to_int(param(params, "id"))
    if row_id <= 0:
        raise classic_error("The parameter ownerEntityID is invalid or not defined.")
    row = ctx.portal.store.tables[owner.name].row(row_id)
    if row is None:
        raise classic_error("Not found.")
    if not rights.may_touch(ctx, owner, row):
        raise ApiError(400, "ACCESS_DENIED", "Access denied!")
    return row_id


for _owner_entity in (DEAL, LEAD, COMPANY):
    _name = f"crm.{_owner_entity.name}.contact.items.get"
    method(_name)(partial(get_items, _owner_entity, "CONTACT_IDS"))
for _owner_entity in (DEAL, LEAD):
    method(f"crm.{_owner_entity.name}.contact.items.set")(partial(set_contacts, _owner_entity))
method("crm.contact.company.items.get")(partial(get_items, CONTACT, "COMPANY_IDS"))
