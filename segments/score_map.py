"""What the RFM page shows: clients and LTV by cell, group and stage of life, the curve, what other choices would change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy.orm import Session

from segments.conditions.catalog import scope_of
from segments.models import ClientKind
from segments.rules import gap_chart, lifecycle, rfm
from segments.rules.gap_chart import Plot
from segments.rules.lifecycle import Edges, Gaps
from segments.rules.score_choices import ScoreChoices
from segments.rules.tree import VERSION
from segments.scoring import score_facts, scores
from segments.scoring.everybody import Cell
from segments.scoring.scored import ClientScores, ScoreBasis
from segments.worth.sales import rule_of

SHOWN_MOVES = 12
HEIGHT = 180.0


@dataclass
class Sum:
    """Some clients: how many, their LTV, its share of everybody's, and the way to them in the builder."""

    href: str
    number: int = 0
    ltv: Decimal = Decimal(0)
    share: Decimal | None = None
    groups: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def main(self) -> str | None:
        """The group of most of them."""
        return max(self.groups, key=lambda key: self.groups[key], default=None)


@dataclass(frozen=True, slots=True)
class Map:
    """A kind's clients: by R (from 5) and F, by group, by stage of life."""

    rows: list[tuple[int, list[Sum]]]
    groups: dict[str, Sum]
    stages: dict[str, Sum]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The gap curve as drawn, what it says, and the edges in force; `own`: an administrator's."""

    ended: int
    measured: Edges | None
    stages: Edges
    own: bool
    by_rhythm: bool
    plot: Plot | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What other choices would make of a kind's clients: how many would change their group, from which to which."""

    kind: ClientKind
    how: str
    buyers: int
    changed: int
    moves: list[tuple[str, str, int]]
    edges: rfm.Edges


def basis(session: Session, portal_id: int, kind: ClientKind) -> ScoreBasis | None:
    """What the clients of a kind were scored by; None while nobody is."""
    return session.get(ScoreBasis, (portal_id, kind.value))


def drawn(row: ScoreBasis | None) -> Map | None:
    """Everybody alive when the scores of the day were counted; None while nobody is."""
    if row is None or row.cells is None:
        return None
    return _mapped(ClientKind(row.kind), row.cells)


def rhythm(row: ScoreBasis, choices: ScoreChoices) -> Rhythm:
    """The gap curve behind the stages."""
    gaps = [Gaps(*each) for each in row.gaps]
    ended = sum(each.ended for each in gaps)
    steps = lifecycle.curve(gaps)
    stages = Edges(*row.stages)
    return Rhythm(
        ended=ended,
        measured=lifecycle.edges(steps, ended),
        stages=stages,
        own=choices.of_kind(row.kind).stages is not None,
        by_rhythm=bool(steps) and lifecycle.by_rhythm(steps),
        plot=gap_chart.plot(steps, stages, HEIGHT) if ended >= lifecycle.LEAST_GAPS else None,
    )


def changes(session: Session, portal_id: int, choices: ScoreChoices) -> list[Changes]:
    """How many clients would change their group by these choices, saved or not. Raises WrongChoice."""
    choices.check()
    rule = rule_of(session, portal_id)
    day = scope_of(session, portal_id).today
    found = []
    for kind in ClientKind:
        with score_facts.gathered(session, rule, kind, day, choices.window) as facts:
            wished, buyers = scores.basis_of(session, facts, day, choices, kind)
            new = scores.scored(wished, facts).subquery("new")
            old = ClientScores
            same = sa.and_(
                old.portal_id == portal_id, old.kind == kind.value, old.client_id == new.c.client_id
            )
            number = sa.func.count()
            query = (
                sa.select(old.group_key, new.c.group_key, number)
                .select_from(new.join(old, same))
                .where(old.portal_id == portal_id, old.group_key != new.c.group_key)
                .group_by(old.group_key, new.c.group_key)
                .order_by(number.desc(), old.group_key, new.c.group_key)
            )
            moves = [(row[0], row[1], row[2]) for row in session.execute(query)]
        changed = sum(each[2] for each in moves)
        found.append(Changes(kind, wished.how, buyers, changed, moves[:SHOWN_MOVES], wished.edges))
    return found


def of_cell(kind: ClientKind, r: int, f: int) -> dict[str, Any]:
    """The segment of a cell's clients."""
    return _segment(
        kind, *({"field": f"rfm_{n}", "op": "eq", "value": v} for n, v in (("r", r), ("f", f)))
    )


def of_group(kind: ClientKind, key: str) -> dict[str, Any]:
    """The segment of a group."""
    return _segment(kind, {"field": "rfm_name", "op": "any_of", "value": [key]})


def of_stage(kind: ClientKind, key: str) -> dict[str, Any]:
    """The segment of a stage of life."""
    return _segment(kind, {"field": "lifecycle", "op": "any_of", "value": [key]})


def way(kind: ClientKind, **asked: Any) -> str:
    """The way to the clients of a cell, a group or a stage in the builder."""
    return "/segments/rfm/segment?" + urlencode({"kind": kind.value, **asked})


def _segment(kind: ClientKind, *conditions: dict[str, Any]) -> dict[str, Any]:
    where = {"all": list(conditions)}
    return {"version": VERSION, "clients": {"kinds": [kind.value], "where": where}}


def _mapped(kind: ClientKind, rows: Iterable[Cell]) -> Map:
    points = range(1, rfm.SCORES + 1)
    cells: dict[tuple[int | None, int | None], Sum] = {
        (r, f): Sum(way(kind, r=r, f=f)) for r in points for f in points
    }
    groups = {key: Sum(way(kind, group=key)) for key in rfm.ALL_GROUPS}
    stages = {key: Sum(way(kind, stage=key)) for key in lifecycle.STAGES}
    total = Decimal(0)
    for r, f, group, stage, number, ltv_text in rows:
        ltv = Decimal(ltv_text)
        total += ltv
        for found in (cells.get((r, f)), groups.get(group), stages.get(stage or "")):
            if found is not None:
                found.number += number
                found.ltv += ltv
                found.groups[group] += number
    if total > 0:
        for found in (*cells.values(), *groups.values(), *stages.values()):
            found.share = found.ltv / total
    by_r = [(r, [cells[r, f] for f in points]) for r in reversed(points)]
    return Map(by_r, groups, stages)
