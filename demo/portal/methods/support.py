"""What the families of data methods share: reading parameters, finding pages, encoding rows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from demo.portal import rights
from demo.portal.api import ApiError, Context
from demo.portal.convert import Reading
from demo.portal.cost import CostModel
from demo.portal.filters import Source, compile_filter
from demo.portal.listing import Order, Page, page
from demo.portal.render import Columns, Style, encode
from demo.portal.schema import ENTITIES, Entity, FieldSet
from demo.portal.values import param, to_int

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from demo.portal.store import Row, Table

COST = CostModel()
_WIDE = 25
_WITH_CATEGORIES = ("contact", "company")


def classic_error(description: str) -> ApiError:
    """The error of classic CRM methods, which has no code."""
    return ApiError(400, "", description)


def classic_id(params: dict[str, Any]) -> int:
    """The `id` of a classic method."""
    row_id = to_int(param(params, "id"))
    if row_id <= 0:
        raise classic_error("ID is not defined or invalid.")
    return row_id


def classic_array(params: dict[str, Any], name: str) -> dict[str, Any]:
    """An array parameter of a classic method; a list is an array with numeric keys."""
    value = param(params, name)
    if value is None:
        return {}
    if not isinstance(value, (dict, list)):
        raise classic_error(f"Parameter '{name}' must be array.")
    return as_map(value)


def item_array(params: dict[str, Any], name: str) -> dict[str, Any]:
    """An array parameter of a crm.item.* method."""
    value = params.get(name)
    if value is None:
        return {}
    if not isinstance(value, (dict, list)):
        description = (
            f"Invalid value {{{value}}} to match with parameter {{{name}}}."
            " Should be value of type array."
        )
        raise ApiError(400, 100, description)
    return as_map(value)


def as_map(value: dict[str, Any] | list[Any]) -> dict[str, Any]:
    """A PHP array as a dict."""
    return value if isinstance(value, dict) else {str(i): part for i, part in enumerate(value)}


def names(value: Any) -> list[str]:
    """A `select` as a list of names."""
    if isinstance(value, str):
        return [value] if value else []
    parts = value.values() if isinstance(value, dict) else value or ()
    return [part for part in parts if isinstance(part, str) and part]


def offset(params: dict[str, Any]) -> int:
    """`start`: -1 means a page without counting."""
    return max(-1, to_int(param(params, "start", 0)))


def source(ctx: Context, entity: Entity, *, item: bool, original: bool = False) -> Source:
    """What filters of an entity are compiled against."""
    store = ctx.portal.store
    table, fields = store.tables[entity.name], store.fields(entity)
    return Source(store, table, fields, ctx.portal.time_zone, item, original)


def style(ctx: Context, *, item: bool, one: bool = False, original: bool = False) -> Style:
    """How values are written in this call."""
    skew = timedelta(seconds=ctx.portal.options.tz_skew_seconds) if item else timedelta()
    return Style(ctx.portal.time_zone, skew, one=one, original_names=original)


def reading(ctx: Context, *, item: bool) -> Reading:
    """How values are read in this call."""
    to_null = ctx.portal.options.php_empty_to_null
    return Reading(ctx.portal.store, ctx.portal.time_zone, item, to_null)


def classic_order(fields: FieldSet, order: dict[str, Any]) -> Order:
    """A classic order; unknown fields are dropped, unknown directions are ascending."""
    pairs = ((fields.by_name.get(name), str(word).upper()) for name, word in order.items())
    return [(known, word == "DESC") for known, word in pairs if known is not None]


def item_order(fields: FieldSet, order: dict[str, Any], *, original: bool = False) -> Order:
    """A crm.item.* order; unknown fields and directions are refused."""
    parsed: Order = []
    for name, word in order.items():
        known = fields.find(name, item=True, original=original)
        if known is None:
            description = f"Invalid order: field '{name}' is not allowed in order"
            raise ApiError(400, "INVALID_ARG_VALUE", description)
        if str(word).upper() not in ("ASC", "DESC"):
            description = (
                "Invalid order: allowed sort directions are `ASC, DESC`."
                f" But got '{word}' for field '{name}'"
            )
            raise ApiError(400, "INVALID_ARG_VALUE", description)
        parsed.append((known, str(word).upper() == "DESC"))
    return parsed


def find(
    ctx: Context,
    where: Source,
    conditions: dict[str, Any],
    order: Order,
    start: int,
    *,
    general_only: bool = False,
    owner_type: int = 0,
    visible: Callable[[Row], bool] | None = None,
) -> Page:
    """The page of rows the user may see."""
    plan = compile_filter(where, conditions)
    store, table, entity = where.store, where.table, where.fields.entity
    if entity.name in ENTITIES:
        visible = rights.visibility(ctx, entity)
    if visible is not None:
        plan.tests.append(visible)
    if general_only and entity.name in _WITH_CATEGORIES and _has_categories(table):
        category = table.getter("CATEGORY_ID")
        plan.tests.append(lambda row: not category(row))
    if owner_type:
        kind = table.getter("ENTITY_TYPE_ID")
        plan.tests.append(lambda row: kind(row) == owner_type)
    key = (
        orjson.dumps(conditions, default=str),
        tuple((known.name, descending) for known, descending in order),
        (where.item, general_only, owner_type, ctx.user_id if visible else 0),
        tuple(store.tables[name].version for name in _read_along(entity, bool(visible))),
    )
    return page(table, plan, order, start, store.memory, key)


def _read_along(entity: Entity, restricted: bool) -> tuple[str, ...]:
    """Tables a filter reads besides its own: who owns what, which contacts a company has."""
    others = ("user", "userfield", *(("contact",) if entity.name == "company" else ()))
    return (*others, *ENTITIES) if restricted and entity.name not in ENTITIES else others


def fragments(
    table: Table, key: Hashable, columns: Callable[[], Columns], rows: list[tuple[int, Row]]
) -> list[orjson.Fragment]:
    """The rows as JSON, encoded only if they were not yet or have changed."""
    known = table.encoded(key)
    made: Columns | None = None
    encoded: list[orjson.Fragment] = []
    for row_id, row in rows:
        fragment = known.get(row_id)
        if fragment is None:
            made = columns() if made is None else made
            fragment = known[row_id] = encode(made, row)
        encoded.append(fragment)
    return encoded


def page_seconds(found: Page, columns: int) -> float:
    """The simulated time of a list page."""
    return COST.page(
        len(found.rows),
        wide=columns == 0 or columns > _WIDE,
        matched=found.total or (len(found.rows) if found.ordered else 0),
        ordered=found.ordered,
    )


def _has_categories(table: Table) -> bool:
    return any(category and ids for category, ids in table.index("CATEGORY_ID").items())
