"""Sales by month: first purchases and repeat ones, from the same sales that everything else is counted from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.card_data import ANNA, BORIS, ROMASHKA, CardPortal

from segments.models import ClientKind
from segments.worth import months
from segments.worth.months import Month
from segments.worth.sales import rule_of

TODAY = date(2026, 3, 10)


@pytest.fixture
def crm(session):
    return CardPortal(session)


def counted(crm, kind=ClientKind.CONTACT):
    crm.compute()
    months.keep(crm.session, rule_of(crm.session, crm.id), kind, TODAY)
    return months.newest(crm.session, crm.id, kind, TODAY)


def test_a_clients_first_day_is_told_from_all_later_ones(crm):
    crm.deal(1000, "2026-01-05")
    crm.deal(200, "2026-01-05")
    crm.deal(300, "2026-01-06")
    crm.deal(700, "2026-03-01")
    crm.deal(50, "2026-03-02", contacts=(BORIS,))
    assert counted(crm) == [
        Month(date(2026, 1, 1), 2, Decimal(1200), 1, Decimal(300)),
        Month(date(2026, 2, 1)),
        Month(date(2026, 3, 1), 1, Decimal(50), 1, Decimal(700)),
    ]


def test_refunds_open_deals_and_days_to_come_are_left_out(crm):
    crm.deal(1000, "2026-03-01")
    crm.deal(-400, "2026-03-02")
    crm.deal(900, "2026-03-02", stage="NEW")
    crm.deal(800, "2026-03-11")
    assert counted(crm) == [Month(date(2026, 3, 1), 1, Decimal(1000))]


def test_companies_have_months_of_their_own_and_old_ones_are_not_shown(crm):
    crm.deal(10, "2023-05-01", contacts=(ANNA,))
    crm.deal(1000, "2026-02-01", company_id=ROMASHKA, contacts=(ANNA,))
    assert counted(crm, ClientKind.COMPANY) == [
        Month(date(2026, 2, 1), 1, Decimal(1000)),
        Month(date(2026, 3, 1)),
    ]
    assert counted(crm)[0] == Month(date(2026, 2, 1), 0, Decimal(0), 1, Decimal(1000))


def test_the_share_of_repeat_purchases_is_of_twelve_months():
    old = Month(date(2025, 1, 1), 1, Decimal(10_000))
    year = [Month(date(2025, 1, 1), 1, Decimal(10), 2, Decimal(30)) for _ in range(12)]
    assert months.repeat_share([old, *year]) == Decimal("0.75")
    assert months.repeat_share([]) is None
