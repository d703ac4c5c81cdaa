"""Purchases → scores and groups: all clients by the edges of a day, or the changed few by the edges kept from it.

A statement of its own, after the metrics: their recompute doesn't wait for it. A passing day, another rule
and another choice make the stored scores due.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import any_of
from core.locks import one_at_a_time
from integration import admin_rules
from integration.admin_rules import RuleName
from integration.models import AdminRule, Money, Portal, PortalState
from segments.models import ClientKind, ClientMetrics, MetricsRun
from segments.rules import lifecycle, rfm
from segments.rules.score_choices import How, OfKind, ScoreChoices
from segments.scoring import everybody, outlook, score_facts
from segments.scoring.scored import ClientScores, ScoreBasis
from segments.worth import activity, months, swap
from segments.worth.sales import Rule, rule_of

_LOCK = 0x5343
_TABLE: Any = ClientScores.__table__
_MEMORY = "64MB"  # purchases are put in order by client
_KEY = ("portal_id", "kind", "client_id")


@dataclass(frozen=True, slots=True)
class Basis:
    """What clients of a kind are scored by."""

    day: date
    window: int
    how: How
    edges: rfm.Edges
    matrix: tuple[str, ...]


def choices_of(session: Session, portal_id: int) -> tuple[int, ScoreChoices]:
    """The administrator's choices in force, with their version."""
    version, content = admin_rules.in_force(session, portal_id, RuleName.SCORES)
    return version, ScoreChoices.of(content)


def choose(
    session: Session,
    portal_id: int,
    choices: ScoreChoices,
    user_id: int | None = None,
    *,
    made_from: int | None = None,
) -> bool:
    """Put the choices into force; False when they are already. Raises WrongChoice, Overtaken."""
    choices.check()
    return admin_rules.save(
        *(session, portal_id, RuleName.SCORES, choices.content()),
        start=ScoreChoices().content(),
        user_id=user_id,
        made_from=made_from,
    )


def due(session: Session, portal_id: int | None = None) -> list[int]:
    """Portals whose metrics are computed and whose scores are not of today, of these rules and choices."""
    basis, chosen = ScoreBasis, AdminRule
    version = (
        sa.select(sa.func.coalesce(sa.func.max(chosen.version), 0))
        .where(chosen.portal_id == Portal.id, chosen.rule == RuleName.SCORES)
        .correlate(Portal)
        .scalar_subquery()
    )
    shift = sa.func.make_interval(0, 0, 0, 0, 0, Portal.utc_offset_minutes)
    today = sa.cast(sa.func.timezone("UTC", utcnow()) + shift, sa.Date)
    query = (
        sa.select(Portal.id)
        .join(MetricsRun, MetricsRun.portal_id == Portal.id)
        .outerjoin(
            basis,
            sa.and_(basis.portal_id == Portal.id, basis.kind == ClientKind.CONTACT.value),
        )
        .where(
            Portal.state == PortalState.ACTIVE,
            sa.or_(
                basis.portal_id.is_(None),
                basis.due,
                basis.day != today,
                basis.rule_version != MetricsRun.rule_version,
                basis.choices_version != version,
            ),
        )
    )
    return list(
        session.scalars(query if portal_id is None else query.where(Portal.id == portal_id))
    )


def put_off(session: Session, portal_id: int) -> None:
    """All metrics are new: the scores are to follow."""
    session.execute(sa.update(ScoreBasis).where(ScoreBasis.portal_id == portal_id).values(due=True))


