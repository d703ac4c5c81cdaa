"""The card of one item: its fields with what may be edited, its stages, tabs and changes."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from demo.portal import products
from demo.portal.api import ApiError
from demo.portal.schema import ENTITIES, Field
from demo.web import present, stages, timeline, widgets
from demo.web.acting import call, item
from demo.web.layout import CALCULATED, CUSTOM, EDITABLE_TYPES, LAYOUTS
from demo.web.lists import calculated_fields

if TYPE_CHECKING:
    from demo.portal.api import Context
    from demo.portal.state import Portal

PRODUCTS = "Товары"
RELATED_TABS = {"contact": ("deal",), "company": ("deal", "contact")}


def card(ctx: Context, entity: str, row_id: int) -> dict[str, Any]:
    """Everything a card shows."""
    row = item(ctx, entity, row_id)
    title = present.item_title(entity, row)
    return {
        "entity": entity,
        "id": row_id,
        "title": title,
        "kind": ENTITIES[entity].title,
        **present.face(title, row_id),
        "subtitle": _subtitle(ctx.portal, entity, row),
        "stage_field": ENTITIES[entity].stage_field,
        "stages": stages.bar(ctx.portal, entity, row) if ENTITIES[entity].stage_field else [],
        "tabs": _tabs(ctx, entity),
        "menu": widgets.at(ctx, f"CRM_{entity.upper()}_DETAIL_TOOLBAR"),
        "sections": _sections(ctx.portal, entity, row),
        "timeline": timeline.entries(ctx, entity, row),
    }


def save(ctx: Context, entity: str, row_id: int, fields: dict[str, Any]) -> None:
    """Change fields as the employee, through the portal's own method."""
    row = item(ctx, entity, row_id)
    known = ctx.portal.store.fields(ENTITIES[entity]).by_name
    changes = {}
    for name, value in fields.items():
        field = known.get(name)
        if field is None or not (_editable(field) or name == ENTITIES[entity].stage_field):
            raise ApiError(400, "", f"Поле {name} нельзя изменить")
        is_multifield = field.type == "crm_multifield"
        changes[name] = _multifield(row.get(name) or [], value) if is_multifield else value
    call(ctx, f"crm.{entity}.update", {"id": row_id, "fields": changes})


def create(ctx: Context, entity: str, fields: dict[str, Any]) -> int:
    """Add an item with a working title, to be filled on its card."""
    start = {**LAYOUTS[entity].draft, "ASSIGNED_BY_ID": ctx.user_id, **fields}
    return int(call(ctx, f"crm.{entity}.add", {"fields": start}))


def _subtitle(portal: Portal, entity: str, row: dict[str, Any]) -> str:
    if entity == "deal":
        category = portal.store.tables["category"].get(row.get("CATEGORY_ID") or 0)
        return str(category["NAME"]) if category else ""
    if entity == "contact" and row.get("COMPANY_ID"):
        company = present.item_link(portal, "company", row["COMPANY_ID"])
        return company["text"] if company else ""
    return ""


def _tabs(ctx: Context, entity: str) -> list[dict[str, Any]]:
    tabs: list[dict[str, Any]] = [
        {"key": "main", "title": "Общие"},
        *(
            {"key": kind, "title": LAYOUTS[kind].plural, "related": kind}
            for kind in RELATED_TABS.get(entity, ())
        ),
    ]
    found = widgets.at(ctx, f"CRM_{entity.upper()}_DETAIL_TAB")
    return [*tabs, *({"key": f"app-{one['index']}", **one} for one in found)]


