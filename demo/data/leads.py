"""Rows of leads: foreign ones, junk, and those that became contacts."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from demo.data import addresses, consents, names, trades
from demo.data.clients import moment, stamp
from demo.data.dictionaries import CURRENCIES, LEAD_STAGES
from demo.data.draws import DAY
from demo.data.fields import Filler
from demo.data.marks import mark
from demo.data.plan import Lead, Plan
from demo.data.staff import USERS

Row = dict[str, Any]

_COUNTRIES = (
    ("Казахстан", "KZ", "Астана"), ("Германия", "DE", "Берлин"), ("Китай", "CN", "Шэньчжэнь"),
    ("Узбекистан", "UZ", "Ташкент"), ("ОАЭ", "AE", "Дубай"), ("США", "US", "Бостон"),
)  # fmt: skip
_SEMANTICS = {code: "F" if mark == "A" else mark for code, _, mark, _ in LEAD_STAGES}


class Leads:
    """Writes leads in the order of their arrival."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = Random(f"{plan.seed}/leads")
        first = (len(plan.companies) + len(plan.contacts)) * 5 + 1
        self.values = addresses.Multifields(first)
        self.filler = Filler("CRM_LEAD", self.rng, users=USERS, linked=0, now=moment(plan.now))

    def rows(self) -> Iterator[Row]:
        """Yield all leads."""
        for number, lead in enumerate(self.plan.leads, 1):
            yield self._row(number, lead)

    def status(self, number: int, lead: Lead) -> str:
        """Return the status; every one of them occurs."""
        if lead.contact:
            return "CONVERTED"
        codes = ("NEW", "IN_PROCESS", "PROCESSED", "JUNK", "1")
        # Multiplying by a prime spreads statuses without drawing, so history can ask again.
        place = number * 7919 % 100
        age = (self.plan.now - lead.created) / DAY
        if age > 120:
            return "JUNK" if place < 75 else "1"
        return codes[place % len(codes)]

    def moved(self, number: int, lead: Lead) -> int:
        """Return when the lead entered its status."""
        if lead.contact:
            return self.plan.contacts[lead.contact - 1]
        if self.status(number, lead) == "NEW":
            return lead.created
        return min(lead.created + 600 + number * 7919 % (9 * DAY), self.plan.now - 30)

    def _row(self, number: int, lead: Lead) -> Row:
        rng = self.rng
        foreign = rng.random() < 0.12
        person = names.foreign(rng) if foreign else names.russian(rng)
        trade_index = int(rng.random() * len(trades.TRADES))
        if lead.contact:
            person = self.plan.people[lead.contact - 1]
            foreign = person.foreign
            trade_index = self.plan.trade_of[lead.contact - 1]
        row: Row = {"ID": number, "TITLE": f"Заявка: {person.name}"}
        stamp(row, self.plan, lead.created, rng)
        self._state(row, number, lead)
        if rng.random() < 0.9:
            row["NAME"] = person.name
            row["LAST_NAME"] = person.last_name
        if rng.random() < 0.3:
            row["COMPANY_TITLE"] = trades.pick_company(trades.TRADES[trade_index], rng, number)
        row["UF_CRM_FOREIGN"] = foreign
        if foreign:
            country, code, city = _COUNTRIES[int(rng.random() * len(_COUNTRIES))]
            row.update(ADDRESS_COUNTRY=country, ADDRESS_COUNTRY_CODE=code, ADDRESS_CITY=city)
        self._money(row, trade_index, foreign)
        mark(row, rng)
        self.filler.fill(row, trade_index)
        consents.answer(row, "lead", number)
        self._addresses(row, number, lead, person)
        return row

    def _state(self, row: Row, number: int, lead: Lead) -> None:
        status = self.status(number, lead)
        moved = moment(self.moved(number, lead))
        row["STATUS_ID"] = status
        row["STATUS_SEMANTIC_ID"] = _SEMANTICS[status]
        row["MOVED_TIME"] = moved
        row["MOVED_BY_ID"] = row["ASSIGNED_BY_ID"]
        if row["DATE_MODIFY"] < moved:
            row["DATE_MODIFY"] = row["LAST_ACTIVITY_TIME"] = moved
        if row["STATUS_SEMANTIC_ID"] != "P":
            row["DATE_CLOSED"] = moved
        if lead.contact:
            row["CONTACT_ID"] = lead.contact
            row["CONTACT_IDS"] = [lead.contact]
            if company := self.plan.company_of[lead.contact - 1]:
                row["COMPANY_ID"] = company

    def _money(self, row: Row, trade_index: int, foreign: bool) -> None:
        code, units, rate, _ = CURRENCIES[1 + int(self.rng.random() * 2) if foreign else 0]
        row["CURRENCY_ID"] = code
        if self.rng.random() < 0.4:
            roubles = trades.TRADES[trade_index].median * (0.3 + self.rng.random())
            row["OPPORTUNITY"] = round(roubles * units / rate, 2)

    def _addresses(self, row: Row, number: int, lead: Lead, person: names.Person) -> None:
        rng = self.rng
        # A converted lead carries the contact's addresses; others have their own.
        index = lead.contact or 30_000_000 + number
        if rng.random() < 0.8:
            if person.foreign:
                phone = addresses.foreign_phone(rng)
            else:
                phone = addresses.write_phone(addresses.subscriber(index), rng)
            self.values.put(row, "PHONE", [{"VALUE_TYPE": "WORK", "VALUE": phone}])
        if rng.random() < 0.55:
            email = addresses.write_email(addresses.mailbox(person, index), rng)
            self.values.put(row, "EMAIL", [{"VALUE_TYPE": "WORK", "VALUE": email}])
        if rng.random() < 0.3:
            local = names.latin(person.name) or "user"
            self.values.put(row, "IM", addresses.messengers(local, index, rng))
