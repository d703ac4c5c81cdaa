"""What a preset is made of: its row in the gallery, what it lacks on a portal, and words to write its conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segments.ready.parameters import Facts, Parameter
from segments.rules.tree import CLIENTS, VERSION

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes/no field that can be created on the portal for a preset."""

    code: str
    entities: tuple[str, ...]
    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What a preset lacks here. `words` is a message id that says what to do.

    `parameter`: what to choose to go on; `flag`: the field to create; `read`: what the mirror has not read.
    """

    words: str
    parameter: str | None = None
    flag: Flag | None = None
    read: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """The portal's facts and the values of a preset's parameters."""

    facts: Facts
    values: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


def nothing_missing(_given: Given) -> list[Missing]:
    """For presets that any portal can answer."""
    return []


@dataclass(frozen=True, slots=True)
class Preset:
    """A ready question. `name`, `about` and `group` are message ids; `build` gives the definition's JSON."""

    key: str
    group: str
    name: str
    about: str
    build: Callable[[Given], Json]
    parameters: tuple[Parameter, ...] = ()
    lacks: Callable[[Given], list[Missing]] = nothing_missing


def all_of(*parts: Json) -> Json:
    """All of these hold."""
    return {"all": list(parts)}


def any_of(*parts: Json) -> Json:
    """One of these holds."""
    return {"any": list(parts)}


def none_of(*parts: Json) -> Json:
    """None of these holds."""
    return {"none": list(parts)}


def is_(field: str, op: str, value: Any = None) -> Json:
    """A field compared."""
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def days(number: int) -> Json:
    """A period of so many days."""
    return {"n": number, "unit": "day"}


def some(relation: str, *where: Json) -> Json:
    """There is a related row for which all of these hold."""
    return _related(relation, "any", where)


def no(relation: str, *where: Json) -> Json:
    """There is no related row for which all of these hold."""
    return _related(relation, "none", where)


def last(relation: str, *where: Json) -> Json:
    """All of these hold for the last related row."""
    return _related(relation, "last", where)


def first(relation: str, *where: Json) -> Json:
    """All of these hold for the first related row."""
    return _related(relation, "first", where)


def at_least(number: int, relation: str, *where: Json) -> Json:
    """There are so many such related rows."""
    return _related(relation, "count", where) | {"op": "ge", "value": number}


def clients(*where: Json, kinds: Sequence[str] = CLIENTS) -> Json:
    """Clients for whom all of these hold."""
    return {
        "version": VERSION,
        "clients": {"kinds": [str(kind) for kind in kinds], "where": all_of(*where)},
    }


def leads(*where: Json) -> Json:
    """Leads for which all of these hold."""
    return {"version": VERSION, "leads": {"where": all_of(*where)}}


def both(client_part: Json, lead_part: Json) -> Json:
    """Clients and leads, each person once."""
    return {
        "version": VERSION,
        "clients": {"where": client_part},
        "leads": {"where": lead_part},
    }


def nothing_chosen(words: str, *keys: str) -> Callable[[Given], list[Missing]]:
    """For presets that need one of these parameters: `words` says so."""
    return lambda given: (
        [] if any(given[key] for key in keys) else [Missing(words, parameter=keys[0])]
    )


def counted_deal(given: Given, *where: Json) -> tuple[Json, ...]:
    """Conditions of a deal in a pipeline that counts by the sale rule."""
    pipelines = given.facts.scope.rule.pipelines
    if pipelines is None:
        return where
    numbers = [str(number) for number in pipelines]
    return (*where, is_("pipeline", "any_of", numbers) if numbers else any_of())


def _related(relation: str, measure: str, where: Sequence[Json]) -> Json:
    asked = {"where": all_of(*where)} if where else {}
    return {"related": relation, "measure": measure} | asked