def compute_all(session: Session, portal_id: int) -> int:
    """Score every client of the portal by new edges; returns how many. Call in its own transaction."""
    one_at_a_time(session, _LOCK, portal_id)
    session.execute(sa.text(f"SET LOCAL work_mem = '{_MEMORY}'"))
    rule = rule_of(session, portal_id)
    version, choices = choices_of(session, portal_id)
    day = activity.today(rule)
    kinds = sorted(ClientKind)
    with (
        score_facts.gathered(session, rule, kinds[0], day, choices.window) as first,
        score_facts.gathered(session, rule, kinds[1], day, choices.window) as second,
    ):
        selects, learnt = [], {}
        for kind, table in zip(kinds, (first, second), strict=True):
            started = time.perf_counter()
            basis, number = basis_of(session, table, day, choices, kind)
            pauses = score_facts.pauses(session, rule, kind, table, day)
            stages = _stages(choices.of_kind(kind), pauses.all)
            learnt[kind] = (pauses, stages)
            selects.append(_scored(rule, kind, basis, table))
            values = {
                **_stored(basis, number),
                "gaps": [[each.days, each.ended, each.open] for each in pauses.all],
                "stages": [stages.cooling, stages.sleeping, stages.lost],
                "ltv_percentiles": _percentiles(session, portal_id, kind),
                "rule_version": rule.version,
                "choices_version": version,
                "due": False,
                "seconds": round(time.perf_counter() - started, 3),
                "computed_at": utcnow(),
            }
            put = insert(ScoreBasis).values(portal_id=portal_id, kind=kind.value, **values)
            session.execute(
                put.on_conflict_do_update(index_elements=["portal_id", "kind"], set_=values)
            )
        scored_clients = swap.replace(session, _TABLE, portal_id, selects)
    for kind in kinds:
        pauses, stages = learnt[kind]
        alike = everybody.look(session, rule, kind, day, stages)
        mine = ScoreBasis.portal_id == portal_id, ScoreBasis.kind == kind.value
        cells = everybody.cells(alike)
        session.execute(sa.update(ScoreBasis).where(*mine).values(cells=cells))
        outlook.keep(session, rule, kind, day, pauses, stages.sleeping, alike)
        months.keep(session, rule, kind, day)
    return scored_clients


def compute_some(
    session: Session, portal_id: int, touched: Mapping[ClientKind, Collection[int]]
) -> int:
    """Score these clients anew by the edges kept, in the caller's transaction; returns the rows written."""
    if not any(touched.values()):
        return 0
    one_at_a_time(session, _LOCK, portal_id)
    rule = rule_of(session, portal_id)
    choices = choices_of(session, portal_id)[1]
    written = 0
    for kind, ids in touched.items():
        kept = session.get(ScoreBasis, (portal_id, kind.value), populate_existing=True)
        if kept is not None and ids:
            written += _store_some(session, rule, kind, _kept(kept, choices), ids)
    return written


def basis_of(
    session: Session, table: Any, day: date, choices: ScoreChoices, kind: ClientKind
) -> tuple[Basis, int]:
    """The edges these facts and choices give, and the number of buyers."""
    number, check = score_facts.buyers(session, table)
    chosen = choices.of_kind(kind)
    how = chosen.how if number >= rfm.FEWEST_BUYERS else How.THRESHOLDS
    if how is How.QUANTILE:
        edges = score_facts.by_quantiles(session, table, day)
    else:
        edges = chosen.edges or rfm.usual_edges(check)
    return Basis(day, choices.window, how, edges, choices.matrix), number


def scored(basis: Basis, facts: Any) -> sa.Select[Any]:
    """Scores and group of each row of facts: client_id, bought, spent, previous_on, r, f, m, group_key."""
    edges = basis.edges
    idle = sa.cast(basis.day, sa.Date) - facts.c.last_on
    inside = facts.c.bought > 0
    cell = sa.select(
        *(facts.c[name] for name in ("client_id", "bought", "spent", "previous_on")),
        sa.case((inside, rfm.SCORES - _reached(idle, edges.days, sa.Integer()))).label("r"),
        sa.case((inside, 1 + _reached(facts.c.bought, edges.purchases, sa.BigInteger()))).label(
            "f"
        ),
        sa.case((inside, 1 + _reached(facts.c.spent, edges.money, sa.Numeric()))).label("m"),
    ).subquery("cell")
    names = sa.func.string_to_array(",".join(basis.matrix), ",", type_=sa.ARRAY(sa.Text))
    much = sa.cast(cell.c.m >= rfm.MUCH, sa.Integer)
    place = ((cell.c.r - 1) * rfm.SCORES + cell.c.f - 1) * 2 + much + 1  # arrays begin at 1
    group: sa.ColumnElement[Any] = sa.case(
        (cell.c.r.is_(None), sa.literal(rfm.LOST)), else_=names[place]
    )
    return sa.select(*cell.c, group.label("group_key"))


