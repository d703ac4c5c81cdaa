"""Dictionaries, funnels, currencies and the mode of the CRM."""

from __future__ import annotations

from typing import Any

from demo.portal.api import ApiError, Context, Result, method
from demo.portal.methods.support import COST, as_map
from demo.portal.render import moment
from demo.portal.schema import BY_TYPE_ID, Entity
from demo.portal.values import param, to_int, to_text

_CLASSIC_MODE, _SIMPLE_MODE = 1, 2
_EXTRA = {None: "process", "P": "process", "S": "success", "F": "failure"}
_TITLES = {
    "STATUS": "Стадии лида",
    "SOURCE": "Источники",
    "CONTACT_TYPE": "Тип контакта",
    "COMPANY_TYPE": "Тип компании",
    "EMPLOYEES": "Кол-во сотрудников",
    "INDUSTRY": "Сфера деятельности",
    "DEAL_TYPE": "Тип сделки",
    "HONORIFIC": "Обращения",
}


def _status(row: dict[str, Any]) -> dict[str, Any]:
    semantics = row.get("SEMANTICS")
    stage = row["ENTITY_ID"] == "STATUS" or "_STAGE" in row["ENTITY_ID"]
    apology = semantics == "F" and not row["STATUS_ID"].endswith(("LOSE", "JUNK"))
    color = row.get("COLOR") or ""
    meaning = "apology" if apology else _EXTRA.get(semantics, "process")
    extra = row.get("EXTRA") or {"SEMANTICS": meaning, "COLOR": color}
    category = row.get("CATEGORY_ID")
    return {
        "ID": str(row["ID"]),
        "ENTITY_ID": row["ENTITY_ID"],
        "STATUS_ID": row["STATUS_ID"],
        "NAME": row["NAME"],
        "NAME_INIT": row.get("NAME_INIT") or "",
        "SORT": str(row.get("SORT") or 0),
        "SYSTEM": row.get("SYSTEM") or "N",
        "CATEGORY_ID": to_text(category) if category else None,
        "COLOR": color or None,
        "SEMANTICS": None if semantics == "P" else semantics,
        **({"EXTRA": extra} if stage else {}),
    }


@method("crm.status.list")
def statuses(ctx: Context, params: dict[str, Any]) -> Result:
    """Dictionary items; the whole list at once."""
    wanted = {key.lstrip("="): v for key, v in as_map(param(params, "filter") or {}).items()}
    rows = [_status(row) for row in ctx.portal.store.tables["status"]]
    for key, value in wanted.items():
        values = {to_text(part) for part in (value if isinstance(value, list) else [value])}
        if rows and key in rows[0]:
            rows = [row for row in rows if to_text(row[key]) in values]
    order = as_map(param(params, "order") or {"SORT": "ASC"})
    for key, direction in reversed(order.items()):
        down = str(direction).upper() == "DESC"
        if key in ("ID", "SORT"):
            rows.sort(key=lambda row, name=key: to_int(row[name]), reverse=down)  # type: ignore[misc]
        elif rows and key in rows[0]:
            rows.sort(key=lambda row, name=key: to_text(row[name]), reverse=down)  # type: ignore[misc]
    return Result(rows, len(rows), seconds=COST.dictionary)


@method("crm.status.entity.types")
def status_types(ctx: Context, _params: dict[str, Any]) -> Result:
    """The dictionaries there are."""
    store = ctx.portal.store
    found = dict.fromkeys(row["ENTITY_ID"] for row in store.tables["status"])
    return Result([_status_type(ctx, name) for name in found], seconds=COST.dictionary)


def _status_type(ctx: Context, name: str) -> dict[str, Any]:
    if not name.startswith("DEAL_STAGE") and name != "STATUS":
        return {"ID": name, "NAME": _TITLES.get(name, name)}
    known = ctx.portal.store.statuses(name)
    by_semantics: dict[str, str] = {}
    for code, row in known.items():
        by_semantics.setdefault(row.get("SEMANTICS") or "P", code)
    info = {
        "START_FIELD": next(iter(known), ""),
        "FINAL_SUCCESS_FIELD": by_semantics.get("S", ""),
        "FINAL_UNSUCCESS_FIELD": by_semantics.get("F", ""),
        "FINAL_SORT": 0,
    }
    if name == "STATUS":
        return {"ID": name, "NAME": _TITLES[name], "SEMANTIC_INFO": info, "ENTITY_TYPE_ID": 1}
    category = to_int(name.removeprefix("DEAL_STAGE").lstrip("_"))
    row = ctx.portal.store.tables["category"].get(category) or {}
    described: dict[str, Any] = {
        "ID": name,
        "NAME": f"Стадии сделки {row.get('NAME', 'Общая')}",
        "SEMANTIC_INFO": info,
        "FIELD_ATTRIBUTE_SCOPE": f"category_{category}" if category else "",
        "ENTITY_TYPE_ID": 2,
        "CATEGORY_ID": str(category) if category else 0,
    }
    if category:
        described |= {"PARENT_ID": "DEAL_STAGE", "PREFIX": f"C{category}"}
    return described


