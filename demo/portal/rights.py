"""Which items a user may see and touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.portal.api import Context
    from demo.portal.schema import Entity
    from demo.portal.store import Row

ALL, DEPARTMENT, OWN, NOTHING = "A", "D", "S", ""


def level(ctx: Context, entity: Entity) -> str:
    """A (all), D (own department), S (own) or "" (nothing), from the user's CRM_RIGHTS."""
    if ctx.is_admin:
        return ALL
    user = ctx.portal.store.tables["user"].get(ctx.user_id) or {}
    rights: Any = user.get("CRM_RIGHTS", ALL)
    return str(rights.get(entity.name, ALL) if isinstance(rights, dict) else rights)


def visibility(ctx: Context, entity: Entity) -> Callable[[Row], bool] | None:
    """A test of packed rows, or None when the user sees everything."""
    granted = level(ctx, entity)
    if granted == ALL:
        return None
    if granted == NOTHING:
        return lambda _: False
    owners = _colleagues(ctx) if granted == DEPARTMENT else {ctx.user_id}
    table = ctx.portal.store.tables[entity.name]
    owner, opened = table.getter("ASSIGNED_BY_ID"), table.getter("OPENED")
    return lambda row: owner(row) in owners or opened(row) == "Y"


def may_touch(ctx: Context, entity: Entity, row: Row) -> bool:
    """Whether the user may see, change or delete this row."""
    test = visibility(ctx, entity)
    return test is None or test(row)


def _colleagues(ctx: Context) -> set[int]:
    users = ctx.portal.store.tables["user"]
    mine = set((users.get(ctx.user_id) or {}).get("UF_DEPARTMENT") or ())
    return {ctx.user_id} | {
        row["ID"] for row in users if mine & set(row.get("UF_DEPARTMENT") or ())
    }
