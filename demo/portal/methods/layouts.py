"""crm.item.details.configuration.*: which sections and fields a card shows."""

from __future__ import annotations

from typing import Any

from demo.portal.api import Context, Result, method
from demo.portal.methods.support import COST, as_map, classic_error
from demo.portal.schema import BY_TYPE_ID
from demo.portal.values import is_empty, to_int, to_text

_COMMON, _PERSONAL = "C", "P"


@method("crm.item.details.configuration.get")
def get_layout(ctx: Context, params: dict[str, Any]) -> Result:
    """The sections, or null when the card was never customised."""
    key = _key(ctx, params)
    return Result(ctx.portal.store.layouts.get(key), seconds=COST.dictionary)


@method("crm.item.details.configuration.set")
def set_layout(ctx: Context, params: dict[str, Any]) -> Result:
    """Replace the whole layout of the card."""
    key = _key(ctx, params)
    data = params.get("data")
    if not isinstance(data, (list, dict)):
        raise classic_error("Parameter 'data' must be array.")
    if not data:
        raise classic_error("There are no data to write.")
    if isinstance(data, dict) and not all(str(index).isdigit() for index in data):
        raise classic_error("The data must be indexed array.")
    sections = list(as_map(data).values())
    layout = [_section(number, section) for number, section in enumerate(sections)]
    ctx.portal.store.layouts[key] = layout
    return Result(True, seconds=COST.dictionary)


@method("crm.item.details.configuration.reset")
def reset_layout(ctx: Context, params: dict[str, Any]) -> Result:
    """Return the card to its default layout."""
    ctx.portal.store.layouts.pop(_key(ctx, params), None)
    return Result(True, seconds=COST.dictionary)


@method("crm.item.details.configuration.forceCommonScopeForAll")
def force_common(ctx: Context, params: dict[str, Any]) -> Result:
    """Throw away everybody's personal layouts of the card."""
    type_id, _scope, _owner, extras = _key(ctx, {**params, "scope": _COMMON})
    layouts = ctx.portal.store.layouts
    for key in [k for k in layouts if (k[0], k[1], k[3]) == (type_id, _PERSONAL, extras)]:
        del layouts[key]
    return Result(True, seconds=COST.dictionary)


def _key(ctx: Context, params: dict[str, Any]) -> tuple[int, str, int, str]:
    if is_empty(params.get("entityTypeId")):
        raise classic_error("Parameter 'entityTypeId' is not defined")
    type_id = to_int(params["entityTypeId"])
    if type_id not in BY_TYPE_ID:
        raise classic_error(
            f"The entity type '{params['entityTypeId']}' is not supported in current context."
        )
    scope = to_text(params.get("scope")).upper() or _PERSONAL
    owner = to_int(params.get("userId")) or ctx.user_id
    if (scope == _COMMON or owner != ctx.user_id) and not ctx.is_admin:
        raise classic_error("Access denied.")
    extras = params.get("extras")
    funnel = extras if isinstance(extras, dict) else {}
    category = funnel.get("dealCategoryId", funnel.get("categoryId", 0))
    return type_id, scope, 0 if scope == _COMMON else owner, to_text(to_int(category))


def _section(number: int, section: Any) -> dict[str, Any]:
    given = section if isinstance(section, dict) else {}
    kind = to_text(given.get("type"))
    if kind != "section":
        raise classic_error(
            f"Section at index {number} have type {kind}. The expected type is 'section'."
        )
    for key in ("name", "title"):
        if is_empty(given.get(key)):
            raise classic_error(f"Section at index {number} does not have {key}.")
    elements = as_map(given.get("elements") or []).values()
    return {
        "name": given["name"],
        "title": given["title"],
        "type": "section",
        "elements": [_element(number, at, element) for at, element in enumerate(elements)],
    }


def _element(section: int, number: int, element: Any) -> dict[str, Any]:
    given = element if isinstance(element, dict) else {}
    if is_empty(given.get("name")):
        raise classic_error(
            f"Element at index {number} in section at index {section} does not have name."
        )
    described = {
        "name": to_text(given["name"]),
        "optionFlags": to_text(to_int(given.get("optionFlags"))),
    }
    if given.get("options"):
        described["options"] = given["options"]
    return described
