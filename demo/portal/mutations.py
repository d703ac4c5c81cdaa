"""Changes a test makes as if a person had made them in the portal, or silently behind its back."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from demo.portal import writes
from demo.portal.api import Context
from demo.portal.schema import ENTITIES, MULTIFIELDS
from demo.portal.system.information import ALL_SCOPES
from demo.portal.values import to_date, to_datetime

if TYPE_CHECKING:
    from demo.portal.state import Portal

SYSTEM_DATES = {"DATE_CREATE", "DATE_MODIFY", "CREATED", "LAST_UPDATED", "CREATED_TIME"}


def mutate(portal: Portal, order: dict[str, Any]) -> dict[str, Any]:
    """Carry out {table, action, id?, fields?, user_id?, silent?, losers?, auth_connector?}.

    `silent` writes the row as given: no DATE_MODIFY, no stage history, no event.
    """
    table, action = order["table"], order["action"]
    fields = native(portal, table, order.get("fields") or {})
    row_id = int(order.get("id") or 0)
    entity = ENTITIES.get(table)
    if entity is None or order.get("silent"):
        return {"id": _directly(portal, table, action, row_id, fields)}
    ctx = _person(portal, int(order.get("user_id") or 1), str(order.get("auth_connector") or ""))
    if action == "insert":
        return {"id": writes.create(ctx, entity, fields)}
    if action == "update":
        writes.change(ctx, entity, row_id, fields)
    elif action == "delete":
        writes.remove(ctx, entity, row_id)
    elif action == "merge":
        return {"id": row_id, "gone": writes.merge(ctx, entity, row_id, order["losers"])}
    else:
        raise ValueError(f"unknown action: {action}")
    return {"id": row_id}


def native(portal: Portal, table: str, fields: dict[str, Any]) -> dict[str, Any]:
    """JSON values as the store keeps them: ISO texts of date fields become moments and dates.

    A phone, an e-mail… without a number of its own gets one.
    """
    entity = ENTITIES.get(table)
    kinds = portal.store.fields(entity).by_name if entity else {}
    found = {name: _native(kinds.get(name), name, value) for name, value in fields.items()}
    for name in found.keys() & set(MULTIFIELDS):
        found[name] = [
            {"ID": part.get("ID") or portal.store.next_multifield_id(), **part}
            for part in found[name] or []
        ]
    return found


def _native(known: Any, name: str, value: Any) -> Any:
    kind = known.type if known else ("datetime" if name in SYSTEM_DATES else "")
    if not isinstance(value, str):
        return value
    if kind == "datetime":
        return to_datetime(value, UTC)
    return to_date(value) if kind == "date" else value


def _directly(portal: Portal, table: str, action: str, row_id: int, fields: dict[str, Any]) -> int:
    rows = portal.store.tables[table]
    if action == "insert":
        return rows.insert(fields)
    if action == "update":
        rows.update(row_id, fields)
    elif action == "delete":
        rows.delete(row_id)
    else:
        raise ValueError(f"unknown action: {action}")
    return row_id


def _person(portal: Portal, user_id: int, connector: str) -> Context:
    return Context(
        portal=portal,
        user_id=user_id,
        app=None,
        now=portal.now(),
        scopes=frozenset(ALL_SCOPES),
        auth_connector=connector,
        is_admin=True,
    )
