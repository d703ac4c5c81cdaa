"""Values of conditions as a form has them: texts of inputs ⇄ the JSON of each kind of value.

What a person typed that is no such value stays in the draft as typed, so that nothing is lost: the
definition's own check says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.web import formats

Typed = Mapping[str, Sequence[str]]
"""The inputs of one condition: texts by the input's name."""

STARTING: dict[str, Any] = {
    "period": {"n": 30, "unit": "day"},
    "unit": "month",
    "percent": 10,
    "share": {"percent": 10, "salt": "1"},
}
"""Values a new condition begins with, where there is an obvious one."""


def read(shape: str, typed: Typed) -> Any:
    """The JSON value of the inputs; None when nothing is there."""
    return _READERS[shape](typed)


def shown(shape: str, value: Any) -> dict[str, list[str]]:
    """The texts of the inputs for a JSON value."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return _shown_parts(value)
    if shape in ("numbers", "days") and isinstance(value, list):
        first, last = [*value, "", ""][:2]
        return {"from": [_text(first)], "to": [_text(last)]}
    if isinstance(value, list):
        return {"value": [_text(each) for each in value]}
    return {"value": [_text(value)]}


def number(text: str) -> Any:
    """A number of what was typed, with a comma or spaces too; otherwise the text itself."""
    bare = text.replace("\xa0", "").replace("\u202f", "").replace(" ", "").replace(",", ".")
    if not bare:
        return None
    try:
        return int(bare) if bare.lstrip("+-").isdigit() and bare.isascii() else float(bare)
    except ValueError:
        return text


def _shown_parts(value: Mapping[str, Any]) -> dict[str, list[str]]:
    found = {key: [_text(part)] for key, part in value.items() if not isinstance(part, list)}
    if isinstance(days := value.get("days"), list):
        first, last = [*days, "", ""][:2]
        found |= {"from": [_text(first)], "to": [_text(last)]}
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return formats.typed(value)
    return str(value)


def _one(typed: Typed, name: str = "value") -> str:
    found = typed.get(name) or [""]
    return found[0].strip()


def _nothing(_typed: Typed) -> None:
    return None


def _plain(typed: Typed) -> str | None:
    return _one(typed) or None


def _lines(typed: Typed, name: str = "value") -> list[str] | None:
    lines = [line.strip() for text in typed.get(name, ()) for line in text.splitlines()]
    return [line for line in lines if line] or None


def _number(typed: Typed) -> Any:
    return number(_one(typed))


def _pair(convert: Callable[[str], Any]) -> Callable[[Typed], Any]:
    def read_pair(typed: Typed) -> Any:
        pair = [convert(_one(typed, "from")), convert(_one(typed, "to"))]
        return None if pair == [None, None] else pair

    return read_pair


def _day(text: str) -> str | None:
    return text or None


def _period(typed: Typed) -> Any:
    return {"n": number(_one(typed, "n")), "unit": _one(typed, "unit") or "day"}


def _ticked(typed: Typed) -> list[int] | None:
    return [int(text) for text in typed.get("value", ()) if text.isdigit()] or None


def _chosen(typed: Typed) -> list[str] | None:
    """What was chosen before and isn't offered right now stays; of the offered, what is ticked.

    Where the portal has no list to choose from, the values are typed, one a line.
    """
    if "lines" in typed:
        return _lines(typed, "lines")
    offered = set(typed.get("offered", ()))
    before = [each for each in typed.get("kept", ()) if each not in offered]
    return list(dict.fromkeys([*before, *typed.get("value", ())])) or None


def _share(typed: Typed) -> Any:
    return {"percent": number(_one(typed, "percent")), "salt": _one(typed, "salt")}


def _segment(typed: Typed) -> Any:
    return number(_one(typed))


def _segment_on(typed: Typed) -> Any:
    return {"segment": number(_one(typed, "segment")), "day": _day(_one(typed, "day"))}


def _segment_between(typed: Typed) -> Any:
    days = [_day(_one(typed, "from")), _day(_one(typed, "to"))]
    return {"segment": number(_one(typed, "segment")), "days": days}


_READERS: dict[str, Callable[[Typed], Any]] = {
    "nothing": _nothing,
    "text": _plain,
    "texts": _lines,
    "pattern": _plain,
    "number": _number,
    "numbers": _pair(number),
    "percent": _number,
    "day": _plain,
    "days": _pair(_day),
    "period": _period,
    "unit": _plain,
    "months": _ticked,
    "weekdays": _ticked,
    "choices": _chosen,
    "count": _number,
    "share": _share,
    "segment": _segment,
    "segment_on": _segment_on,
    "segment_between": _segment_between,
}
