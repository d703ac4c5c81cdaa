"""Rows of companies and contacts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from demo.data import addresses, consents, names, trades
from demo.data.dealing import PRESENTABLE
from demo.data.draws import DAY
from demo.data.fields import Filler
from demo.data.marks import mark
from demo.data.plan import Plan
from demo.data.staff import USERS, owner

Row = dict[str, Any]
_LONG_TITLE = "Общество с ограниченной ответственностью «" + "Очень длинное название " * 20 + "»"


# Unix seconds as an aware UTC moment; a partial, for it runs millions of times.
moment = partial(datetime.fromtimestamp, tz=UTC)


def stamp(row: Row, plan: Plan, created: int, rng: Random) -> None:
    """Set who is responsible, and when the row was created and changed."""
    changed = created + int((plan.now - created) * rng.random() ** 3)
    user = owner(rng)
    row["ASSIGNED_BY_ID"] = user
    row["CREATED_BY_ID"] = user if rng.random() < 0.8 else 1
    row["MODIFY_BY_ID"] = user
    row["DATE_CREATE"] = moment(created)
    row["DATE_MODIFY"] = row["LAST_ACTIVITY_TIME"] = moment(changed)
    row["LAST_ACTIVITY_BY"] = user
    row["OPENED"] = "Y" if rng.random() < 0.3 else "N"


def companies(plan: Plan) -> Iterator[Row]:
    """Yield companies; the first is the portal owner's own."""
    rng = Random(f"{plan.seed}/companies")
    values = addresses.Multifields(1)
    filler = Filler("CRM_COMPANY", rng, users=USERS, linked=0, now=moment(plan.now))
    for number, created in enumerate(plan.companies, 1):
        trade_index = plan.company_trade[number - 1]
        trade = trades.TRADES[trade_index]
        row: Row = {"ID": number, "TITLE": trades.pick_company(trade, rng, number)}
        stamp(row, plan, created, rng)
        row["COMPANY_TYPE"] = ("CUSTOMER", "CUSTOMER", "PARTNER", "SUPPLIER")[int(rng.random() * 4)]
        row["INDUSTRY"] = trade.industry
        row["EMPLOYEES"] = f"EMPLOYEES_{1 + int(rng.random() * 4)}"
        row["CURRENCY_ID"] = "RUB"
        if rng.random() < 0.2:
            row["REVENUE"] = float(int(rng.random() * 900) * 1_000_000)
        filler.fill(row, trade_index)
        consents.answer(row, "company", number)
        _company_addresses(row, values, rng, number)
        if number == 1:
            row.update(TITLE="ООО «Пять направлений»", IS_MY_COMPANY="Y", COMPANY_TYPE="OTHER")
        elif plan.sizes.dirty and number in (3, 4):
            row["TITLE"] = _LONG_TITLE if number == 3 else "ИП 🚀 Ракета\x00Плюс"
        yield row


def _company_addresses(row: Row, values: addresses.Multifields, rng: Random, number: int) -> None:
    if rng.random() < 0.8:
        phone = addresses.write_phone(addresses.subscriber(20_000_000 + number), rng)
        values.put(row, "PHONE", [{"VALUE_TYPE": "WORK", "VALUE": phone}])
    if rng.random() < 0.7:
        email = addresses.write_email(f"office{number}@c{number}.example.com", rng)
        values.put(row, "EMAIL", [{"VALUE_TYPE": "WORK", "VALUE": email}])
    if rng.random() < 0.3:
        site = f"https://c{number}.example.com"
        values.put(row, "WEB", [{"VALUE_TYPE": "WORK", "VALUE": site}])