def _sections(portal: Portal, entity: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    known = portal.store.fields(ENTITIES[entity]).by_name
    calculated = calculated_fields(portal, entity)
    custom = [f for f in known.values() if f.is_user and f not in calculated]
    custom.sort(key=lambda f: (int((f.user_field or {}).get("SORT") or 100), f.name))
    groups = [(s.title, [known[name] for name in s.fields]) for s in LAYOUTS[entity].sections]
    groups.append((CUSTOM, custom))
    has_figures = any(
        row.get(field.name) not in (None, "") or widgets.of_field(portal, field.type)
        for field in calculated
    )
    groups.insert(0 if has_figures else len(groups), (CALCULATED, calculated))
    shown = [
        {
            "title": title,
            "figures": title == CALCULATED,
            "fields": [
                _view(portal, field, row) | _drawn(portal, entity, field, row) for field in fields
            ],
        }
        for title, fields in groups
        if fields
    ]
    if sold := products.whole(portal.store, row) if entity == "deal" else []:
        lines = [_product(line, row.get("CURRENCY_ID")) for line in sold]
        shown.insert(1, {"title": PRODUCTS, "figures": False, "fields": lines})
    return shown


def _product(line: dict[str, Any], currency: str | None) -> dict[str, Any]:
    pieces = f"{present.number(line['QUANTITY'])} {line['MEASURE_NAME']}"
    amount = present.money(line["PRICE"] * line["QUANTITY"], currency)
    return {
        "name": f"PRODUCT_ROW_{line['ID']}",
        "label": line["PRODUCT_NAME"],
        "text": f"{pieces} × {present.money(line['PRICE'], currency)} = {amount}",
        "links": [],
        "type": "string",
        "editable": False,
        "multiple": False,
    }


def _view(portal: Portal, field: Field, row: dict[str, Any]) -> dict[str, Any]:
    value = row.get(field.name)
    view = {
        "name": field.name,
        "label": present.label(field),
        "text": present.text(portal, field, value, row),
        "links": present.links(portal, field, value),
        "type": "money" if field.name in ("OPPORTUNITY", "REVENUE") else field.type,
        "editable": _editable(field),
        "multiple": field.multiple,
    }
    if field.type == "crm" or field.type.removeprefix("crm_") in ENTITIES:
        view["text"] = ""
    if view["editable"]:
        view["value"] = _raw(portal, field, value)
        view["options"] = present.dictionary(portal, field) or None
        view["currency"] = field.type == "money"
    return view


def _drawn(portal: Portal, entity: str, field: Field, row: dict[str, Any]) -> dict[str, Any]:
    """What an application's own type of field opens in the place of a value."""
    found = widgets.of_field(portal, field.type)
    if found is None:
        return {}
    kind, row_id = ENTITIES[entity], str(row["ID"])
    return {
        "widget": {
            **found,
            "options": {
                "MODE": "view",
                "ENTITY_ID": kind.uf_entity,
                "FIELD_NAME": field.name,
                "ENTITY_VALUE_ID": row_id,
                "VALUE": row.get(field.name),
                "MULTIPLE": "Y" if field.multiple else "N",
                "MANDATORY": "Y" if field.required else "N",
                "XML_ID": (field.user_field or {}).get("XML_ID"),
                "ENTITY_DATA": {
                    "entityTypeId": kind.type_id,
                    "entityId": row_id,
                    "module": "crm",
                },
            },
        }
    }


def _editable(field: Field) -> bool:
    if field.read_only or field.immutable or field.type not in EDITABLE_TYPES | {"char"}:
        return False
    return field.user_field is None or field.user_field.get("EDIT_IN_LIST") != "N"


def _raw(portal: Portal, field: Field, value: Any) -> Any:
    """A value the way the editor of the field takes it and the portal's method takes it back."""
    if isinstance(value, (list, tuple)):
        if field.type == "crm_multifield":
            return [{"ID": one.get("ID"), "VALUE": one["VALUE"]} for one in value]
        return [_raw(portal, field, one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(portal.time_zone).strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, date):
        return value.isoformat()
    if field.type == "boolean":
        return "1" if value in (True, 1, "1", "Y") else "0"
    return "" if value is None else str(value)


def _multifield(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changes of phones or addresses: kept ones by their id, emptied ones deleted."""
    kept = {str(one["ID"]) for one in new if one.get("ID") and str(one.get("VALUE", "")).strip()}
    changes = [
        {
            **({"ID": one["ID"]} if one.get("ID") else {"VALUE_TYPE": "WORK"}),
            "VALUE": str(one["VALUE"]).strip(),
        }
        for one in new
        if str(one.get("VALUE", "")).strip()
    ]
    gone = [one["ID"] for one in old if str(one["ID"]) not in kept]
    return [*changes, *({"ID": one, "VALUE": "", "DELETE": "Y"} for one in gone)]
