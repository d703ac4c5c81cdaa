"""Single values of Bitrix24 replies turned into ours; both families of methods, with their quirks.

Formats: https://apidocs.bitrix24.com/api-reference/data-types.html
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

_NUMBER = re.compile(r"-?\d{1,16}(?:\.\d+)?")
_MAX_MONEY = Decimal(10) ** 16
_LONGEST_CODE = 100


class Misfit(ValueError):
    """A value that can't be what its field says; the message names the field and never the value."""


def text(value: Any, _field: str = "") -> str | None:
    """Text without NUL bytes (PostgreSQL refuses them); empty is None."""
    if not value:
        return None
    written = value if type(value) is str else str(value)
    return written.replace("\x00", "") or None


def code(value: Any, field: str) -> str | None:
    """A short word of a dictionary, such as a currency; indexes hold it, so it can't be a text."""
    found = text(value)
    if found is not None and len(found) > _LONGEST_CODE:
        raise Misfit(f"{field}: not a code")
    return found


def link(value: Any, field: str) -> int | None:
    """Id of another object; null, 0, "0" and "" all mean no link."""
    if not value or value == "0":
        return None
    return required_id(value, field)


def required_id(value: Any, field: str) -> int:
    """A positive id."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise Misfit(f"{field}: not an id") from None
    if number <= 0 or number >= 2**63:
        raise Misfit(f"{field}: not an id")
    return number


def whole(value: Any, field: str, *, bits: int = 32) -> int:
    """A whole number its column can hold; empty is 0."""
    if not value:
        return 0
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise Misfit(f"{field}: not a whole number") from None
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise Misfit(f"{field}: number out of range")
    return number


def flag(value: Any, _field: str = "") -> bool:
    """Y/N, 1/0, "1"/"0" or a real boolean."""
    return value in ("Y", "y", 1, "1", True, "true", "YES")


def money(value: Any, field: str) -> str:
    """An amount as a decimal literal with two digits; empty is 0."""
    if not value:
        return "0.00"
    literal = format(value, ".10f") if isinstance(value, float) else str(value)
    if not _NUMBER.fullmatch(literal):
        raise Misfit(f"{field}: not an amount")
    amount = round(Decimal(literal), 2)
    if abs(amount) >= _MAX_MONEY:
        raise Misfit(f"{field}: amount out of range")
    return format(amount, "f")


def moment(value: Any, field: str) -> datetime | None:
    """A date with time and offset; "" and {} mean none. The offset is in the value."""
    if not value:
        return None
    try:
        result = datetime.fromisoformat(value)
        if result.tzinfo is None:
            raise Misfit(f"{field}: a time without its offset")
        if not 1 < result.year < 9999:
            result.astimezone(UTC)  # a day before year 1 in UTC could not be read back
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, Misfit):
            raise
        raise Misfit(f"{field}: not a date with time") from None
    return result


def required_moment(value: Any, field: str) -> datetime:
    """A date with time that has to be there."""
    found = moment(value, field)
    if found is None:
        raise Misfit(f"{field}: missing")
    return found


def day(value: Any, field: str) -> date | None:
    """A calendar day.

    The portal renders it as midnight UTC moved to the server's offset, so the day is the day of the
    moment in UTC: cutting the first ten characters is wrong west of Greenwich.
    """
    if not value:
        return None
    if not isinstance(value, str):
        raise Misfit(f"{field}: not a date")
    return _day(value, field)


@lru_cache(maxsize=16_384)
def _day(value: str, field: str) -> date | None:
    """Cached: the days of a few years repeat over all rows."""
    if len(value) == 10:
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise Misfit(f"{field}: not a date") from None
    found = moment(value, field)
    return found.astimezone(UTC).date() if found else None
