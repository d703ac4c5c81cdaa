"""Ground truth: what every client is worth by a rule, counted the obvious way from the raw rows.

It is deliberately naive and shares nothing with whoever is being checked. Definitions:

- A sale is a deal with STAGE_SEMANTIC_ID 'S', IS_RECURRING other than 'Y', in the rule's pipelines.
- Its amount is OPPORTUNITY × AMOUNT / AMOUNT_CNT, rounded half up to 2 decimals; no currency is the
  base one; a deal in a currency the portal does not list counts nowhere.
- Its date is CLOSEDATE, or MOVED_TIME, or the start of the last unbroken run of won stages in the
  stage history that lasts till now (a deal without one falls back to MOVED_TIME); a deal without
  CLOSEDATE falls back to MOVED_TIME too. Moments become dates in the portal's time zone.
- Refunds (negative amounts) lower LTV; counts, averages and dates are over positive amounts only.
- A split gives every contact the share cut to whole cents, and the remainder to the primary one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from demo.data.generate import Dataset

Row = dict[str, Any]
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Rule:
    """What counts as a sale, when it happened and whose it is; `categories` None is all."""

    categories: frozenset[int] | None = frozenset({0, 1})
    date_source: Literal["closedate", "moved", "history"] = "closedate"
    multi_contact: Literal["primary", "split", "full"] = "primary"
    time_zone: str = "Europe/Moscow"


@dataclass(frozen=True)
class Sale:
    """One counted deal: its amount in the base currency and each contact's part of it."""

    deal_id: int
    date: date | None
    amount: Decimal
    contacts: tuple[tuple[int, Decimal], ...]
    company_id: int


@dataclass(frozen=True)
class Value:
    """What one client is worth."""

    ltv: Decimal = Decimal("0.00")
    average_check: Decimal | None = None
    sales: int = 0
    first_sale: date | None = None
    last_sale: date | None = None
    mean_gap_days: Decimal | None = None


@dataclass
class Truth:
    """Values of all contacts and companies, and the sales they come from."""

    sales: list[Sale] = field(default_factory=list)
    contacts: dict[int, Value] = field(default_factory=dict)
    companies: dict[int, Value] = field(default_factory=dict)

    @property
    def revenue(self) -> Decimal:
        """Net revenue of all counted deals."""
        return sum((sale.amount for sale in self.sales), Decimal("0.00"))

    @property
    def contact_revenue(self) -> Decimal:
        """Net revenue of the deals that have a contact."""
        return sum((sale.amount for sale in self.sales if sale.contacts), Decimal("0.00"))

    @property
    def company_revenue(self) -> Decimal:
        """Net revenue of the deals that have a company."""
        return sum((sale.amount for sale in self.sales if sale.company_id), Decimal("0.00"))


def of_dataset(dataset: Dataset, rule: Rule | None = None) -> Truth:
    """Return the truth about a generated data set."""
    names = ("deal", "currency", "stagehistory", "contact", "company")
    return of_tables({name: dataset.rows(name) for name in names}, rule)


def of_tables(tables: Mapping[str, Iterable[Row]], rule: Rule | None = None) -> Truth:
    """Return the truth about rows by table; every listed contact and company gets a value."""
    rule = rule or Rule()
    truth = Truth()
    rates = _rates(tables["currency"])
    won_since = _won_since(tables["stagehistory"]) if rule.date_source == "history" else {}
    for deal in tables["deal"]:
        sale = _sale(deal, rates, won_since, rule)
        if sale is not None:
            truth.sales.append(sale)
    contact_ids = {row["ID"] for row in tables["contact"]}
    company_ids = {row["ID"] for row in tables["company"] if row.get("IS_MY_COMPANY") != "Y"}
    of_contacts: dict[int, list[tuple[date | None, Decimal]]] = {key: [] for key in contact_ids}
    of_companies: dict[int, list[tuple[date | None, Decimal]]] = {key: [] for key in company_ids}
    for sale in truth.sales:
        for contact_id, amount in sale.contacts:
            if contact_id in of_contacts:
                of_contacts[contact_id].append((sale.date, amount))
        if sale.company_id in of_companies:
            of_companies[sale.company_id].append((sale.date, sale.amount))
    truth.contacts = {key: value_of(parts) for key, parts in of_contacts.items()}
    truth.companies = {key: value_of(parts) for key, parts in of_companies.items()}
    return truth


