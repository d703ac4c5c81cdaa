"""Parameters of methods, encoded alike for JSON bodies and for the commands of a batch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

Params = Mapping[str, Any]

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*\Z")


def plain(params: Params) -> dict[str, Any]:
    """The parameters as JSON may carry them, with the same meaning they have inside a batch.

    Booleans become 1/0, None is omitted (to clear a field send ""), times become ISO text. A None
    or an empty list in a filter is refused: left out, the filter would silently widen.
    """
    return {str(key): _plain(value, str(key)) for key, value in params.items() if value is not None}


def query(params: Params) -> str:
    """The parameters as PHP reads a query, values encoded once."""
    return "&".join(f"{key}={_quoted(value)}" for key, value in _pairs(plain(params)))


def command(method: str, params: Params | str) -> str:
    """A command of a batch that is sent in a JSON body; `params` may be a ready query.

    https://apidocs.bitrix24.com/settings/how-to-call-rest-api/data-encoding.html
    """
    encoded = params if isinstance(params, str) else query(params)
    return f"{method}?{encoded}" if encoded else method


def _plain(value: Any, path: str) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        _refuse_wide_filter(value, path)
        return {str(k): _plain(v, f"{path}.{k}") for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [_plain(item, path) for item in items if item is not None]
    if isinstance(value, datetime | date):
        return _moment(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{path}: {type(value).__name__} has no REST form")


def _refuse_wide_filter(value: Mapping[Any, Any], path: str) -> None:
    if path.split(".", 1)[0].lower() != "filter":
        return
    for key, item in value.items():
        if item is None or (isinstance(item, list | tuple | set | frozenset) and not item):
            raise ValueError(f"{path}.{key}: the condition has no value")


def _moment(value: date) -> str:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("a time without a zone would be read in the portal's zone")
    return value.isoformat()


def _pairs(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        name = _quoted(key)
        yield from _value_pairs(f"{prefix}[{name}]" if prefix else name, value)


def _value_pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from _pairs(value, name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_pairs(f"{name}[{index}]", item)
    else:
        yield name, str(value)


def _quoted(text: str) -> str:
    return text if _UNRESERVED.match(text) else quote(text, safe="")
