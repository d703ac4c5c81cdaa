"""The stored totals of the base are what a count of its rows gives, however they came about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
import sqlalchemy as sa
from support.card_data import ANNA, BORIS, OURS, ROMASHKA, CardPortal

from integration.mirror import Contact, Deal
from integration.models import ChangedClient
from segments.models import BaseTotals, ClientKind, ClientMetrics
from segments.worth import base, metrics, totals


@pytest.fixture
def crm(session):
    return CardPortal(session)


def stored(crm, kind):
    crm.session.expire_all()
    row = crm.session.get(BaseTotals, (crm.id, kind))
    return row and {
        "clients": row.clients, "buyers": row.buyers, "repeat_buyers": row.repeat_buyers,
        "sales": row.sales, "revenue": row.revenue, "turnover": row.turnover,
    }  # fmt: skip


def counted(crm, kind, clients):
    """From the rows of `client_metrics`, in Python."""
    rows = crm.session.scalars(
        sa.select(ClientMetrics)
        .where(ClientMetrics.portal_id == crm.id, ClientMetrics.kind == kind)
        .execution_options(populate_existing=True)
    ).all()
    return {
        "clients": clients,
        "buyers": sum(row.sales > 0 for row in rows),
        "repeat_buyers": sum(row.sales > 1 for row in rows),
        "sales": sum(row.sales for row in rows),
        "revenue": sum((row.ltv for row in rows), Decimal(0)),
        "turnover": sum(((row.average_check or 0) * row.sales for row in rows), Decimal(0)),
    }


def assert_true(crm):
    assert stored(crm, ClientKind.CONTACT) == counted(crm, ClientKind.CONTACT, clients=2)
    assert stored(crm, ClientKind.COMPANY) == counted(crm, ClientKind.COMPANY, clients=1)


def change(crm, deal_id, **values):
    """A deal changes as the synchronisation would tell it: the clients it had and has are marked."""
    deal = crm.session.get(Deal, (crm.id, deal_id))
    had = {("contact", deal.contact_id), ("company", deal.company_id)}
    for name, value in values.items():
        setattr(deal, name, value)
    crm.price()
    mark(crm, had | {("contact", deal.contact_id), ("company", deal.company_id)})


def mark(crm, clients):
    crm.session.add_all(
        ChangedClient(portal_id=crm.id, kind=kind, client_id=client_id)
        for kind, client_id in clients
        if client_id
    )
    crm.session.flush()


def test_a_full_computation_counts_everything(crm):
    crm.deal(1000, company_id=ROMASHKA)
    crm.deal(500)
    crm.deal(-200, contacts=(BORIS,))
    crm.deal(900, contacts=(), company_id=OURS)
    crm.compute()
    assert_true(crm)
    people, companies = base.glance(crm.session, crm.id)
    assert (people.clients, people.buyers, people.repeat_buyers) == (2, 1, 1)
    assert (people.revenue, people.average_check) == (1300, 750)
    assert people.average_ltv == 1300
    assert (companies.clients, companies.buyers, companies.revenue) == (1, 1, 1000)


def test_every_kind_of_change_moves_the_totals_to_the_truth(crm):
    deals = [
        crm.deal(100, company_id=ROMASHKA), crm.deal(333.33), crm.deal(333.34),
        crm.deal(-50, contacts=(BORIS,)), crm.deal(10, stage="NEW", contacts=(BORIS,)),
    ]  # fmt: skip
    crm.compute()
    changes = [
        {"opportunity": Decimal("250.55")}, {"contact_id": BORIS}, {"company_id": ROMASHKA},
        {"opportunity": Decimal(-1)}, {"stage_semantic": "S"}, {"stage_semantic": "F"},
        {"deleted_at": datetime(2026, 11, 1, tzinfo=UTC)}, {"deleted_at": None},
        {"currency_id": "USD"}, {"contact_id": None}, {"contact_id": ANNA}, {"company_id": None},
        {"opportunity": Decimal(0)},
    ]  # fmt: skip
    random = Random(7)
    seen = set()
    for _ in range(60):
        change(crm, random.choice(deals), **random.choice(changes))
        metrics.compute_changed(crm.session, crm.id)
        assert_true(crm)
        seen.add(stored(crm, ClientKind.CONTACT)["revenue"])
    assert len(seen) > 6, "the changes have to change something"


def test_clients_nobody_marked_are_not_counted_twice(crm):
    crm.deal(100)
    crm.deal(70, contacts=(BORIS,))
    crm.compute()
    mark(crm, {("contact", ANNA), ("contact", 999)})
    metrics.compute_changed(crm.session, crm.id)
    metrics.compute_changed(crm.session, crm.id)
    assert_true(crm)


def test_a_changed_few_before_any_full_computation_count_everything(crm):
    crm.deal(100)
    mark(crm, {("contact", ANNA)})
    metrics.compute_changed(crm.session, crm.id)
    assert_true(crm)


def test_a_portal_never_computed_has_nothing_to_show(crm):
    people, companies = base.glance(crm.session, crm.id)
    assert (people.buyers, people.revenue) == (0, 0)
    assert people.average_check is people.computed_at is None
    assert companies.repeat_share is None


def test_clients_are_recounted_without_touching_the_sums(crm):
    crm.deal(100)
    crm.compute()
    boris = crm.session.get(Contact, (crm.id, BORIS))
    boris.deleted_at = datetime(2026, 11, 1, tzinfo=UTC)
    crm.session.flush()
    totals.recount_clients(crm.session, crm.id)
    assert stored(crm, ClientKind.CONTACT) == counted(crm, ClientKind.CONTACT, clients=1)


def test_who_is_active_is_counted_anew_when_another_window_has_begun(crm):
    crm.deal(100, (datetime.now(UTC) + timedelta(hours=3)).date().isoformat())
    crm.compute()
    total = crm.session.get(BaseTotals, (crm.id, ClientKind.CONTACT))
    total.active, total.active_since = 99, date(2020, 1, 1)
    metrics.renew_activity(crm.session, crm.id)
    assert (total.active, total.active_since > date(2020, 1, 1)) == (1, True)
    total.active = 7
    metrics.renew_activity(crm.session, crm.id)
    assert total.active == 7, "its window has not passed: nobody is looked at"


def test_the_best_clients_stay_the_best_whatever_changes(crm):
    """Six people with deals, five kept: some fall out, some come in, some fall among themselves."""
    people = [ANNA, BORIS, *range(901, 905)]
    deals = {who: crm.deal(100 * n, contacts=(who,)) for n, who in enumerate(people, start=1)}
    crm.compute()
    random = Random(3)
    seen = set()
    for _ in range(40):
        chosen = random.sample(people, random.randint(1, 2))
        for who in chosen:
            crm.session.get(Deal, (crm.id, deals[who])).opportunity = random.randint(-300, 900)
        crm.price()
        mark(crm, {("contact", who) for who in chosen})
        metrics.compute_changed(crm.session, crm.id)
        rows = crm.session.execute(
            sa.select(ClientMetrics.client_id)
            .where(ClientMetrics.portal_id == crm.id, ClientMetrics.kind == "contact")
            .order_by(ClientMetrics.ltv.desc(), ClientMetrics.client_id)
            .limit(5)
        ).scalars()
        crm.session.expire_all()
        shown = [client.client_id for client in base.best_clients(crm.session, crm.id)]
        assert shown == list(rows)
        seen.add(tuple(shown))
    assert len(seen) > 10
