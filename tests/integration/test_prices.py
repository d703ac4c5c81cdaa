"""Deals in other currencies: converted at the rate of their closing day, and never again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa

from integration.mirror import Currency, Deal
from integration.models import ChangedClient, Portal
from integration.sync import prices
from integration.sync.entities import DEALS
from integration.sync.sources import store_cards


@pytest.fixture
def portal(session):
    portal = Portal(domain="prices.example.com", client_id="local.prices", base_currency="RUB")
    session.add(portal)
    session.flush()
    return portal


def rates(session, portal, day, *, new_base=False, **known):
    """The portal tells these rates on a day."""
    session.execute(sa.delete(Currency).where(Currency.portal_id == portal.id))
    session.add_all(
        Currency(portal_id=portal.id, code=code, rate=rate) for code, rate in known.items()
    )
    session.flush()
    prices.keep_rates(session, portal.id, date.fromisoformat(day), new_base=new_base)


def won(session, portal, deal_id, currency, closed_on, amount="100.00", **more):
    row = {
        "id": deal_id, "opportunity": amount, "currencyId": currency, "stageSemanticId": "S",
        "closedate": f"{closed_on}T03:00:00+03:00", "contactId": 7, "contactIds": [7], **more,
    }  # fmt: skip
    store_cards(session, portal.id, DEALS, [row], {}, note_clients=False)


def amount(session, portal, deal_id):
    return session.scalar(
        sa.select(Deal.base_amount).where(Deal.portal_id == portal.id, Deal.bitrix_id == deal_id)
    )


def noted(session, portal):
    query = sa.select(ChangedClient.client_id).where(ChangedClient.portal_id == portal.id)
    return set(session.scalars(query))


def test_a_deal_takes_the_rate_of_its_closing_day(session, portal):
    rates(session, portal, "2026-11-01", RUB=1, USD=80)
    rates(session, portal, "2026-11-10", RUB=1, USD=90)
    for deal_id, closed_on in enumerate(("2026-11-09", "2026-11-10", "2026-11-30"), 1):
        won(session, portal, deal_id, "USD", closed_on)
    assert [amount(session, portal, n) for n in (1, 2, 3)] == [8000, 9000, 9000]


def test_a_deal_older_than_the_first_rate_takes_the_oldest(session, portal):
    rates(session, portal, "2026-11-01", RUB=1, USD=80)
    rates(session, portal, "2026-11-10", RUB=1, USD=90)
    won(session, portal, 1, "USD", "2020-01-01")
    assert amount(session, portal, 1) == 8000


def test_later_rates_move_no_amount(session, portal):
    rates(session, portal, "2026-11-01", RUB=1, USD=80)
    won(session, portal, 1, "USD", "2026-11-01")
    rates(session, portal, "2026-11-01", RUB=1, USD=85)
    rates(session, portal, "2026-11-02", RUB=1, USD=200)
    won(session, portal, 1, "USD", "2026-11-01", title="edited in the portal")
    assert amount(session, portal, 1) == 8000
    assert noted(session, portal) == set()


def test_amounts_are_rounded_to_kopecks_and_those_in_base_currency_stay(session, portal):
    rates(session, portal, "2026-11-01", RUB=1, USD=Decimal("90.4512"))
    won(session, portal, 1, "USD", "2026-11-05", amount="10.01")
    won(session, portal, 2, "RUB", "2026-11-05", amount="-3.33")
    won(session, portal, 3, None, "2026-11-05", amount="5")
    assert [amount(session, portal, n) for n in (1, 2, 3)] == [
        Decimal("905.42"), Decimal("-3.33"), Decimal(5),
    ]  # fmt: skip


def test_a_currency_that_gets_its_first_rate_gets_its_amounts(session, portal):
    rates(session, portal, "2026-11-01", RUB=1)
    won(session, portal, 1, "KZT", "2026-11-01")
    won(session, portal, 2, "RUB", "2026-11-01")
    assert amount(session, portal, 1) is None
    rates(session, portal, "2026-11-02", RUB=1, KZT=Decimal("0.2"))
    assert amount(session, portal, 1) == 20
    assert noted(session, portal) == {7}, "its client is worth something else now"


def test_another_base_currency_converts_everything_anew(session, portal):
    rates(session, portal, "2026-11-01", RUB=1, USD=80)
    won(session, portal, 1, "USD", "2026-11-01")
    won(session, portal, 2, "RUB", "2026-11-01")
    portal.base_currency = "USD"
    session.flush()
    rates(session, portal, "2026-11-03", new_base=True, RUB=Decimal("0.0125"), USD=1)
    assert [amount(session, portal, n) for n in (1, 2)] == [100, Decimal("1.25")]
    assert noted(session, portal) == {7}


def test_another_portal_keeps_its_own_rates(session, portal):
    other = Portal(domain="other.example.com", client_id="local.other", base_currency="RUB")
    session.add(other)
    session.flush()
    rates(session, portal, "2026-11-01", RUB=1, USD=80)
    rates(session, other, "2026-11-01", RUB=1, USD=50)
    won(session, portal, 1, "USD", "2026-11-01")
    won(session, other, 1, "USD", "2026-11-01")
    assert (amount(session, portal, 1), amount(session, other, 1)) == (8000, 5000)
    rates(session, other, "2026-11-02", new_base=True, RUB=1, USD=60)
    assert (amount(session, portal, 1), amount(session, other, 1)) == (8000, 6000)
