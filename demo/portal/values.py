"""How the portal reads values sent to it: PHP casts, dates in any offset, the case of names."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Any

_LEADING_INT = re.compile(r"\s*([+-]?\d+)")
_LEADING_FLOAT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_RUSSIAN_DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})")


def to_int(value: Any) -> int:
    """The (int) cast of PHP: leading digits, 0 for words, 1 for a filled array."""
    if isinstance(value, (bool, int, float)):
        return int(value)
    if isinstance(value, (list, dict)):
        return 1 if value else 0
    match = _LEADING_INT.match(value) if isinstance(value, str) else None
    return int(match[1]) if match else 0


def to_float(value: Any) -> float:
    """The (float) cast of PHP; money strings "12.50|RUB" give their amount."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    match = _LEADING_FLOAT.match(value) if isinstance(value, str) else None
    return float(match[1]) if match else float(to_int(value))


def to_text(value: Any) -> str:
    """The (string) cast of PHP for scalars."""
    if value is True:
        return "1"
    if value is None or value is False:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def to_datetime(value: Any, zone: tzinfo) -> datetime | None:
    """An aware UTC moment, or None when unreadable; without an offset it is server time."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    text = _RUSSIAN_DATE.sub(r"\3-\2-\1", str(value).strip(), count=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)


def to_date(value: Any) -> date | None:
    """A calendar date: of the UTC moment when an offset is given, else as written."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).date()
    if isinstance(value, date):
        return value
    moment = to_datetime(value, UTC)
    return moment.date() if moment else None


def is_empty(value: Any) -> bool:
    """What PHP's empty() says."""
    return not value or value == "0"


def is_yes(value: Any) -> bool:
    """A flag as the portal understands it in parameters."""
    return value is True or str(value).upper() in ("Y", "TRUE", "1")


def param(params: dict[str, Any], name: str, default: Any = None) -> Any:
    """A parameter of a classic method, whose name may come in lower or upper case."""
    for key in (name, name.upper(), name.lower()):
        if key in params:
            return params[key]
    return default
