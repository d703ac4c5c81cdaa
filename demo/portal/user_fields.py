"""The portal's own fields: the rules of creating, changing and dropping them."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError
from demo.portal.values import is_empty, is_yes, to_int, to_text

if TYPE_CHECKING:
    from demo.portal.schema import Entity
    from demo.portal.store import Store

LABELS = (
    *("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL"),
    *("ERROR_MESSAGE", "HELP_MESSAGE"),
)
LANGUAGES = (
    *("ar", "br", "de", "en", "fr", "id", "it", "ja", "kz", "la"),
    *("ms", "pl", "ru", "sc", "tc", "th", "tr", "ua", "vn"),
)
_PREFIX, _MAX_NAME = "UF_CRM_", 50
_DEFAULT_SETTINGS: dict[str, dict[str, Any]] = {
    "string": {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0},
    "integer": {"SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0, "DEFAULT_VALUE": None},
    "double": {"PRECISION": 2, "SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0},
    "boolean": {"DEFAULT_VALUE": 0, "DISPLAY": "CHECKBOX", "LABEL": ["", ""]},
    "date": {"DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}},
    "datetime": {"DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}, "USE_SECOND": "Y"},
    "money": {"DEFAULT_VALUE": ""},
    "url": {"POPUP": "Y", "SIZE": 20, "MIN_LENGTH": 0, "MAX_LENGTH": 0, "ROWS": 1},
    "address": {"SHOW_MAP": "Y"},
    "enumeration": {"DISPLAY": "LIST", "LIST_HEIGHT": 1, "CAPTION_NO_VALUE": ""},
    "file": {"SIZE": 20, "LIST_WIDTH": 0, "LIST_HEIGHT": 0, "EXTENSIONS": []},
    "employee": {},
    "crm_status": {"ENTITY_TYPE": ""},
    "crm": {"LEAD": "Y", "CONTACT": None, "COMPANY": None, "DEAL": None},
    "iblock_section": {"DISPLAY": "LIST", "LIST_HEIGHT": 1},
    "iblock_element": {"DISPLAY": "LIST", "LIST_HEIGHT": 1},
}
_CHOSEN = {"enumeration", "employee", "crm_status", "crm", "iblock_section", "iblock_element"}
_TYPELESS = {"boolean"}


def create(
    store: Store, entity: Entity, sent: dict[str, Any], of_apps: frozenset[str] = frozenset()
) -> int:
    """Add a field; several complaints come joined by a line break. `of_apps`: types applications draw."""
    name, kind = _full_name(sent), to_text(sent.get("USER_TYPE_ID"))
    _demand(store, entity, name, kind, of_apps)
    flag = _flags(sent, kind)
    settings = sent.get("SETTINGS")
    row: dict[str, Any] = {
        "ENTITY_ID": entity.uf_entity,
        "FIELD_NAME": name,
        "USER_TYPE_ID": kind,
        "XML_ID": to_text(sent.get("XML_ID")) or None,
        "SORT": to_int(sent.get("SORT")) or 100,
        "MULTIPLE": "Y" if is_yes(sent.get("MULTIPLE")) and kind not in _TYPELESS else "N",
        "MANDATORY": "N",
        "SHOW_FILTER": "N",
        "IS_SEARCHABLE": "N",
        "SHOW_IN_LIST": "Y",
        "EDIT_IN_LIST": "Y",
        **flag,
        "SETTINGS": {
            **_DEFAULT_SETTINGS.get(kind, {}),
            **(settings if isinstance(settings, dict) else {}),
        },
    }
    common = sent.get("LABEL")
    for key in LABELS:
        value = sent.get(key, common)
        row[key] = _labels(value if not is_empty(value) else common)
    if kind == "enumeration":
        row["LIST"] = _merge_items(store, [], sent.get("LIST"))
    return store.tables["userfield"].insert(row)


def change(store: Store, row: dict[str, Any], sent: dict[str, Any]) -> None:
    """Change what may be changed; labels are overwritten in all languages."""
    kind = row["USER_TYPE_ID"]
    changes: dict[str, Any] = _flags(sent, kind)
    if "SORT" in sent:
        changes["SORT"] = to_int(sent["SORT"])
    if "XML_ID" in sent:
        changes["XML_ID"] = to_text(sent["XML_ID"]) or None
    if isinstance(sent.get("SETTINGS"), dict):
        changes["SETTINGS"] = {**(row.get("SETTINGS") or {}), **sent["SETTINGS"]}
    for key in LABELS:
        if key in sent:
            changes[key] = _labels(sent[key])
    if kind == "enumeration" and "LIST" in sent:
        changes["LIST"] = _merge_items(store, row.get("LIST") or [], sent["LIST"])
    store.tables["userfield"].update(row["ID"], changes)


def drop(store: Store, entity: Entity, row: dict[str, Any]) -> None:
    """Delete a field and its values."""
    name = row["FIELD_NAME"]
    store.tables["userfield"].delete(row["ID"])
    table = store.tables[entity.name]
    read = table.getter(name)
    holders = [
        row_id
        for row_id, stored in zip(table.ids(), table.rows(), strict=True)
        if read(stored) is not None
    ]
    for row_id in holders:
        table.update(row_id, {name: None})


def in_all_languages(value: Any) -> dict[str, str]:
    """A label map with every language of the portal."""
    labels = value if isinstance(value, dict) else dict.fromkeys(LANGUAGES, to_text(value))
    return {language: to_text(labels.get(language)) for language in LANGUAGES}


def _full_name(sent: dict[str, Any]) -> str:
    name = to_text(sent.get("FIELD_NAME")).strip().upper()
    if not name or name.startswith(_PREFIX):
        return name
    return _PREFIX + name.removeprefix("UF_")


def _demand(store: Store, entity: Entity, name: str, kind: str, of_apps: frozenset[str]) -> None:
    missing = [
        f"The '{key}' field is not found."
        for key, value in (("USER_TYPE_ID", kind), ("FIELD_NAME", name))
        if not value
    ]
    if missing:
        raise ApiError(400, "", "\n".join(missing))
    wrong = []
    if len(name) > _MAX_NAME:
        wrong.append("Имя поля слишком длинное (больше 50-ти символов).")
    if not re.fullmatch(r"[A-Z0-9_]+", name):
        wrong.append("Имя поля содержит недопустимые символы. Допустимыми являются: A-Z, 0-9 и _.")
    if kind not in _DEFAULT_SETTINGS and kind not in of_apps:
        wrong.append("Указан неверный пользовательский тип.")
    if any(
        row["ENTITY_ID"] == entity.uf_entity and row["FIELD_NAME"] == name
        for row in store.tables["userfield"]
    ):
        wrong.append(f"Поле {name} для объекта {entity.uf_entity} уже существует.")
    if wrong:
        raise ApiError(400, "ERROR_CORE", "\n".join(wrong))


def _flags(sent: dict[str, Any], kind: str) -> dict[str, Any]:
    flags: dict[str, Any] = {
        key: "Y" if is_yes(sent[key]) else "N"
        for key in ("MANDATORY", "SHOW_IN_LIST", "EDIT_IN_LIST", "IS_SEARCHABLE")
        if key in sent
    }
    if "SHOW_FILTER" in sent:
        word = to_text(sent["SHOW_FILTER"]).upper()
        by_type = "I" if kind in _CHOSEN else "E"
        flags["SHOW_FILTER"] = word if word in ("E", "I", "S") else by_type if is_yes(word) else "N"
    return flags


def _labels(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {language: to_text(value.get(language)) for language in LANGUAGES}
    return dict.fromkeys(LANGUAGES, to_text(value))


def _merge_items(store: Store, stored: list[dict[str, Any]], sent: Any) -> list[dict[str, Any]]:
    items = {to_int(item["ID"]): dict(item) for item in stored}
    parts = list(sent.values()) if isinstance(sent, dict) else sent
    next_id = _last_item_id(store) + 1
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, dict):
            continue
        known = to_int(part.get("ID"))
        if known in items and is_yes(part.get("DEL")):
            del items[known]
        elif known in items:
            items[known].update(
                {k: part[k] for k in ("VALUE", "SORT", "DEF", "XML_ID") if k in part}
            )
        elif not is_empty(part.get("VALUE")):
            items[next_id] = _new_item(next_id, part)
            next_id += 1
    codes = [item["XML_ID"] for item in items.values()]
    for code in codes:
        if codes.count(code) > 1:
            text = f"Элемент списка со значением XML_ID={code} уже существует."
            raise ApiError(400, "ERROR_CORE", text)
    return sorted(items.values(), key=lambda item: (to_int(item["SORT"]), item["ID"]))


def _new_item(item_id: int, part: dict[str, Any]) -> dict[str, Any]:
    value = to_text(part["VALUE"])
    automatic = hashlib.md5(f"{item_id}{value}".encode()).hexdigest()  # noqa: S324
    return {
        "ID": item_id,
        "VALUE": value,
        "SORT": to_int(part.get("SORT")) or 500,
        "DEF": "Y" if is_yes(part.get("DEF")) else "N",
        "XML_ID": to_text(part.get("XML_ID")) or automatic,
    }


def _last_item_id(store: Store) -> int:
    rows = store.tables["userfield"]
    ids = (to_int(item["ID"]) for row in rows for item in row.get("LIST") or ())
    return max(ids, default=40)
