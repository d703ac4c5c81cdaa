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
- With client "company" a deal with a company that is a client has no contacts; with "contact" a deal
  with contacts has no company. With "each" it counts for both.
- The margin of a deal is its amount less its cost, or what the margin field says, when that is known:
  money in its own currency, numbers in the deal's; product rows cost quantity × purchase price, and one
  row without a price makes the cost unknown. Else it is a percent of the amount, rounded half up to 2
  decimals; else it is unknown and adds nothing. It is split as the amount is.
- A client is active who has so many positive sales from a day on.
- Coverage is the share of the positive amounts whose cost or margin was known.
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
    client: Literal["each", "company", "contact"] = "each"
    margin: Literal["none", "percent", "cost", "margin", "products"] = "none"
    margin_field: str = ""
    percent: Decimal | None = None
    percents: Mapping[int, Decimal] = field(default_factory=dict)
    active_sales: int = 1
    active_since: date | None = None
    time_zone: str = "Europe/Moscow"


@dataclass(frozen=True)
class Sale:
    """One counted deal: its amount in the base currency and each client's part of it.

    `earned`: the parts of the margin, None when it is unknown; `costed`: whether its cost is known.
    """

    deal_id: int
    date: date | None
    amount: Decimal
    contacts: tuple[tuple[int, Decimal], ...]
    company_id: int
    margin: Decimal | None = None
    earned: Mapping[int, Decimal] = field(default_factory=dict)
    costed: bool = False


@dataclass(frozen=True)
class Value:
    """What one client is worth."""

    ltv: Decimal = Decimal("0.00")
    average_check: Decimal | None = None
    sales: int = 0
    first_sale: date | None = None
    last_sale: date | None = None
    mean_gap_days: Decimal | None = None
    margin: Decimal | None = None
    coverage: Decimal | None = None
    active: bool = False


@dataclass(frozen=True)
class Part:
    """What one client has of one deal."""

    date: date | None
    amount: Decimal
    margin: Decimal | None = None
    costed: bool = False


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
    names = ("deal", "currency", "stagehistory", "contact", "company", "product")
    return of_tables({name: dataset.rows(name) for name in names}, rule)


def of_tables(tables: Mapping[str, Iterable[Row]], rule: Rule | None = None) -> Truth:
    """Return the truth about rows by table; every listed contact and company gets a value."""
    rule = rule or Rule()
    truth = Truth()
    rates = _rates(tables["currency"])
    won_since = _won_since(tables["stagehistory"]) if rule.date_source == "history" else {}
    prices = {row["ID"]: row for row in tables.get("product", ())}
    for deal in tables["deal"]:
        sale = _sale(deal, rates, prices, won_since, rule)
        if sale is not None:
            truth.sales.append(sale)
    contact_ids = {row["ID"] for row in tables["contact"]}
    company_ids = {row["ID"] for row in tables["company"] if row.get("IS_MY_COMPANY") != "Y"}
    of_contacts: dict[int, list[Part]] = {key: [] for key in contact_ids}
    of_companies: dict[int, list[Part]] = {key: [] for key in company_ids}
    for sale in truth.sales:
        company = sale.company_id if sale.company_id in of_companies else 0
        if not (rule.client == "company" and company):
            for contact_id, amount in sale.contacts:
                if contact_id in of_contacts:
                    earned = sale.earned.get(contact_id)
                    of_contacts[contact_id].append(Part(sale.date, amount, earned, sale.costed))
        if company and not (rule.client == "contact" and sale.contacts):
            whole = Part(sale.date, sale.amount, sale.margin, sale.costed)
            of_companies[company].append(whole)
    truth.contacts = {key: value_of(parts, rule) for key, parts in of_contacts.items()}
    truth.companies = {key: value_of(parts, rule) for key, parts in of_companies.items()}
    return truth


def value_of(parts: list[Part], rule: Rule) -> Value:
    """Return the value of a client from his parts of deals."""
    ltv = sum((part.amount for part in parts), Decimal("0.00"))
    known = [part.margin for part in parts if part.margin is not None and part.amount != 0]
    margin = sum(known, Decimal("0.00")) if known else None
    positive = [part for part in parts if part.amount > 0]
    if not positive:
        return Value(ltv=ltv, margin=margin)
    number = len(positive)
    days = sorted(part.date for part in positive if part.date is not None)
    gap = None
    if number > 1 and days:
        gap = Decimal((days[-1] - days[0]).days) / (number - 1)
    total = sum((part.amount for part in positive), Decimal("0.00"))
    covered = sum((part.amount for part in positive if part.costed), Decimal("0.00"))
    return Value(
        ltv=ltv,
        average_check=(total / number).quantize(CENT, ROUND_HALF_UP),
        sales=number,
        first_sale=days[0] if days else None,
        last_sale=days[-1] if days else None,
        mean_gap_days=gap,
        margin=margin,
        coverage=_share(covered, total) if rule.margin != "none" else None,
        active=_is_active(days, rule),
    )


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def _is_active(days: list[date], rule: Rule) -> bool:
    since = rule.active_since
    return since is not None and sum(day >= since for day in days) >= rule.active_sales


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
    prices: Mapping[int, Row],
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
    known = _known_margin(deal, amount, rates, prices, rule)
    margin = _by_percent(deal, amount, rule) if known is None else known
    return Sale(
        deal_id=deal["ID"],
        date=_date(deal, won_since, rule),
        amount=amount,
        contacts=tuple(_parts(deal, amount, rule)),
        company_id=deal.get("COMPANY_ID") or 0,
        margin=margin,
        earned={} if margin is None else dict(_parts(deal, margin, rule)),
        costed=known is not None,
    )


def _known_margin(
    deal: Row,
    amount: Decimal,
    rates: Mapping[str, tuple[Decimal, Decimal]],
    prices: Mapping[int, Row],
    rule: Rule,
) -> Decimal | None:
    """What the deal's field or rows say was earned; None when they don't."""
    if rule.margin == "products":
        cost = _cost(deal.get("PRODUCT_ROWS") or [], rates, prices)
        return None if cost is None else amount - cost
    if rule.margin not in ("cost", "margin"):
        return None
    written, _, currency = str(deal.get(rule.margin_field) or "").partition("|")
    rate = rates.get(currency or deal.get("CURRENCY_ID") or "")
    if not written or rate is None:
        return None
    value = (Decimal(written) * rate[0] / rate[1]).quantize(CENT, ROUND_HALF_UP)
    return value if rule.margin == "margin" else amount - value


def _cost(
    sold: list[Row], rates: Mapping[str, tuple[Decimal, Decimal]], prices: Mapping[int, Row]
) -> Decimal | None:
    total = Decimal(0)
    for row in sold:
        product = prices.get(row.get("PRODUCT_ID") or 0, {})
        rate = rates.get(product.get("PURCHASING_CURRENCY") or "")
        if product.get("PURCHASING_PRICE") is None or rate is None:
            return None
        price = Decimal(str(product["PURCHASING_PRICE"])) * rate[0] / rate[1]
        total += price * Decimal(str(row["QUANTITY"]))
    return total.quantize(CENT, ROUND_HALF_UP) if sold else None


def _by_percent(deal: Row, amount: Decimal, rule: Rule) -> Decimal | None:
    percent = rule.percents.get(deal.get("CATEGORY_ID") or 0, rule.percent)
    if rule.margin == "none" or percent is None:
        return None
    return (amount * percent / 100).quantize(CENT, ROUND_HALF_UP)


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
