"""The ground truth itself, on cases small enough to count by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from demo.data.generate import generate
from demo.data.sizes import Sizes
from demo.data.truth import Rule, Value, of_dataset, of_tables

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
CURRENCIES = [
    {"CURRENCY": "RUB", "AMOUNT_CNT": 1, "AMOUNT": 1.0, "BASE": "Y"},
    {"CURRENCY": "USD", "AMOUNT_CNT": 1, "AMOUNT": 90.0, "BASE": "N"},
    {"CURRENCY": "KZT", "AMOUNT_CNT": 100, "AMOUNT": 18.5, "BASE": "N"},
]


def deal(number, amount, *, contacts=(1,), company=0, closed=date(2026, 1, 1), **other):
    return {
        "ID": number,
        "CATEGORY_ID": 0,
        "STAGE_SEMANTIC_ID": "S",
        "CURRENCY_ID": "RUB",
        "OPPORTUNITY": amount,
        "CONTACT_IDS": list(contacts),
        "COMPANY_ID": company,
        "CLOSEDATE": closed,
        "MOVED_TIME": datetime(2026, 6, 1, 12, tzinfo=UTC),
        **other,
    }


def count(deals, rule=None, history=()):
    tables = {
        "deal": deals,
        "currency": CURRENCIES,
        "stagehistory": history,
        "contact": [{"ID": 1}, {"ID": 2}, {"ID": 3}],
        "company": [{"ID": 1, "IS_MY_COMPANY": "Y"}, {"ID": 2}],
    }
    return of_tables(tables, rule)


def test_three_sales_of_one_client():
    truth = count(
        [
            deal(1, 1000.0, company=2, closed=date(2026, 1, 1)),
            deal(2, 500.5, closed=date(2026, 1, 11)),
            deal(3, 10.0, company=2, closed=date(2026, 3, 2), CURRENCY_ID="USD"),
        ]
    )
    assert truth.contacts[1] == Value(
        ltv=Decimal("2400.50"),
        average_check=Decimal("800.17"),
        sales=3,
        first_sale=date(2026, 1, 1),
        last_sale=date(2026, 3, 2),
        mean_gap_days=Decimal(30),
    )
    assert truth.companies == {
        2: Value(
            Decimal("1900.00"),
            Decimal("950.00"),
            2,
            date(2026, 1, 1),
            date(2026, 3, 2),
            Decimal(60),
        )
    }
    assert truth.contacts[2] == Value(Decimal("0.00"), None, 0, None, None, None)


def test_refunds_and_zeros_change_the_total_only():
    truth = count(
        [
            deal(1, 1000.0, closed=date(2026, 1, 1)),
            deal(2, -300.25, closed=date(2026, 2, 1)),
            deal(3, 0.0, closed=date(2026, 3, 1)),
        ]
    )
    assert truth.contacts[1] == Value(
        Decimal("699.75"), Decimal("1000.00"), 1, date(2026, 1, 1), date(2026, 1, 1), None
    )


def test_a_refund_alone_makes_a_negative_value_without_a_check():
    assert count([deal(1, -50.0)]).contacts[1] == Value(ltv=Decimal("-50.00"))


@pytest.mark.parametrize(
    ("amount", "base"),
    [(2.7, "0.50"), (-2.7, "-0.50"), (100.0, "18.50"), (0.01, "0.00"), (1234.57, "228.40")],
)
def test_rates_are_per_a_number_of_units_and_round_half_up(amount, base):
    truth = count([deal(1, amount, CURRENCY_ID="KZT")])
    assert truth.contacts[1].ltv == Decimal(base)


def test_half_a_cent_rounds_away_from_zero():
    tables = {
        "currency": [{"CURRENCY": "XXX", "AMOUNT_CNT": 10, "AMOUNT": 0.5, "BASE": "Y"}],
        "deal": [
            deal(1, 0.5, CURRENCY_ID="XXX"),
            deal(2, -0.5, contacts=(2,), CURRENCY_ID="XXX"),
        ],
        "stagehistory": [],
        "contact": [{"ID": 1}, {"ID": 2}],
        "company": [],
    }
    truth = of_tables(tables)
    assert truth.contacts[1].ltv == Decimal("0.03")
    assert truth.contacts[2].ltv == Decimal("-0.03")


@pytest.mark.parametrize(
    "other",
    [
        {"STAGE_SEMANTIC_ID": "F"},
        {"STAGE_SEMANTIC_ID": "P"},
        {"IS_RECURRING": "Y"},
        {"CATEGORY_ID": 2},
        {"CURRENCY_ID": "ZZZ"},
    ],
)
def test_what_is_not_a_sale(other):
    truth = count([deal(1, 100.0, **other)])
    assert truth.sales == []
    assert truth.contacts[1] == Value()


def test_all_pipelines_when_the_rule_names_none():
    assert count([deal(1, 100.0, CATEGORY_ID=2)], Rule(categories=None)).revenue == Decimal(100)


def test_several_contacts_by_each_policy():
    deals = [deal(1, 100.0, contacts=(2, 1, 3), company=2)]
    primary = count(deals, Rule(multi_contact="primary"))
    split = count(deals, Rule(multi_contact="split"))
    full = count(deals, Rule(multi_contact="full"))
    assert [primary.contacts[i].ltv for i in (1, 2, 3)] == [0, 100, 0]
    assert [str(split.contacts[i].ltv) for i in (1, 2, 3)] == ["33.33", "33.34", "33.33"]
    assert [full.contacts[i].ltv for i in (1, 2, 3)] == [100, 100, 100]
    assert [truth.companies[2].ltv for truth in (primary, split, full)] == [100, 100, 100]


def test_a_refund_splits_to_the_cent_too():
    split = count([deal(1, -100.0, contacts=(1, 2, 3))], Rule(multi_contact="split"))
    assert [str(split.contacts[i].ltv) for i in (1, 2, 3)] == ["-33.34", "-33.33", "-33.33"]


def test_company_only_and_nobody():
    truth = count([deal(1, 70.0, contacts=(), company=2), deal(2, 5.0, contacts=())])
    assert (truth.revenue, truth.contact_revenue, truth.company_revenue) == (75, 0, 70)
    assert truth.companies[2].sales == 1


def test_the_three_sources_of_the_date():
    history = [
        _event(1, "P", datetime(2026, 2, 1, 9, tzinfo=UTC)),
        _event(2, "S", datetime(2026, 2, 10, 9, tzinfo=UTC)),
        _event(3, "P", datetime(2026, 2, 12, 9, tzinfo=UTC)),
        _event(4, "S", datetime(2026, 3, 1, 22, 30, tzinfo=UTC)),
        _event(5, "S", datetime(2026, 3, 5, 9, tzinfo=UTC)),
    ]
    deals = [deal(1, 100.0, closed=date(2026, 1, 9))]

    def first(source, events):
        return count(deals, Rule(date_source=source), events).contacts[1].first_sale

    assert first("closedate", history) == date(2026, 1, 9)
    assert first("moved", history) == date(2026, 6, 1)
    # 22:30 UTC is already the next day in Moscow.
    assert first("history", history) == date(2026, 3, 2)
    assert first("history", []) == date(2026, 6, 1)


def _event(number, semantics, moment):
    return {
        "ID": number,
        "ENTITY_TYPE_ID": 2,
        "OWNER_ID": 1,
        "STAGE_SEMANTIC_ID": semantics,
        "CREATED_TIME": moment,
    }


def test_a_missing_closing_date_falls_back_to_the_move():
    assert count([deal(1, 9.0, closed=None)]).contacts[1].first_sale == date(2026, 6, 1)


@pytest.mark.parametrize("source", ["closedate", "moved", "history"])
@pytest.mark.parametrize("policy", ["primary", "split"])
def test_values_of_clients_add_up_to_the_revenue(policy, source):
    dataset = generate(11, Sizes.of(200, 900), NOW)
    truth = of_dataset(dataset, Rule(multi_contact=policy, date_source=source))
    assert sum(value.ltv for value in truth.contacts.values()) == truth.contact_revenue
    assert sum(value.ltv for value in truth.companies.values()) == truth.company_revenue
    assert 0 < truth.contact_revenue < truth.revenue
    assert len(truth.contacts) == 200
    counted = {sale.deal_id for sale in truth.sales}
    for row in dataset.rows("deal"):
        is_sale = (
            row["STAGE_SEMANTIC_ID"] == "S"
            and row["CATEGORY_ID"] in (0, 1)
            and row.get("IS_RECURRING", "N") == "N"
        )
        assert (row["ID"] in counted) == is_sale


def test_the_dates_of_history_are_those_of_the_move():
    dataset = generate(11, Sizes.of(200, 900), NOW)
    moved = of_dataset(dataset, Rule(date_source="moved"))
    history = of_dataset(dataset, Rule(date_source="history"))
    assert moved == history
    assert moved.contacts != of_dataset(dataset, Rule()).contacts
