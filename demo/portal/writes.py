"""Changing items as the portal does it: derived values, stage history, events.

Used by REST methods and by everything else that plays a person at work in the portal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal import products
from demo.portal.schema import COMPANY, CONTACT, DEAL, LEAD, MULTIFIELDS, Entity
from demo.portal.values import to_int

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from demo.portal.api import Context
    from demo.portal.store import Store

CREATED, MOVED, FINISHED, CHANGED_FUNNEL = 1, 2, 3, 5
_DEFAULTS: dict[str, dict[str, Any]] = {
    "lead": {"OPPORTUNITY": 0.0, "IS_MANUAL_OPPORTUNITY": "N", "IS_RETURN_CUSTOMER": "N"},
    "deal": {
        "OPPORTUNITY": 0.0,
        "TAX_VALUE": 0.0,
        "IS_MANUAL_OPPORTUNITY": "N",
        "IS_RECURRING": "N",
        "IS_RETURN_CUSTOMER": "N",
        "IS_REPEATED_APPROACH": "N",
        "CATEGORY_ID": 0,
    },
    "contact": {"EXPORT": "N", "CATEGORY_ID": 0},
    "company": {"REVENUE": 0.0, "IS_MY_COMPANY": "N", "CATEGORY_ID": 0},
}


def second(ctx: Context) -> datetime:
    """The moment of a change: the portal keeps whole seconds."""
    return ctx.now.replace(microsecond=0)


def create(ctx: Context, entity: Entity, values: dict[str, Any]) -> int:
    """Add an item and announce it."""
    store, now = ctx.portal.store, second(ctx)
    row = {
        **_DEFAULTS[entity.name],
        "OPENED": "Y",
        "ASSIGNED_BY_ID": ctx.user_id,
        **values,
        "DATE_CREATE": now,
        "DATE_MODIFY": now,
        "LAST_ACTIVITY_TIME": now,
        "CREATED_BY_ID": ctx.user_id,
        "MODIFY_BY_ID": ctx.user_id,
        "LAST_ACTIVITY_BY": ctx.user_id,
    }
    if entity.stage_field:
        row.setdefault("CURRENCY_ID", store.base_currency())
        row[entity.stage_field] = _valid_stage(store, entity, row) or _first_stage(
            store, row, entity
        )
        row.update(_stage_facts(ctx, entity, row))
    row_id = store.tables[entity.name].insert(row)
    if entity is DEAL or entity is LEAD:
        if not row.get("TITLE"):
            store.tables[entity.name].update(row_id, {"TITLE": f"{entity.title} #{row_id}"})
        _remember_stage(ctx, entity, row_id, CREATED)
    _touch_companies(store, entity, row_id, ())
    _publish(ctx, entity.event("add"), {"ID": row_id})
    return row_id


def change(ctx: Context, entity: Entity, row_id: int, values: dict[str, Any]) -> None:
    """Save changes of an item and announce them; a move between funnels has its own event."""
    store, table = ctx.portal.store, ctx.portal.store.tables[entity.name]
    before = table.get(row_id)
    if before is None:
        raise KeyError(row_id)
    changes = {**values, "DATE_MODIFY": second(ctx), "MODIFY_BY_ID": ctx.user_id}
    if entity is DEAL:
        changes |= products.consequences(before, values)
    after = {**before, **changes}
    moved = _move(ctx, entity, before, after, changes)
    companies = tuple(before.get("COMPANY_IDS") or ()) if entity is CONTACT else ()
    table.update(row_id, changes)
    if moved:
        _remember_stage(ctx, entity, row_id, moved)
    if "COMPANY_ID" in changes or "COMPANY_IDS" in changes:
        _touch_companies(store, entity, row_id, companies)
    if moved == CHANGED_FUNNEL:
        fields = {
            "ID": row_id,
            "CATEGORY_ID": after["CATEGORY_ID"],
            "STAGE_ID": changes["STAGE_ID"],
        }
        _publish(ctx, "ONCRMDEALMOVETOCATEGORY", fields)
    else:
        _publish(ctx, entity.event("update"), {"ID": row_id})


def remove(ctx: Context, entity: Entity, row_id: int, *, tell: bool = True) -> None:
    """Delete an item, loosen what was linked to it, announce it."""
    store = ctx.portal.store
    row = store.tables[entity.name].get(row_id) or {}
    if entity is CONTACT or entity is COMPANY:
        _replace_links(store, entity, row_id, 0)
    store.tables[entity.name].delete(row_id)
    for company in row.get("COMPANY_IDS") or () if entity is CONTACT else ():
        store.tables["company"].touch(company)
    if tell:
        _publish(ctx, entity.event("delete"), {"ID": row_id})


def merge(ctx: Context, entity: Entity, winner: int, losers: Iterable[int]) -> list[int]:
    """Join duplicates: links and activities go to the winner, the losers are deleted."""
    store, table = ctx.portal.store, ctx.portal.store.tables[entity.name]
    gone: list[int] = []
    for loser in losers:
        _replace_links(store, entity, loser, winner)
        lost, kept = table.get(loser) or {}, table.get(winner) or {}
        values = {key: value for key, value in lost.items() if value and not kept.get(key)}
        for field in MULTIFIELDS:
            if lost.get(field) and kept.get(field):
                values[field] = kept[field] + lost[field]
        change(ctx, entity, winner, values)
        for activity in list(store.tables["activity"].lookup("OWNER_ID", loser)):
            owner = store.tables["activity"].get(activity) or {}
            if owner.get("OWNER_TYPE_ID") == entity.type_id:
                store.tables["activity"].update(activity, {"OWNER_ID": winner})
        remove(ctx, entity, loser, tell=ctx.portal.options.merge_tells)
        gone.append(loser)
    return gone


def link_contacts(ctx: Context, entity: Entity, row_id: int, contacts: list[int]) -> None:
    """Replace the contacts of a deal or a lead; the first is the primary one."""
    change(ctx, entity, row_id, {"CONTACT_IDS": contacts, "CONTACT_ID": (contacts or [0])[0]})


def stage_dictionary(entity: Entity, category: Any) -> str:
    """The dictionary of an item's stages: STATUS, DEAL_STAGE or DEAL_STAGE_3."""
    if entity is LEAD:
        return "STATUS"
    return f"DEAL_STAGE_{category}" if category else "DEAL_STAGE"