class Contacts:
    """Writes contacts; a twin repeats an earlier person with other spelling of the same address."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = Random(f"{plan.seed}/contacts")
        self.values = addresses.Multifields(len(plan.companies) * 3 + 1)
        self.filler = Filler(
            "CRM_CONTACT", self.rng, users=USERS, linked=len(plan.contacts), now=moment(plan.now)
        )

    def rows(self) -> Iterator[Row]:
        """Yield all contacts."""
        plan, rng = self.plan, self.rng
        for number, created in enumerate(plan.contacts, 1):
            person = plan.people[number - 1]
            row: Row = {"ID": number, "NAME": person.name, "LAST_NAME": person.last_name}
            if person.second_name:
                row["SECOND_NAME"] = person.second_name
            if person.honorific:
                row["HONORIFIC"] = person.honorific
            stamp(row, plan, created, rng)
            self._details(row, number, person)
            self._addresses(row, number, person)
            self._oddities(row, number)
            yield row

    def _details(self, row: Row, number: int, person: names.Person) -> None:
        plan, rng = self.plan, self.rng
        draw = rng.random()
        row["TYPE_ID"] = "CLIENT" if draw < 0.85 else "PARTNER" if draw < 0.95 else "OTHER"
        row["EXPORT"] = "Y"
        post = names.POSTS[int(rng.random() * len(names.POSTS))]
        if post:
            row["POST"] = post
        company = plan.company_of[number - 1]
        if company:
            row["COMPANY_ID"] = company
            row["COMPANY_IDS"] = [company]
            if rng.random() < 0.04:
                other = 2 + int(rng.random() * (plan.sizes.companies - 1))
                row["COMPANY_IDS"] = list(dict.fromkeys([company, other]))
        if lead := plan.lead_of.get(number):
            row["LEAD_ID"] = lead
        if rng.random() < 0.15:
            age = 20 * 365 + int(rng.random() * 45 * 365)
            row["BIRTHDATE"] = moment(plan.now).date() - timedelta(days=age)
        if rng.random() < 0.05:
            row["ORIGINATOR_ID"], row["ORIGIN_ID"] = "1C", f"K-{number:08}"
        mark(row, rng)
        if person.foreign:
            row["UF_CRM_FOREIGN"] = True
        self.filler.fill(row, plan.trade_of[number - 1])
        consents.answer(row, "contact", number)

    def _addresses(self, row: Row, number: int, person: names.Person) -> None:
        rng, values = self.rng, self.values
        source = self.plan.twin_of.get(number, number)
        tidy = number <= PRESENTABLE
        full = tidy or source != number
        if full or rng.random() < 0.85:
            if person.foreign:
                phone = addresses.foreign_phone(rng)
            elif tidy:
                phone = f"+7{addresses.subscriber(source)}"
            else:
                phone = addresses.write_phone(addresses.subscriber(source), rng)
            found = [{"VALUE_TYPE": "MOBILE", "VALUE": phone}]
            if rng.random() < 0.08:
                desk = f"8 (495) 000-{source % 100:02}-{source // 100 % 100:02}"
                found.append({"VALUE_TYPE": "WORK", "VALUE": desk})
            values.put(row, "PHONE", found)
        if full or rng.random() < 0.7:
            email = addresses.mailbox(person, source)
            if not tidy:
                email = addresses.write_email(email, rng)
            kind = "WORK" if rng.random() < 0.7 else "HOME"
            values.put(row, "EMAIL", [{"VALUE_TYPE": kind, "VALUE": email}])
        local = names.latin(person.name) or "user"
        messengers = addresses.messengers(local, source, rng)
        values.put(row, "IM", messengers)
        if any(value["VALUE_TYPE"] == "OPENLINE" for value in messengers):
            row["HAS_IMOL"] = "Y"

    def _oddities(self, row: Row, number: int) -> None:
        place = number - 21
        if self.plan.sizes.dirty and 0 <= place < len(names.DIRTY):
            row["NAME"], row["LAST_NAME"], row["SECOND_NAME"] = names.DIRTY[place]
        if self.plan.now - int(row["DATE_CREATE"].timestamp()) > 700 * DAY and number % 97 == 0:
            row["COMMENTS"] = "[B]Постоянный клиент[/B]\nНе звонить до 11:00 & после 18:00"
