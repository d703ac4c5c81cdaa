"""Scores, groups and the map: what SQL stores is what a naive count of the same purchases gives."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
import sqlalchemy as sa
from support.card_data import ANNA, BORIS, CardPortal

from core.clock import utcnow
from integration.mirror import Contact, Deal
from integration.models import ChangedClient
from segments.models import ClientKind
from segments.rules import rfm
from segments.rules.score_choices import How, OfKind, ScoreChoices, WrongChoice
from segments.scoring import scores
from segments.scoring.scored import ClientScores, ScoreBasis
from segments.worth import metrics

FEW, MANY = 20, 60
CONTACT = ClientKind.CONTACT
EDGES = rfm.Edges((10, 20, 100, 300), (2, 3, 4, 5), (Decimal(100), *map(Decimal, (300, 500, 900))))
TODAY = (utcnow() + timedelta(minutes=180)).date()


@pytest.fixture
def crm(session):
    return CardPortal(session, domain="rfm.example.com")


def fill(crm, clients, seed=3):
    """Clients with purchases and refunds, many of them alike."""
    random = Random(seed)
    crm.session.add_all(
        Contact(portal_id=crm.id, bitrix_id=100 + n, name=f"N{n}", created_at=utcnow())
        for n in range(clients)
    )
    rows = []
    for client in range(100, 100 + clients):
        for _ in range(random.choice([1, 1, 1, 2, 3, 6])):
            days = random.choice([0, 1, 5, 30, 30, 200, 364, 365, 700])
            rows.append((client, random.choice([-50, 100, 100, 250, 990]), days))
    crm.session.add_all(
        Deal(
            portal_id=crm.id, bitrix_id=number, contact_id=client, opportunity=Decimal(amount),
            currency_id="RUB", stage_id="WON", stage_semantic="S",
            closed_on=TODAY - timedelta(days=days),
        )
        for number, (client, amount, days) in enumerate(rows, 1)
    )  # fmt: skip
    crm.compute()


def purchases(crm):
    """By client: (day, amount) of every counted deal, from the rows."""
    found = {}
    query = sa.select(Deal.contact_id, Deal.closed_on, Deal.base_amount).where(
        Deal.portal_id == crm.id, Deal.stage_semantic == "S", Deal.deleted_at.is_(None),
        Deal.contact_id.is_not(None),
    )  # fmt: skip
    for client, day, amount in crm.session.execute(query):
        found.setdefault(client, []).append((day, amount))
    return {client: rows for client, rows in found.items() if any(a > 0 for _, a in rows)}


def values(rows, window=365, today=TODAY):
    """Days since, purchases and money of the window; None without purchases in it."""
    inside = [(day, amount) for day, amount in rows if (today - day).days < window]
    days = [(today - day).days for day, amount in inside if amount > 0]
    return (min(days), len(days), sum(amount for _, amount in inside)) if days else None


def shared(value, others):
    """The score as it is defined, by counting."""
    return 1 + 5 * sum(other < value for other in others) // len(others)


def naive(crm, *, edges=None, window=365):
    """(r, f, m) of every client who bought; by equal shares without `edges`."""
    each = {client: values(rows, window) for client, rows in purchases(crm).items()}
    buyers = [found for found in each.values() if found]
    columns = list(zip(*buyers, strict=True))

    def score(value, place):
        if edges is None:
            return shared(value, columns[place])
        chosen = (edges.days, edges.purchases, edges.money)[place]
        return 1 + sum(value >= edge for edge in chosen)

    return {
        client: found and (6 - score(found[0], 0), score(found[1], 1), score(found[2], 2))
        for client, found in each.items()
    }


def stored(crm, kind=CONTACT):
    crm.session.expire_all()
    query = sa.select(ClientScores).where(
        ClientScores.portal_id == crm.id, ClientScores.kind == kind
    )
    return {
        row.client_id: (
            row.bought,
            row.spent,
            row.previous_sale_on,
            row.r,
            row.f,
            row.m,
            row.group_key,
        )
        for row in crm.session.scalars(query)
    }


def scored(crm):
    return {client: tuple(row[3:6]) if row[3] else None for client, row in stored(crm).items()}


def choose(crm, **asked):
    scores.choose(crm.session, crm.id, ScoreChoices(**asked))


def basis(crm, kind=CONTACT):
    return crm.session.get(ScoreBasis, (crm.id, kind), populate_existing=True)


@pytest.mark.parametrize("seed", range(3))
def test_equal_shares_are_what_counting_gives_and_equal_values_share_a_score(crm, seed):
    fill(crm, MANY + seed * 7, seed)
    scores.compute_all(crm.session, crm.id)
    assert scored(crm) == naive(crm)
    assert basis(crm).how == How.QUANTILE
    assert basis(crm).buyers == sum(found is not None for found in naive(crm).values())
    kept = naive(crm)
    rows = purchases(crm)
    latest = min(values(rows[c])[0] for c in kept if kept[c])
    assert {kept[c][0] for c in kept if kept[c] and values(rows[c])[0] == latest} == {5}


def test_fewer_than_fifty_buyers_are_scored_by_thresholds(crm):
    fill(crm, FEW)
    scores.compute_all(crm.session, crm.id)
    rows = [values(found) for found in purchases(crm).values() if values(found)]
    check = sum(found[2] for found in rows) / sum(found[1] for found in rows)
    assert basis(crm).how == How.THRESHOLDS
    assert scored(crm) == naive(crm, edges=rfm.usual_edges(check))
    choose(crm, kinds={"contact": OfKind(How.QUANTILE, EDGES)})
    scores.compute_all(crm.session, crm.id)
    assert scored(crm) == naive(crm, edges=EDGES), "what was chosen goes before what is usual"


def test_thresholds_and_the_window_are_those_chosen(crm):
    fill(crm, MANY)
    choose(crm, window=30, kinds={"contact": OfKind(How.THRESHOLDS, EDGES)})
    scores.compute_all(crm.session, crm.id)
    assert scored(crm) == naive(crm, edges=EDGES, window=30)
    silent = [client for client, found in naive(crm, edges=EDGES, window=30).items() if not found]
    assert {stored(crm)[client][6] for client in silent} == {rfm.LOST}


def test_a_group_is_that_of_its_cell_and_a_changed_matrix_renames_it(crm):
    fill(crm, MANY)
    matrix = list(rfm.MATRIX)
    scores.compute_all(crm.session, crm.id)
    for row in stored(crm).values():
        if row[3]:
            assert row[6] == matrix[rfm.place_of(row[3], row[4], much=row[5] >= 4)]
    for much in (False, True):
        matrix[rfm.place_of(5, 1, much=much)] = "attention"
    choose(crm, matrix=tuple(matrix))
    assert scores.due(crm.session, crm.id) == [crm.id]
    scores.compute_all(crm.session, crm.id)
    corner = [row for row in stored(crm).values() if row[3:5] == (5, 1)]
    assert corner
    assert {row[6] for row in corner} == {"attention"}
    assert scores.due(crm.session, crm.id) == []


def test_the_usual_map_names_every_group(crm):
    assert set(rfm.MATRIX) == set(rfm.GROUPS)
    assert len(rfm.ALL_GROUPS) == 13
    assert rfm.MATRIX[rfm.place_of(2, 4, much=True)] == "cannot_lose"
    assert rfm.MATRIX[rfm.place_of(2, 4, much=False)] == "at_risk"


@pytest.mark.parametrize("how", How)
def test_changed_clients_are_scored_as_everybody_would_be_by_the_same_edges(crm, how):
    fill(crm, MANY)
    choose(crm, kinds={"contact": OfKind(how, EDGES if how == How.THRESHOLDS else None)})
    scores.compute_all(crm.session, crm.id)
    random = Random(5)
    deals = crm.session.scalars(sa.select(Deal).where(Deal.portal_id == crm.id)).all()
    touched = set()
    for deal in random.sample(list(deals), 25):
        touched.add(deal.contact_id)
        change = random.choice(
            [{"opportunity": Decimal(5000)}, {"stage_semantic": "F"}, {"contact_id": 101},
             {"closed_on": TODAY}, {"opportunity": Decimal(-10)}]
        )  # fmt: skip
        for name, value in change.items():
            setattr(deal, name, value)
        touched.add(deal.contact_id)
    crm.price()
    crm.session.add_all(
        ChangedClient(portal_id=crm.id, kind="contact", client_id=client) for client in touched
    )
    crm.session.flush()
    before = stored(crm)
    outcome = metrics.compute_changed(crm.session, crm.id)
    assert scores.compute_some(crm.session, crm.id, outcome.touched) > 0
    some = stored(crm)
    assert some != before
    kept = basis(crm)
    edges = rfm.Edges(tuple(kept.days), tuple(kept.purchases), tuple(kept.money))
    choose(crm, kinds={"contact": OfKind(How.THRESHOLDS, _distinct(edges))})
    assert scored(crm) == naive(crm, edges=edges)
    if how == How.THRESHOLDS:
        scores.compute_all(crm.session, crm.id)
        assert stored(crm) == some
    assert scores.compute_some(crm.session, crm.id, outcome.touched) == 0, "nothing more to write"


def _distinct(edges):
    """Edges as one may choose them: ascending, four."""
    return EDGES if len(set(edges.purchases)) < 4 or len(edges.days) < 4 else edges


def test_scores_are_due_before_the_first_time_when_a_day_passes_and_after_all_metrics_are_new(crm):
    crm.deal(100)
    assert scores.due(crm.session, crm.id) == []
    crm.compute()
    assert scores.due(crm.session, crm.id) == [crm.id]
    scores.compute_all(crm.session, crm.id)
    assert scores.due(crm.session) == []
    scores.put_off(crm.session, crm.id)
    assert scores.due(crm.session, crm.id) == [crm.id]
    scores.compute_all(crm.session, crm.id)
    basis(crm).day -= timedelta(days=1)
    crm.session.flush()
    assert scores.due(crm.session, crm.id) == [crm.id]


def test_a_split_deal_scores_each_contact(crm):
    crm.deal(100, TODAY.isoformat(), contacts=(ANNA, BORIS))
    crm.deal(70, (TODAY - timedelta(days=3)).isoformat(), contacts=(BORIS,))
    crm.compute()
    scores.compute_all(crm.session, crm.id)
    assert {client: row[:3] for client, row in stored(crm).items()} == {
        ANNA: (1, Decimal(100), None),
        BORIS: (1, Decimal(70), None),
    }


@pytest.mark.parametrize(
    ("what", "asked"),
    [
        ("window", {"window": 7}),
        ("days", {"kinds": {"contact": OfKind(edges=rfm.Edges((9, 9, 10, 11), EDGES.purchases, EDGES.money))}}),
        ("purchases", {"kinds": {"contact": OfKind(edges=rfm.Edges(EDGES.days, (3, 2, 4, 5), EDGES.money))}}),
        ("money", {"kinds": {"contact": OfKind(edges=rfm.Edges(EDGES.days, EDGES.purchases, (Decimal(0),) * 4))}}),
        ("matrix", {"matrix": ("best",) * 49}),
        ("matrix", {"matrix": (rfm.FRESH,) * 50}),
        ("names", {"names": {"best": ""}}),
        ("names", {"names": {"nobody": "Никто"}}),
    ],
)  # fmt: skip
def test_choices_that_cannot_be_are_refused_by_name(crm, what, asked):
    with pytest.raises(WrongChoice) as refused:
        choose(crm, **asked)
    assert refused.value.what == what


def test_choices_come_back_as_they_were_stored(crm):
    asked = ScoreChoices(
        90, {"company": OfKind(How.THRESHOLDS, EDGES)}, rfm.MATRIX[::-1], {"best": "Золото"}
    )
    assert scores.choose(crm.session, crm.id, asked)
    assert scores.choices_of(crm.session, crm.id) == (2, asked)
    assert not scores.choose(crm.session, crm.id, asked)
