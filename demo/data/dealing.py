"""The plot of deals: who buys what and when, by a buy-till-you-die story of every client."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from operator import itemgetter
from random import Random
from typing import NamedTuple

from demo.data.dictionaries import HIRING, REPEAT, SALES, STAGES
from demo.data.draws import DAY, WON, Clients, Draws
from demo.data.trades import TRADES

# Parts of all deals; what remains are ordinary sales of contacts.
SHARES = {
    "hiring": 0.05,
    "nobody": 0.02,
    "company": 0.07,
    "lost": 0.18,
    "open": 0.08,
    "refund": 0.012,
    "zero": 0.007,
    "template": 0.005,
}
_MOST_SALES = 60
# The first contacts are what a newcomer opens: clean addresses and something bought.
PRESENTABLE = 12


class Deal(NamedTuple):
    """One planned deal. `contact` and `company` are ids, 0 is none; times are Unix seconds."""

    created: int
    moved: int
    kind: str
    contact: int
    company: int
    amount: float
    currency: int
    category: int
    stage: int
    trade: int


class Dealing:
    """Invents deals of every kind and puts them in the order of creation."""

    def __init__(self, clients: Clients, rng: Random) -> None:
        self.clients = clients
        self.rng = rng
        self.now = clients.now
        self.draw = Draws(clients, rng)
        self.sales: list[Deal] = []

    def deals(self, total: int) -> list[Deal]:
        """Return exactly `total` deals."""
        counts = {kind: math.ceil(total * share) for kind, share in SHARES.items()}
        self.sales = list(self._sales(max(0, total - sum(counts.values()))))
        makers: dict[str, Callable[[], Deal]] = {
            "hiring": self._hiring,
            "nobody": self._of_nobody,
            "company": self._of_company,
            "lost": self._lost,
            "open": self._open,
            "refund": self._refund,
            "zero": self._zero,
            "template": self._template,
        }
        deals = list(self.sales)
        for kind, make in makers.items():
            deals.extend(make() for _ in range(counts[kind]))
        del deals[total:]
        deals.sort(key=itemgetter(0))
        return deals

    # --- ordinary sales --------------------------------------------------------------------

    def _sales(self, wanted: int) -> Iterator[Deal]:
        """Yield sales of contacts; the chance to leave after each makes many one-time buyers."""
        if not self.clients.contacts:
            yield from (self._of_nobody() for _ in range(wanted))
            return
        rng = self.rng
        moments = self._purchases(wanted)
        if len(moments) > wanted:
            keep = sorted(rng.sample(range(len(moments)), wanted))
            moments = [moments[index] for index in keep]
        while len(moments) < wanted:
            contact = self.draw.some_contact()
            arrived = self.clients.contacts[contact - 1]
            moments.append((contact, arrived + int(rng.random() * (self.now - arrived))))
        moments.sort()
        previous, taste = 0, 0.0
        for contact, moment in moments:
            first = contact != previous
            if first:
                taste = self.draw.taste()
            previous = contact
            category = SALES if first or rng.random() < 0.45 else REPEAT
            yield self._sale(contact, moment, category, taste)

    def _purchases(self, wanted: int) -> list[tuple[int, int]]:
        """Return (contact, moment) of about as many purchases as wanted, rather more."""
        moments = []
        rng, random, waits = self.rng, self.rng.random, self.draw.waits
        size = len(waits)
        trade_of = self.clients.trade_of
        pace = min(3.0, max(0.2, 1.3 * len(self.clients.contacts) / max(1, wanted)))
        for contact, arrived in enumerate(self.clients.contacts, 1):
            shown = contact <= PRESENTABLE
            if random() < 0.35 and not shown:
                continue
            pause = pace * TRADES[trade_of[contact - 1]].gap / max(rng.gammavariate(1.3, 1.0), 0.05)
            leaves = 0.05 if shown else rng.betavariate(0.7, 2.6)
            moment = arrived + random() * 20 * DAY
            for _ in range(_MOST_SALES):
                if moment >= self.now:
                    break
                moments.append((contact, int(moment)))
                if random() < leaves:
                    break
                moment += pause * waits[int(random() * size)] + 3600
        return moments

    def _sale(self, contact: int, moment: int, category: int, taste: float) -> Deal:
        arrived = self.clients.contacts[contact - 1]
        working_hours = moment - moment % DAY + 6 * 3600 + moment * 7919 % 36_000
        moved = min(self.now - 60, max(arrived + 120, working_hours))
        created = max(arrived + 60, moved - 3600 - self.draw.wait(9))
        trade = self.clients.trade_of[contact - 1]
        currency = self.draw.currency(contact)
        amount = self.draw.amount(trade, currency, taste)
        company = self.draw.company(contact)
        stage = WON[category]
        return Deal(
            created, moved, "sale", contact, company, amount, currency, category, stage, trade
        )

    # --- deals that are not ordinary sales -------------------------------------------------

    def _attempt(
        self,
        kind: str,
        contact: int,
        company: int,
        category: int,
        *,
        stage: int | None = None,
        amount: float | None = None,
    ) -> Deal:
        clients, random = self.clients, self.rng.random
        since, trade = clients.start, int(random() * len(TRADES))
        if contact:
            since, trade = clients.contacts[contact - 1], clients.trade_of[contact - 1]
        elif company:
            since, trade = clients.companies[company - 1], clients.company_trade[company - 1]
        created = min(since + 60 + int(random() * (self.now - since)), self.now - 7200)
        moved = min(created + 600 + self.draw.wait(12), self.now - 60)
        currency = self.draw.currency(contact)
        if amount is None:
            amount = self.draw.amount(trade, currency)
        if stage is None:
            stage = self.draw.outcome(category)
        return Deal(
            created, moved, kind, contact, company, amount, currency, category, stage, trade
        )

    def _of_client(self, kind: str, category: int, stage: int, amount: float | None = None) -> Deal:
        contact = self.draw.some_contact()
        company = self.draw.company(contact)
        return self._attempt(kind, contact, company, category, stage=stage, amount=amount)

    def _hiring(self) -> Deal:
        draw = self.rng.random()
        contact = self.draw.some_contact() if draw < 0.6 else 0
        salary = float(40_000 + int(draw * 997) % 200 * 1000) if draw * 10 % 1 < 0.7 else 0.0
        return self._attempt("hiring", contact, 0, HIRING, amount=salary)._replace(currency=0)

    def _of_nobody(self) -> Deal:
        return self._attempt("nobody", 0, 0, SALES)

    def _of_company(self) -> Deal:
        others = len(self.clients.companies) - 1
        if others < 1:
            return self._of_nobody()
        company = 2 + int(self.rng.random() ** 2 * others)
        category = REPEAT if self.rng.random() < 0.4 else SALES
        return self._attempt("company", 0, company, category)

    def _lost(self) -> Deal:
        category = self._sales_category()
        last = len(STAGES[category]) - 1
        return self._of_client("lost", category, last if self.rng.random() < 0.25 else last - 1)

    def _open(self) -> Deal:
        category = self._sales_category()
        deal = self._of_client("open", category, int(self.rng.random() * WON[category]))
        since = self.clients.contacts[deal.contact - 1] if deal.contact else self.clients.start
        created = min(max(self.now - 7200 - self.draw.wait(25), since + 60), self.now - 120)
        moved = created + int((self.now - created) * self.rng.random() * 0.9)
        return deal._replace(created=created, moved=moved)

    def _refund(self) -> Deal:
        """A won deal with a negative amount: a part or the whole of an earlier sale."""
        if not self.sales:
            return self._of_nobody()
        sale = self.sales[int(self.rng.random() * len(self.sales))]
        part = (1.0, 0.5, 0.3333)[int(self.rng.random() * 3)]
        created = min(sale.moved + 3600 + self.draw.wait(20), self.now - 120)
        moved = min(created + 1800, self.now - 60)
        amount = -round(abs(sale.amount) * part, 2)
        return sale._replace(
            created=created, moved=moved, kind="refund", amount=amount, stage=WON[sale.category]
        )

    def _zero(self) -> Deal:
        category = self._sales_category()
        return self._of_client("zero", category, WON[category], amount=0.0)

    def _template(self) -> Deal:
        """A recurring template: stands in a won stage, but is no sale."""
        return self._of_client("template", REPEAT, WON[REPEAT])

    def _sales_category(self) -> int:
        return REPEAT if self.rng.random() < 0.35 else SALES
