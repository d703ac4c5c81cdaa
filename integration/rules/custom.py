"""Custom field values (`UF_CRM_…`) typed by the field's declared type.

An empty value has no key. Money is {"amount": number, "currency": code}; list values are item ids,
to be named through the field's items; dates are ISO text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from integration.rules import values
from integration.rules.values import Misfit

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_SEVERAL = (list, dict)
_LEFT_OUT = frozenset({"file"})  # download links carry the token of who asked


@dataclass(frozen=True, slots=True)
class FieldType:
    """What the mirror knows of a custom field: its code, type, and whether it holds a list."""

    code: str
    type_id: str
    multiple: bool = False


@dataclass(slots=True)
class CustomValues:
    """Typed values by code, and the codes whose value did not fit with the reason."""

    values: dict[str, Any] = field(default_factory=dict)
    misfits: list[str] = field(default_factory=list)


def read(row: Mapping[str, Any], fields: Mapping[str, FieldType]) -> CustomValues:
    """Typed values of a reply row; `fields` maps the key used in the reply to its field."""
    found = CustomValues()
    for key, declared in fields.items():
        raw = row.get(key)
        if raw is None:
            continue
        if not raw and (raw != 0 or (raw is False and declared.type_id != "boolean")):
            continue
        if declared.type_id in _LEFT_OUT:
            continue
        try:
            found.values[declared.code] = _typed(raw, declared)
        except Misfit as misfit:
            found.misfits.append(str(misfit))
    return found


def _typed(raw: Any, declared: FieldType) -> Any:
    convert: Callable[[Any, str], Any] = _CONVERTERS.get(declared.type_id, _text)
    if declared.multiple:
        items = raw if isinstance(raw, list) else [raw]
        return [convert(item, declared.code) for item in items if item not in _EMPTY]
    if isinstance(raw, _SEVERAL):
        raise Misfit(f"{declared.code}: several values in a single-value field")
    return convert(raw, declared.code)


def _text(raw: Any, _code: str) -> str:
    return values.text(raw) or ""


def _integer(raw: Any, code: str) -> int:
    return values.whole(raw, code, bits=64)


def _double(raw: Any, code: str) -> float:
    try:
        number = float(raw)
    except (TypeError, ValueError):
        raise Misfit(f"{code}: not a number") from None
    if not math.isfinite(number):  # JSON has no such numbers
        raise Misfit(f"{code}: not a number")
    return number


def _money(raw: Any, code: str) -> dict[str, Any]:
    amount, _, currency = str(raw).partition("|")
    return {"amount": float(Decimal(values.money(amount, code))), "currency": currency}


def _date(raw: Any, code: str) -> str:
    found = values.day(raw, code)
    return found.isoformat() if found else ""


def _datetime(raw: Any, code: str) -> str:
    found = values.moment(raw, code)
    return found.isoformat() if found else ""


_CONVERTERS: dict[str, Callable[[Any, str], Any]] = {
    "integer": _integer,
    "enumeration": _integer,
    "employee": _integer,
    "double": _double,
    "boolean": lambda raw, _code: values.flag(raw),
    "money": _money,
    "date": _date,
    "datetime": _datetime,
}