def _move(
    ctx: Context,
    entity: Entity,
    before: dict[str, Any],
    after: dict[str, Any],
    changes: dict[str, Any],
) -> int:
    """Complete `changes` after a change of stage or funnel; the kind of move, 0 for none."""
    if not entity.stage_field:
        return 0
    store, stage = ctx.portal.store, entity.stage_field
    other_funnel = entity is DEAL and (after.get("CATEGORY_ID") or 0) != (
        before.get("CATEGORY_ID") or 0
    )
    if other_funnel:
        after[stage] = _valid_stage(store, entity, after) or _first_stage(store, after, entity)
        changes[stage] = after[stage]
    elif stage in changes and not _valid_stage(store, entity, after):
        after[stage] = changes[stage] = before[stage]
    if after[stage] == before[stage] and not other_funnel:
        return 0
    changes.update(_stage_facts(ctx, entity, after))
    if other_funnel:
        return CHANGED_FUNNEL
    return MOVED if changes[_semantic_field(entity)] == "P" else FINISHED


def _stage_facts(ctx: Context, entity: Entity, row: dict[str, Any]) -> dict[str, Any]:
    statuses = ctx.portal.store.statuses(stage_dictionary(entity, row.get("CATEGORY_ID")))
    stage = row[entity.stage_field]
    semantic = (statuses.get(stage) or {}).get("SEMANTICS") or "P"
    now = second(ctx)
    facts = {
        _semantic_field(entity): semantic,
        "MOVED_TIME": now,
        "MOVED_BY_ID": ctx.user_id,
    }
    if entity is LEAD:
        facts["DATE_CLOSED"] = None if semantic == "P" else now
    else:
        facts["CLOSED"] = "N" if semantic == "P" else "Y"
        facts["IS_NEW"] = "Y" if stage == next(iter(statuses), None) else "N"
    return facts


def _semantic_field(entity: Entity) -> str:
    return entity.stage_field.replace("_ID", "_SEMANTIC_ID")


def _valid_stage(store: Store, entity: Entity, row: dict[str, Any]) -> str | None:
    stage: str | None = row.get(entity.stage_field)
    known = store.statuses(stage_dictionary(entity, row.get("CATEGORY_ID")))
    return stage if stage in known or not known else None


def _first_stage(store: Store, row: dict[str, Any], entity: Entity) -> str:
    known = store.statuses(stage_dictionary(entity, row.get("CATEGORY_ID")))
    return next(iter(known), "NEW")


def _remember_stage(ctx: Context, entity: Entity, row_id: int, kind: int) -> None:
    store = ctx.portal.store
    row = store.tables[entity.name].get(row_id) or {}
    store.tables["stagehistory"].insert(
        {
            "ENTITY_TYPE_ID": entity.type_id,
            "TYPE_ID": kind,
            "OWNER_ID": row_id,
            "CREATED_TIME": second(ctx),
            "CATEGORY_ID": row.get("CATEGORY_ID") or 0,
            "STAGE_ID": row.get(entity.stage_field),
            "STAGE_SEMANTIC_ID": row.get(_semantic_field(entity)),
        }
    )


def _replace_links(store: Store, entity: Entity, old: int, new: int) -> None:
    """Point everything linked to one contact or company at another, or at nobody (0)."""
    many = f"{entity.name.upper()}_IDS"
    for name in ("deal", "lead", "contact"):
        table = store.tables[name]
        column = many if many in table.columns else f"{entity.name.upper()}_ID"
        if column not in table.columns or entity not in (CONTACT, COMPANY):
            continue
        for row_id in list(table.lookup(column, old)):
            row = table.get(row_id) or {}
            if column == many:
                ids = [new if i == old else i for i in row[many]]
                kept = list(dict.fromkeys(i for i in ids if i))
                table.update(row_id, {many: kept, many[:-1]: (kept or [0])[0]})
            else:
                table.update(row_id, {column: new})
    if entity is COMPANY:
        store.tables["company"].touch(new)


def _touch_companies(store: Store, entity: Entity, row_id: int, before: Iterable[int]) -> None:
    if entity is CONTACT:
        row = store.tables["contact"].get(row_id) or {}
        for company in {*before, *map(to_int, row.get("COMPANY_IDS") or ())}:
            store.tables["company"].touch(company)


def _publish(ctx: Context, event: str, fields: dict[str, Any]) -> None:
    ctx.portal.events.publish(
        event, fields, actor_id=ctx.user_id, auth_connector=ctx.auth_connector
    )
