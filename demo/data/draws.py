"""What chance decides about a deal: waiting, amount, currency, company, outcome."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from random import Random

from demo.data.dictionaries import CURRENCIES, STAGES
from demo.data.trades import TRADES

DAY = 86_400
RATES = tuple(amount / units for _, units, amount, _ in CURRENCIES)
WON = {category: [row[0] for row in rows].index("WON") for category, rows in STAGES.items()}
_TABLE = 1 << 13


@dataclass(frozen=True)
class Clients:
    """Who may buy: arrival times of companies and contacts by id, and facts about each."""

    start: int
    now: int
    companies: list[int]
    company_trade: list[int]
    contacts: list[int]
    company_of: array[int]
    trade_of: array[int]
    currency_of: array[int]


class Draws:
    """Draws from tables, which is several times faster than from the distributions."""

    def __init__(self, clients: Clients, rng: Random) -> None:
        self.clients = clients
        self.rng = rng
        self.normals = [rng.gauss(0, 1) for _ in range(_TABLE)]
        self.waits = [rng.expovariate(1) * DAY for _ in range(_TABLE)]

    def taste(self) -> float:
        """Return how much richer than usual a client is, as a logarithm."""
        return 0.5 * self.normals[int(self.rng.random() * _TABLE)]

    def wait(self, days: int) -> int:
        """Return a random wait in seconds, `days` long on average."""
        return int(days * self.waits[int(self.rng.random() * _TABLE)])

    def some_contact(self) -> int:
        """Return the id of any contact, 0 if there are none."""
        contacts = self.clients.contacts
        return 1 + int(self.rng.random() * len(contacts)) if contacts else 0

    def currency(self, contact: int) -> int:
        """Return the currency of a deal: mostly the client's own."""
        own = self.clients.currency_of[contact - 1] if contact else 0
        draw = self.rng.random()
        if own:
            return own if draw < 0.85 else 0
        return 0 if draw < 0.97 else 1 + int(draw * 300) % 3

    def company(self, contact: int) -> int:
        """Return the company of a contact's deal: mostly his own, now and then a stranger."""
        if not contact:
            return 0
        others = len(self.clients.companies) - 1
        draw = self.rng.random()
        if draw < 0.02 and others > 0:
            return 2 + int(draw * 50 * others)
        return self.clients.company_of[contact - 1] if draw < 0.95 else 0

    def amount(self, trade: int, currency: int, taste: float = 0.0) -> float:
        """Return a log-normal amount in the currency, round in roubles, to the cent elsewhere."""
        flavour = TRADES[trade]
        draw = self.rng.random()
        noise = self.normals[int(draw * _TABLE)] * flavour.spread * 0.6
        value = flavour.median * math.exp(taste + noise) / RATES[currency]
        if currency == 0 and draw * 1000 % 1 < 0.8:
            return max(500.0, float(round(value, -2)))
        return max(0.5, round(value, 2))

    def outcome(self, category: int) -> int:
        """Half of stray deals are won, the rest lost or still open."""
        draw = self.rng.random()
        if draw < 0.25:
            return len(STAGES[category]) - (2 if draw < 0.1 else 1)
        return WON[category] if draw > 0.5 else int((draw - 0.25) * 4 * WON[category])
