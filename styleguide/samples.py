"""The invented list of the page: it is searched, filtered, sorted and paged as those of the product, and keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from core.web.lists import Asked, Column, Kept, Listing, ListKey, Outcome, View

STATES = {"new": ("Новый", "blue"), "kept": ("Ведётся", "green"), "away": ("В архиве", "neutral")}
PAGE = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list."""

    id: int
    name: str
    state: str
    people: int


LINES = tuple(
    Line(number, name, state, people)
    for number, (name, state, people) in enumerate(
        (
            ("Спящие клиенты", "kept", 1284),
            ("Скоро день рождения", "kept", 47),
            ("Лучшие по LTV", "new", 200),
            ("Проигранные сделки", "kept", 3120),
            ("Были на выставке", "away", 86),
            ("Купили один раз", "new", 940),
        ),
        1,
    )
)
LISTING = Listing(
    cast(ListKey, "sample"),  # nobody's views are kept under it
    (
        Column("name", "Название", first="asc"),
        Column("state", "Состояние"),
        Column("people", "Людей", "num", first="desc"),
        Column("note", "Заметка", shown=False),
    ),
    ("search", "state"),
    "-people",
)
KEPT = Kept((View("Ведутся", "state=kept", opens=True), View("Большие", "sort=-people")))


def shown(arguments: Mapping[str, str]) -> dict[str, Any]:
    """What the list's templates need."""
    asked = LISTING.asked(arguments, KEPT)
    found = _found(asked)
    begun = int(asked.after) if asked.after.isdigit() else 0
    end = begun + PAGE
    return {
        "asked": asked,
        "lines": found[begun:end],
        "number": len(found),
        "after": str(end) if end < len(found) else "",
        "states": STATES,
        "choices": [("", "в любом состоянии"), *((key, word) for key, (word, _) in STATES.items())],
        "outcomes": (
            ("2 сегмента убраны", Outcome(2)),
            ("1 сегмент убран", Outcome(1, [("Лучшие по LTV", "на нём стоят другие сегменты")])),
        ),
    }


def _found(asked: Asked) -> list[Line]:
    typed = asked["search"].casefold()
    found = (
        line
        for line in LINES
        if typed in line.name.casefold() and asked["state"] in ("", line.state)
    )
    key, falls = asked.by
    return sorted(found, key=lambda line: getattr(line, key), reverse=falls)