def value_of(parts: list[tuple[date | None, Decimal]]) -> Value:
    """Return the value of a client from the dates and amounts of his deals."""
    ltv = sum((amount for _, amount in parts), Decimal("0.00"))
    positive = [(day, amount) for day, amount in parts if amount > 0]
    if not positive:
        return Value(ltv=ltv)
    number = len(positive)
    days = sorted(day for day, _ in positive if day is not None)
    gap = None
    if number > 1 and days:
        gap = Decimal((days[-1] - days[0]).days) / (number - 1)
    total = sum((amount for _, amount in positive), Decimal("0.00"))
    return Value(
        ltv=ltv,
        average_check=(total / number).quantize(CENT, ROUND_HALF_UP),
        sales=number,
        first_sale=days[0] if days else None,
        last_sale=days[-1] if days else None,
        mean_gap_days=gap,
    )


def _rates(currencies: Iterable[Row]) -> dict[str, tuple[Decimal, Decimal]]:
    rates = {}
    for row in currencies:
        rate = (Decimal(str(row["AMOUNT"])), Decimal(str(row["AMOUNT_CNT"])))
        rates[row["CURRENCY"]] = rate
        if row.get("BASE") == "Y":
            rates[""] = rate
    return rates


def _won_since(history: Iterable[Row]) -> dict[int, datetime]:
    """Return, by deal, when its last unbroken run of won stages began."""
    since: dict[int, datetime] = {}
    events = [row for row in history if row["ENTITY_TYPE_ID"] == 2]
    for row in sorted(events, key=lambda row: (row["CREATED_TIME"], row["ID"])):
        if row["STAGE_SEMANTIC_ID"] == "S":
            since.setdefault(row["OWNER_ID"], row["CREATED_TIME"])
        else:
            since.pop(row["OWNER_ID"], None)
    return since


def _sale(
    deal: Row,
    rates: Mapping[str, tuple[Decimal, Decimal]],
    won_since: Mapping[int, datetime],
    rule: Rule,
) -> Sale | None:
    if deal.get("STAGE_SEMANTIC_ID") != "S" or deal.get("IS_RECURRING") == "Y":
        return None
    if rule.categories is not None and (deal.get("CATEGORY_ID") or 0) not in rule.categories:
        return None
    rate = rates.get(deal.get("CURRENCY_ID") or "")
    if rate is None:
        return None
    opportunity = Decimal(str(deal.get("OPPORTUNITY") or 0))
    amount = (opportunity * rate[0] / rate[1]).quantize(CENT, ROUND_HALF_UP)
    return Sale(
        deal_id=deal["ID"],
        date=_date(deal, won_since, rule),
        amount=amount,
        contacts=tuple(_parts(deal, amount, rule)),
        company_id=deal.get("COMPANY_ID") or 0,
    )


def _date(deal: Row, won_since: Mapping[int, datetime], rule: Rule) -> date | None:
    closed: date | None = deal.get("CLOSEDATE")
    if rule.date_source == "closedate" and closed is not None:
        return closed
    moment: datetime | None = deal.get("MOVED_TIME")
    if rule.date_source == "history":
        moment = won_since.get(deal["ID"], moment)
    return moment.astimezone(ZoneInfo(rule.time_zone)).date() if moment else closed


def _parts(deal: Row, amount: Decimal, rule: Rule) -> list[tuple[int, Decimal]]:
    contacts = list(dict.fromkeys(deal.get("CONTACT_IDS") or ()))
    if not contacts and deal.get("CONTACT_ID"):
        contacts = [deal["CONTACT_ID"]]
    if not contacts:
        return []
    if rule.multi_contact == "primary":
        return [(contacts[0], amount)]
    if rule.multi_contact == "full":
        return [(contact, amount) for contact in contacts]
    share = (amount / len(contacts)).quantize(CENT, ROUND_DOWN)
    rest = amount - share * (len(contacts) - 1)
    return [(contacts[0], rest), *((contact, share) for contact in contacts[1:])]
