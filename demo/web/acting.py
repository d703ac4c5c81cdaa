"""The employee a page acts as: what they may see, and calls of the portal's methods in their name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.portal.api import METHODS, ApiError, Context
from demo.portal.rights import visibility
from demo.portal.schema import ENTITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.portal.state import Portal
    from demo.portal.store import Row


def acting(portal: Portal, asked: str) -> Context:
    """The context of the asked employee; of the first administrator when there is no such one."""
    user_id = int(asked) if asked.isdigit() else 0
    if portal.user(user_id) is None:
        active = [row["ID"] for row in portal.store.tables["user"] if portal.user(row["ID"])]
        user_id = next((one for one in active if portal.is_admin(one)), active[0] if active else 0)
    return Context(
        portal=portal,
        user_id=user_id,
        app=None,
        now=portal.now(),
        scopes=frozenset({"crm"}),
        is_admin=portal.is_admin(user_id),
    )


def call(ctx: Context, name: str, params: dict[str, Any]) -> Any:
    """The result of a portal method, with all that follows from it: history, events."""
    return METHODS[name].handler(ctx, params).value


def visible(ctx: Context, kind: str) -> Callable[[Row], bool] | None:
    """A test of packed rows, or None when everything of the kind may be seen."""
    return visibility(ctx, ENTITIES[kind]) if kind in ENTITIES else None


def item(ctx: Context, entity: str, row_id: int) -> dict[str, Any]:
    """A row the employee may see."""
    table = ctx.portal.store.tables[entity]
    row = table.row(row_id)
    if row is None:
        raise ApiError(404, "", "Элемент не найден: возможно, его удалили")
    test = visible(ctx, entity)
    if test is not None and not test(row):
        raise ApiError(403, "", "У вас нет прав на просмотр этого элемента")
    return table.get(row_id) or {}
