"""The plot: who came when, and from which company. Rows of every table are told from it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from datetime import datetime
from random import Random
from typing import NamedTuple

from demo.data import names
from demo.data.dealing import PRESENTABLE, Dealing
from demo.data.draws import DAY, Clients
from demo.data.sizes import Sizes
from demo.data.trades import TRADES


class Lead(NamedTuple):
    """One planned lead; `contact` is the id it became, 0 if it did not."""

    created: int
    contact: int


def working(moment: int, draw: float) -> int:
    """Move a moment to the working hours of its day (in Moscow), by a draw from 0 to 1."""
    return moment - moment % DAY + 6 * 3600 + int(draw * 10 * 3600)


class Plan:
    """Everything the tables have to agree on. Times are Unix seconds; lists go by id from 1."""

    def __init__(self, seed: int, sizes: Sizes, now: datetime) -> None:
        self.seed = seed
        self.sizes = sizes
        self.now = int(now.timestamp())
        self.start = self.now - int(sizes.years * 365.25 * DAY)
        rng = Random(f"{seed}/plan")
        self.companies = self._arrivals(rng, sizes.companies, 1.6)
        self.company_trade = [int(rng.random() * len(TRADES)) for _ in self.companies]
        self.contacts = self._arrivals(rng, sizes.contacts, 0.85)
        self._introduce_contacts(rng)
        clients = Clients(
            self.start, self.now, self.companies, self.company_trade,
            self.contacts, self.company_of, self.trade_of, self.currency_of,
        )  # fmt: skip
        self.deals = Dealing(clients, rng).deals(sizes.deals)
        self._leads(rng)

    def _arrivals(self, rng: Random, count: int, bend: float) -> list[int]:
        """Return sorted moments; a `bend` below 1 makes arrivals denser at the end."""
        span = self.now - self.start - 2 * DAY
        random = rng.random
        return sorted(
            working(self.start + int(span * random() ** bend), random()) for _ in range(count)
        )

    def _introduce_contacts(self, rng: Random) -> None:
        """Give every contact a name, a company, a trade, a currency; some are twins of others."""
        random = rng.random
        self.people: list[names.Person] = []
        self.company_of = array("l")
        self.trade_of = array("b")
        self.currency_of = array("b")
        self.twin_of: dict[int, int] = {}
        self.staff: dict[int, list[int]] = {}
        for contact, created in enumerate(self.contacts, 1):
            known = bisect_right(self.companies, created)
            company = 2 + int(random() ** 1.2 * (known - 1)) if known > 1 and random() < 0.62 else 0
            if company:
                self.staff.setdefault(company, []).append(contact)
            trade = self.company_trade[company - 1] if company else int(random() * len(TRADES))
            person = self._person(rng, contact)
            self.people.append(person)
            self.company_of.append(company)
            self.trade_of.append(trade)
            self.currency_of.append(1 + int(random() * 6) if person.foreign else 0)

    def _person(self, rng: Random, contact: int) -> names.Person:
        if contact > PRESENTABLE and (contact == PRESENTABLE + 1 or rng.random() < 0.025):
            original = 1 + int(rng.random() * (contact - 1))
            self.twin_of[contact] = original = self.twin_of.get(original, original)
            return self.people[original - 1]
        return names.foreign(rng) if rng.random() < 0.08 else names.russian(rng)

    def _leads(self, rng: Random) -> None:
        total = self.sizes.leads
        converted = min(int(total * 0.35), len(self.contacts) * 3 // 5)
        chosen = rng.sample(range(1, len(self.contacts) + 1), converted)
        leads = [
            Lead(self.contacts[contact - 1] - 60 - int(rng.random() * 3 * DAY), contact)
            for contact in chosen
        ]
        leads += [Lead(moment, 0) for moment in self._arrivals(rng, total - converted, 0.7)]
        leads.sort()
        self.leads = leads
        self.lead_of = {
            lead.contact: number for number, lead in enumerate(leads, 1) if lead.contact
        }
