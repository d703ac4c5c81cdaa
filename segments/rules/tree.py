"""What a segment is made of: a tree of conditions for clients, one for leads, or both.

The JSON form, version 1 (read and checked by `segments.conditions.definitions`):

    {"version": 1,
     "clients": {"kinds": ["contact", "company"], "where": GROUP},
     "leads": {"where": GROUP},
     "limit": {"count": 500, "by": "ltv"}}

    GROUP      {"all" | "any" | "none": [GROUP | CONDITION | RELATED, …]}
    CONDITION  {"field": "birth_date", "op": "anniversary_within", "value": {"n": 7, "unit": "day"}}
    RELATED    {"related": "deals", "measure": "count", "op": "ge", "value": 2, "where": GROUP}

All conditions of one `where` are asked of one and the same deal. An empty `all` or `none` holds for
everybody, an empty `any` for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

VERSION = 1
MAX_DEPTH = 5
MAX_CONDITIONS = 100


class Kind(StrEnum):
    """The kinds of cards a segment can select."""

    CONTACT = "contact"
    COMPANY = "company"
    LEAD = "lead"


CLIENTS = (Kind.CONTACT, Kind.COMPANY)


class Mode(StrEnum):
    """How many parts of a group have to hold."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


class Measure(StrEnum):
    """What is asked of the related rows that satisfy the inner conditions."""

    ANY = "any"  # there is one
    NONE = "none"  # there is none
    FIRST = "first"  # the first of all the client's rows satisfies them
    LAST = "last"  # the last one does
    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"

    @property
    def compares(self) -> bool:
        """Whether the measure is a value that an operator compares."""
        return self in _VALUES

    @property
    def of_field(self) -> bool:
        """Whether it measures a field of the rows."""
        return self in _VALUES and self is not Measure.COUNT


_VALUES = frozenset({Measure.COUNT, Measure.SUM, Measure.AVG, Measure.MIN, Measure.MAX})


@dataclass(frozen=True, slots=True)
class Condition:
    """A field of the card, or of a related row, compared. `value` is as in the JSON."""

    field: str
    op: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Related:
    """A question about rows of another kind that belong to the card: its deals, addresses, calls…"""

    relation: str
    measure: Measure = Measure.ANY
    where: Group | None = None
    of: str | None = None
    op: str | None = None
    value: Any = None


@dataclass(frozen=True, slots=True)
class Group:
    """Parts of which all, any or none have to hold."""

    mode: Mode = Mode.ALL
    parts: tuple[Node, ...] = ()


Node = Group | Condition | Related
EVERYBODY = Group()


@dataclass(frozen=True, slots=True)
class Limit:
    """Only so many of those found: the highest by a metric, or by chance (`by` None; repeatable)."""

    count: int
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A segment's question: which clients, which leads. None leaves the side out.

    With both sides a person counts once: a lead that became a client, or shares an address with a
    selected one, is left out.
    """

    clients: Group | None = None
    kinds: tuple[Kind, ...] = CLIENTS
    leads: Group | None = None
    limit: Limit | None = None

    def of_clients(self) -> tuple[tuple[Kind, Group], ...]:
        """Each kind of client asked for, with its tree."""
        return tuple((kind, self.clients) for kind in self.kinds if self.clients is not None)

    def asked(self) -> tuple[tuple[Kind, Group], ...]:
        """Each kind of card with its tree."""
        leads = () if self.leads is None else ((Kind.LEAD, self.leads),)
        return (*self.of_clients(), *leads)

    @property
    def stands_alone(self) -> bool:
        """Whether a card's membership depends on that card only: no limit, no client standing for a lead."""
        return self.limit is None and (self.clients is None or self.leads is None)

    def only(self, kind: Kind) -> Definition:
        """As far as it is about one kind of card; for one that stands alone."""
        return replace(self, kinds=(kind,) if kind is not Kind.LEAD else self.kinds)

    def trees(self) -> tuple[Group, ...]:
        """The trees of both sides."""
        return tuple(tree for tree in (self.clients, self.leads) if tree is not None)


def walk(node: Node, *, inner: bool = True) -> Iterator[Node]:
    """The node and everything below it; without `inner`, not the conditions on related rows."""
    yield node
    if isinstance(node, Group):
        for part in node.parts:
            yield from walk(part, inner=inner)
    elif isinstance(node, Related) and inner and node.where is not None:
        yield from walk(node.where)
