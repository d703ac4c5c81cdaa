"""What an administrator chooses about scores: how they are counted, what the groups are, where stages begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

from segments.rules import lifecycle, rfm

SHORTEST_WINDOW, LONGEST_WINDOW = 30, 3650
LONGEST_NAME = 60
FARTHEST_EDGE = 10_000


class How(StrEnum):
    """How the edges of scores are found."""

    QUANTILE = "quantile"
    THRESHOLDS = "thresholds"


class WrongChoice(ValueError):
    """A choice that can't be: `what` names the part of the form."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class OfKind:
    """The choices for one kind of client. `edges` None: the usual ones; `stages` None: by the gap curve."""

    how: How = How.QUANTILE
    edges: rfm.Edges | None = None
    stages: lifecycle.Edges | None = None


@dataclass(frozen=True, slots=True)
class ScoreChoices:
    """Everything that can be chosen. `names` are those given instead of the usual ones."""

    window: int = rfm.WINDOW_DAYS
    kinds: Mapping[str, OfKind] = field(default_factory=dict)
    matrix: tuple[str, ...] = rfm.MATRIX
    names: Mapping[str, str] = field(default_factory=dict)

    def of_kind(self, kind: str) -> OfKind:
        """The choices for this kind of client."""
        return self.kinds.get(kind, OfKind())

    def check(self) -> None:
        """Raise WrongChoice for what can't be."""
        if not SHORTEST_WINDOW <= self.window <= LONGEST_WINDOW:
            raise WrongChoice("window")
        for chosen in self.kinds.values():
            if chosen.edges is not None:
                _check_edges(chosen.edges)
            stages = chosen.stages
            if stages is not None and not (stages.ascend and stages.lost <= FARTHEST_EDGE):
                raise WrongChoice("stages")
        if len(self.matrix) != len(rfm.MATRIX) or not set(self.matrix) <= set(rfm.GROUPS):
            raise WrongChoice("matrix")
        for key, name in self.names.items():
            if key not in rfm.ALL_GROUPS or not 0 < len(name) <= LONGEST_NAME or "\0" in name:
                raise WrongChoice("names")

    @classmethod
    def of(cls, content: Mapping[str, Any] | None) -> ScoreChoices:
        """As stored; None: before anyone chose."""
        if content is None:
            return cls()
        return cls(
            content["window"],
            {kind: _of_kind(raw) for kind, raw in content["kinds"].items()},
            tuple(content["matrix"]),
            content["names"],
        )

    def content(self) -> dict[str, Any]:
        """To be stored; `of` gives the same choices back."""
        return {
            "window": self.window,
            "kinds": {kind: _content(chosen) for kind, chosen in self.kinds.items()},
            "matrix": list(self.matrix),
            "names": dict(self.names),
        }


def _check_edges(edges: rfm.Edges) -> None:
    parts: list[tuple[str, tuple[Any, ...], Any]] = [
        ("days", edges.days, FARTHEST_EDGE),
        ("purchases", edges.purchases, FARTHEST_EDGE),
        ("money", edges.money, Decimal(10) ** 12),
    ]
    for what, values, largest in parts:
        ascend = all(low < high for low, high in pairwise(values))
        if (
            len(values) != rfm.SCORES - 1
            or not ascend
            or not 0 < values[0] <= values[-1] <= largest
        ):
            raise WrongChoice(what)


def _of_kind(raw: Mapping[str, Any]) -> OfKind:
    edges, stages = raw.get("edges"), raw.get("stages")
    return OfKind(
        How(raw["how"]),
        edges
        and rfm.Edges(
            tuple(edges["days"]),
            tuple(edges["purchases"]),
            tuple(Decimal(amount) for amount in edges["money"]),
        ),
        stages and lifecycle.Edges(*stages),
    )


def _content(chosen: OfKind) -> dict[str, Any]:
    found: dict[str, Any] = {"how": chosen.how.value}
    if chosen.edges is not None:
        edges = chosen.edges
        found["edges"] = {
            "days": list(edges.days),
            "purchases": list(edges.purchases),
            "money": [str(amount) for amount in edges.money],
        }
    if chosen.stages is not None:
        stages = chosen.stages
        found["stages"] = [stages.cooling, stages.sleeping, stages.lost]
    return found
