"""Rows of deals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from demo.data import trades
from demo.data.clients import moment
from demo.data.dealing import Deal
from demo.data.dictionaries import CURRENCIES, HIRING, STAGES, stage_id
from demo.data.draws import DAY
from demo.data.fields import Filler
from demo.data.marks import mark
from demo.data.plan import Plan
from demo.data.products import ProductRows
from demo.data.staff import USERS, owner

Row = dict[str, Any]

_CODES = tuple(row[0] for row in CURRENCIES)
_STAGE_IDS = {
    category: tuple(stage_id(category, row[0]) for row in rows) for category, rows in STAGES.items()
}
_SEMANTICS = {
    category: tuple("F" if row[2] == "A" else row[2] for row in rows)
    for category, rows in STAGES.items()
}
_TYPES = ("SALE", "SERVICES", "COMPLEX", "GOODS", "SERVICE")
_EPOCH = date(1970, 1, 1)
_MOSCOW = 3 * 3600


class Deals:
    """Writes deals in the order of their creation."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = Random(f"{plan.seed}/deals")
        self.filler = Filler(
            "CRM_DEAL", self.rng, users=USERS, linked=len(plan.companies), now=moment(plan.now)
        )
        # Few distinct titles and dates recur in many rows: they are made once and shared.
        self.titles = [
            [trades.pick_title(trade, self.rng) for _ in range(80)] for trade in trades.TRADES
        ]
        self.dates: dict[int, date] = {}
        self.bought: set[int] = set()
        self.products = ProductRows(plan.seed)

    def day(self, seconds: int) -> date:
        """Return the portal's calendar day of a moment."""
        number = (seconds + _MOSCOW) // DAY
        found = self.dates.get(number)
        if found is None:
            found = self.dates[number] = _EPOCH + timedelta(days=number)
        return found

    def rows(self) -> Iterator[Row]:
        """Yield all deals."""
        for number, deal in enumerate(self.plan.deals, 1):
            yield self._row(number, deal)

    def _row(self, number: int, deal: Deal) -> Row:
        rng = self.rng
        draw = rng.random()
        user = owner(rng)
        moved = changed = datetime.fromtimestamp(deal.moved, UTC)
        if draw < 0.2:
            later = deal.moved + int((self.plan.now - deal.moved) * draw * 5)
            changed = datetime.fromtimestamp(later, UTC)
        row: Row = {
            "ID": number,
            "TITLE": self._title(deal),
            "TYPE_ID": _TYPES[int(draw * 97) % 5],
            "CATEGORY_ID": deal.category,
            "STAGE_ID": _STAGE_IDS[deal.category][deal.stage],
            "STAGE_SEMANTIC_ID": _SEMANTICS[deal.category][deal.stage],
            "CURRENCY_ID": _CODES[deal.currency],
            "OPPORTUNITY": deal.amount,
            "ASSIGNED_BY_ID": user,
            "CREATED_BY_ID": user,
            "MODIFY_BY_ID": user,
            "MOVED_BY_ID": user,
            "LAST_ACTIVITY_BY": user,
            "DATE_CREATE": datetime.fromtimestamp(deal.created, UTC),
            "MOVED_TIME": moved,
            "DATE_MODIFY": changed,
            "LAST_ACTIVITY_TIME": changed,
            "BEGINDATE": self.day(deal.created),
            "OPENED": "Y" if draw > 0.7 else "N",
        }
        self._state(row, deal)
        self._links(row, deal)
        mark(row, rng)
        if 0.4 < draw < 0.43:
            row["ORIGINATOR_ID"], row["ORIGIN_ID"] = "1C", f"ЗК-{number:08}"
        self.filler.fill(row, deal.trade)
        if sold := self.products.of(deal):
            row["PRODUCT_ROWS"] = sold
        return row

    def _title(self, deal: Deal) -> str:
        draw = self.rng.random()
        if deal.category == HIRING:
            return "Вакансия: " + trades.HR_POSITIONS[int(draw * len(trades.HR_POSITIONS))]
        title = self.titles[deal.trade][int(draw * 80)]
        if deal.kind == "refund":
            return f"Возврат: {title}"
        if deal.kind == "template":
            return f"Шаблон: {title}"
        return title

    def _state(self, row: Row, deal: Deal) -> None:
        rng = self.rng
        if deal.kind == "template":
            row["IS_RECURRING"] = "Y"
        if row["STAGE_SEMANTIC_ID"] == "P":
            if deal.stage == 0:
                row["IS_NEW"] = "Y"
            row["PROBABILITY"] = 10 + 15 * deal.stage
            # Planned closing: often overdue, sometimes not set at all.
            if rng.random() < 0.9:
                row["CLOSEDATE"] = self.day(deal.created + int(rng.random() * 60 * DAY))
            return
        row["CLOSED"] = "Y"
        row["CLOSEDATE"] = self.day(self._closed(deal))

    def _closed(self, deal: Deal) -> int:
        """People edit the closing date: it drifts from the moment the deal was moved."""
        draw = self.rng.random()
        if draw < 0.86:
            return deal.moved
        if draw < 0.92:
            return deal.moved - int(self.rng.random() * 25 * DAY)
        if draw < 0.98:
            return deal.moved + int(self.rng.random() * 12 * DAY)
        return deal.moved - int(self.rng.random() * 400 * DAY)

    def _links(self, row: Row, deal: Deal) -> None:
        rng, plan = self.rng, self.plan
        if deal.company:
            row["COMPANY_ID"] = deal.company
        if not deal.contact:
            return
        contacts = [deal.contact]
        if rng.random() < 0.07:
            staff = plan.staff.get(deal.company) or range(1, len(plan.contacts) + 1)
            for _ in range(1 + int(rng.random() * 3)):
                other = staff[int(rng.random() * len(staff))]
                if other not in contacts:
                    contacts.append(other)
        row["CONTACT_IDS"] = contacts
        row["CONTACT_ID"] = deal.contact
        if deal.contact in self.bought:
            if rng.random() < 0.7:
                row["IS_RETURN_CUSTOMER"] = "Y"
        elif row["STAGE_SEMANTIC_ID"] == "S":
            self.bought.add(deal.contact)
            if lead := plan.lead_of.get(deal.contact):
                row["LEAD_ID"] = lead
