"""Descriptions of fields, as *.fields of either method family give them."""

from __future__ import annotations

from typing import Any

from demo.portal.catalogue import SWITCHED_OFF
from demo.portal.schema import MULTIFIELDS, Field, FieldSet

LABELS = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL")
_FLAGGED = {"char": "boolean"}


def label(row: dict[str, Any], kind: str, language: str = "ru") -> str | None:
    """One label of a user field in one language."""
    value = row.get(kind)
    if isinstance(value, dict):
        value = value.get(language) or next(filter(None, value.values()), None)
    return None if value is None else str(value)


def classic_fields(fields: FieldSet) -> dict[str, Any]:
    """crm.deal.fields: by classic code."""
    described = {}
    for known in fields.by_name.values():
        if known.in_classic:
            described[known.name] = _classic_info(known)
    return described


def item_fields(fields: FieldSet, *, original: bool) -> dict[str, Any]:
    """crm.item.fields: by camel name, with the classic one in upperName."""
    described = {}
    for known in fields.by_name.values():
        if known.name in MULTIFIELDS:
            continue
        info = _common(known)
        info["type"] = _FLAGGED.get(known.type, known.type)
        info["title"] = _item_title(known)
        info["upperName"] = known.name
        if known.name == "CATEGORY_ID":
            info["isImmutable"] = False
        described[known.name if original and known.is_user else known.item] = info
    for name in SWITCHED_OFF[fields.entity.name]:
        described[name] = {**_switched_off(), "title": name}
    return described


def _item_title(known: Field) -> str:
    if known.user_field is None:
        return known.title
    return label(known.user_field, "EDIT_FORM_LABEL") or known.name


def _classic_info(known: Field) -> dict[str, Any]:
    info = _common(known)
    if known.user_field is not None:
        row = known.user_field
        info["listLabel"] = label(row, "LIST_COLUMN_LABEL") or known.name
        info["formLabel"] = label(row, "EDIT_FORM_LABEL") or known.name
        info["filterLabel"] = label(row, "LIST_FILTER_LABEL") or known.name
    return info


def _common(known: Field) -> dict[str, Any]:
    info: dict[str, Any] = {
        "type": known.type,
        "isRequired": known.required,
        "isReadOnly": known.read_only,
        "isImmutable": known.immutable,
        "isMultiple": known.multiple,
        "isDynamic": known.is_user,
        "title": known.title,
    }
    if known.status_type:
        info["statusType"] = known.status_type
    if known.deprecated:
        info["isDeprecated"] = True
    if known.user_field is not None:
        info["settings"] = known.user_field.get("SETTINGS") or []
        if known.type == "enumeration":
            items = known.user_field.get("LIST") or ()
            info["items"] = [{"ID": str(i["ID"]), "VALUE": i["VALUE"]} for i in items]
        if known.type == "crm_status":
            info["statusType"] = (known.user_field.get("SETTINGS") or {}).get("ENTITY_TYPE", "")
    return info


def _switched_off() -> dict[str, Any]:
    flags = ("isRequired", "isImmutable", "isMultiple", "isDynamic")
    return {"type": "string", "isReadOnly": True, **dict.fromkeys(flags, False)}