def _reached(value: Any, edges: Collection[Any], kind: Any) -> sa.ColumnElement[Any]:
    listed = sa.cast(sa.literal(list(edges), sa.ARRAY(kind)), sa.ARRAY(kind))
    return sa.func.width_bucket(sa.cast(value, kind), listed, type_=sa.Integer())


def _scored(rule: Rule, kind: ClientKind, basis: Basis, facts: Any) -> sa.Select[Any]:
    """The rows of `client_scores`."""
    row = scored(basis, facts).subquery("row").c
    return sa.select(
        sa.literal(rule.portal_id).label("portal_id"),
        sa.literal(kind.value, sa.Text).label("kind"),
        *(row.client_id, row.bought, row.spent.cast(Money).label("spent")),
        row.previous_on.label("previous_sale_on"),
        *(row.r, row.f, row.m, row.group_key),
    )


def _store_some(
    session: Session, rule: Rule, kind: ClientKind, basis: Basis, ids: Collection[int]
) -> int:
    facts = score_facts.facts(rule, kind, basis.day, basis.window, ids).subquery("facts")
    fresh = _scored(rule, kind, basis, facts).cte("fresh").prefix_with("MATERIALIZED")
    names = [column.name for column in _TABLE.columns]
    put = insert(_TABLE).from_select(names, sa.select(*fresh.c))
    values = [name for name in names if name not in _KEY]
    kept = sa.tuple_(*(_TABLE.c[name] for name in values))
    put = put.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={name: put.excluded[name] for name in values},
        where=kept.is_distinct_from(sa.tuple_(*(put.excluded[name] for name in values))),
    )
    written = len(session.execute(put.returning(sa.literal(1))).all())
    gone = sa.delete(_TABLE).where(
        _TABLE.c.portal_id == rule.portal_id,
        _TABLE.c.kind == kind.value,
        _TABLE.c.client_id == any_of(ids),
        _TABLE.c.client_id.not_in(sa.select(facts.c.client_id)),
    )
    return written + len(session.execute(gone.returning(sa.literal(1))).all())


def _percentiles(session: Session, portal_id: int, kind: ClientKind) -> list[Decimal] | None:
    """The LTV that 1, 2… 99 of a hundred buyers don't exceed; None without buyers."""
    hundredths = sa.literal([place / 100 for place in range(1, 100)], ARRAY(sa.Double))
    metrics = ClientMetrics
    query = sa.select(sa.func.percentile_disc(hundredths).within_group(metrics.ltv)).where(
        metrics.portal_id == portal_id, metrics.kind == kind.value
    )
    return session.scalar(query)


def _stored(basis: Basis, number: int) -> dict[str, Any]:
    return {
        "day": basis.day,
        "window_days": basis.window,
        "buyers": number,
        "how": basis.how.value,
        "days": list(basis.edges.days),
        "purchases": list(basis.edges.purchases),
        "money": list(basis.edges.money),
    }


def _kept(row: ScoreBasis, choices: ScoreChoices) -> Basis:
    money = tuple(Decimal(amount) for amount in row.money)
    edges = rfm.Edges(tuple(row.days), tuple(row.purchases), money)
    return Basis(row.day, row.window_days, How(row.how), edges, choices.matrix)


def _stages(chosen: OfKind, found: Collection[lifecycle.Gaps]) -> lifecycle.Edges:
    """The edges of the lifecycle in force: chosen, of the curve, or the usual ones."""
    ended = sum(each.ended for each in found)
    measured = lifecycle.edges(lifecycle.curve(found), ended)
    return chosen.stages or measured or lifecycle.FALLBACK