@method("crm.category.list")
def categories(ctx: Context, params: dict[str, Any]) -> Result:
    """Funnels of deals, kinds of contacts and companies."""
    entity = BY_TYPE_ID.get(to_int(params.get("entityTypeId")))
    if entity is None:
        raise ApiError(400, "NOT_FOUND", "Смарт-процесс не найден")
    if entity.name == "lead":
        raise ApiError(400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type LEAD is not supported")
    found = [_category(row, entity) for row in _categories(ctx, entity)]
    return Result({"categories": found}, len(found), seconds=COST.dictionary)


def _categories(ctx: Context, entity: Entity) -> list[dict[str, Any]]:
    rows = (
        row
        for row in ctx.portal.store.tables["category"]
        if (row.get("ENTITY_TYPE_ID") or 2) == entity.type_id
    )
    return sorted(rows, key=lambda row: (row.get("SORT") or 0, row["ID"]))


def _category(row: dict[str, Any], entity: Entity) -> dict[str, Any]:
    default = row.get("IS_DEFAULT") == "Y" or row["ID"] == 0
    described = {
        "id": row["ID"],
        "name": row["NAME"],
        "sort": row.get("SORT") or 0,
        "entityTypeId": entity.type_id,
        "isDefault": "Y" if default else "N",
    }
    return described if default else {**described, "originId": "", "originatorId": ""}


def _old_category(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    created = row.get("CREATED_DATE")
    return {
        "ID": str(row["ID"]),
        "CREATED_DATE": moment(created, ctx.portal.time_zone) if created else "",
        "NAME": row["NAME"],
        "IS_LOCKED": "N",
        "SORT": str(row.get("SORT") or 0),
    }


@method("crm.dealcategory.list")
def deal_categories(ctx: Context, _params: dict[str, Any]) -> Result:
    """The old list of funnels, which leaves the general one out."""
    rows = [row for row in _categories(ctx, BY_TYPE_ID[2]) if row["ID"]]
    return Result([_old_category(ctx, row) for row in rows], len(rows), seconds=COST.dictionary)


@method("crm.dealcategory.default.get")
def default_category(ctx: Context, _params: dict[str, Any]) -> Result:
    """The general funnel."""
    row = ctx.portal.store.tables["category"].get(0) or {}
    return Result({"ID": "0", "NAME": row.get("NAME", "Общая")}, seconds=COST.dictionary)


@method("crm.currency.list")
def currencies(ctx: Context, _params: dict[str, Any]) -> Result:
    """Currencies with their rates; `total` is always 0."""
    rows = [_currency(ctx, row) for row in ctx.portal.store.tables["currency"]]
    return Result(rows, 0, seconds=COST.dictionary)


def _currency(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    updated = row.get("DATE_UPDATE")
    return {
        "CURRENCY": row["CURRENCY"],
        "AMOUNT_CNT": str(row.get("AMOUNT_CNT") or 1),
        "AMOUNT": f"{row.get('AMOUNT') or 1:.4f}",
        "SORT": str(row.get("SORT") or 100),
        "BASE": row.get("BASE") or "N",
        "FULL_NAME": row.get("FULL_NAME") or row["CURRENCY"],
        "LID": "ru",
        "FORMAT_STRING": row.get("FORMAT_STRING") or f"# {row['CURRENCY']}",
        "DEC_POINT": ".",
        "THOUSANDS_SEP": "&nbsp;",
        "DECIMALS": str(row.get("DECIMALS") or 2),
        "DATE_UPDATE": moment(updated, ctx.portal.time_zone) if updated else "",
    }


@method("crm.currency.base.get")
def base_currency(ctx: Context, _params: dict[str, Any]) -> Result:
    """The currency all rates are given in."""
    return Result(ctx.portal.store.base_currency(), seconds=COST.dictionary)


@method("crm.settings.mode.get")
def mode(ctx: Context, _params: dict[str, Any]) -> Result:
    """1 with leads, 2 without."""
    leads = len(ctx.portal.store.tables["lead"]) > 0
    return Result(_CLASSIC_MODE if leads else _SIMPLE_MODE, seconds=COST.dictionary)
