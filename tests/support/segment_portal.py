"""Small random portals for segment tests: rows of the mirror, and the same rows to think about."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.goods import DealProduct, Product, ProductSection
from integration.mirror import (
    Activity,
    Address,
    Company,
    Contact,
    Currency,
    CustomField,
    Deal,
    DealContact,
    Lead,
    StageMove,
)
from integration.models import Portal
from segments.models import ClientMetrics
from segments.scoring.scored import ClientScores, ScoreBasis

OFFSET = 180
NOW = datetime(2026, 3, 1, 21, 30, tzinfo=UTC)
TODAY = (NOW + timedelta(minutes=OFFSET)).date()
STAGES = {"contact": (20, 60, 100), "company": (90, 180, 365)}
"""The last days of being regular, of cooling down, of sleeping."""
RATES = {"RUB": Decimal(1), "USD": Decimal(90), "EUR": Decimal("100.5")}
WORDS = ("Анна", "Пётр", "ООО Ромашка", "Smith_1", "50%", "анна", "Заря", "")
CUSTOM = {
    "UF_CRM_TEXT": ("string", False),
    "UF_CRM_NUMBER": ("integer", False),
    "UF_CRM_DOUBLE": ("double", False),
    "UF_CRM_FLAG": ("boolean", False),
    "UF_CRM_DATE": ("date", False),
    "UF_CRM_MOMENT": ("datetime", False),
    "UF_CRM_MONEY": ("money", False),
    "UF_CRM_ITEM": ("enumeration", False),
    "UF_CRM_ITEMS": ("enumeration", True),
    "UF_CRM_TAGS": ("string", True),
}
_DAYS = (0, 1, 2, 6, 7, 8, 27, 28, 29, 30, 31, 32, 59, 60, 90, 180, 364, 365, 366, 730, -1, -5, -40)


@dataclass
class Rows:
    """The rows of a portal by table, as the mirror has them."""

    portal_id: int = 0
    cards: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    deals: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[dict[str, Any]] = field(default_factory=list)
    activities: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    product_rows: list[dict[str, Any]] = field(default_factory=list)
    products: list[dict[str, Any]] = field(default_factory=list)
    sections: list[dict[str, Any]] = field(default_factory=list)


class Maker:
    """Draws a portal's rows from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def maybe(self, value: Any, often: float = 0.7) -> Any:
        """The value, or nothing."""
        return value if self.random.random() < often else None

    def day(self) -> date:
        """A day near today, near a month's end, or on 29 February."""
        if self.random.random() < 0.1:
            return date(self.random.choice([1988, 2000, 2024]), 2, 29)
        return TODAY - timedelta(days=self.random.choice(_DAYS))

    def moment(self) -> datetime:
        """A moment, often near the portal's midnight."""
        midnight = datetime.combine(self.day(), datetime.min.time(), UTC)
        near = self.random.choice([-1, 0, 1, 59, 600])
        return midnight - timedelta(minutes=OFFSET - near)

    def word(self) -> str:
        """A word."""
        return self.random.choice(WORDS)

    def custom(self) -> dict[str, Any]:
        """Custom values as `integration.rules.custom` leaves them."""
        pick = self.random
        values: dict[str, Any] = {
            "UF_CRM_TEXT": self.word() or "x",
            "UF_CRM_NUMBER": pick.randint(-2, 5),
            "UF_CRM_DOUBLE": pick.choice([0.5, 1.25, -3.0]),
            "UF_CRM_FLAG": pick.random() < 0.5,
            "UF_CRM_DATE": self.day().isoformat(),
            "UF_CRM_MOMENT": (self.moment()).isoformat(),
            "UF_CRM_MONEY": {
                "amount": float(pick.randint(0, 9) * 100),
                "currency": pick.choice(["RUB", "USD", "XXX"]),
            },
            "UF_CRM_ITEM": pick.randint(1, 3),
            "UF_CRM_ITEMS": pick.sample([1, 2, 3], pick.randint(0, 3)),
            "UF_CRM_TAGS": pick.sample(["a", "б", "1"], pick.randint(0, 2)),
        }
        return {code: value for code, value in values.items() if pick.random() < 0.6}

    def common(self, number: int) -> dict[str, Any]:
        """Columns every mirrored row has."""
        utm = {"source": self.random.choice(["ya", "vk"]), "medium": "cpc"}
        return {
            "bitrix_id": number,
            "assigned_by_id": self.maybe(self.random.randint(1, 3)),
            "source_id": self.maybe(self.random.choice(["WEB", "CALL"])),
            "opened": self.random.random() < 0.8,
            "utm": self.maybe(utm, 0.4),
            "created_at": self.maybe(self.moment(), 0.95),
            "updated_at": self.maybe(self.moment()),
            "custom": self.custom(),
            "deleted_at": self.maybe(NOW, 0.08),
        }

    def person(self) -> dict[str, Any]:
        """Name, birthday, position."""
        return {
            "name": self.maybe(self.word()),
            "second_name": None,
            "last_name": self.maybe(self.word()),
            "birth_date": self.maybe(self.day(), 0.5),
            "post": self.maybe(self.word()),
        }

    def rows(self) -> Rows:
        """A whole portal."""
        pick, found = self.random, Rows()
        found.cards["contact"] = [
            self.common(n)
            | self.person()
            | {
                "type_id": self.maybe(pick.choice(["CLIENT", "PARTNER"])),
                "company_id": self.maybe(pick.randint(1, 4), 0.4),
            }
            for n in range(1, 13)
        ]
        found.cards["company"] = [
            self.common(n)
            | {
                "title": self.maybe(self.word()),
                "type_id": self.maybe(pick.choice(["CLIENT", "PARTNER"])),
                "industry": self.maybe(pick.choice(["IT", "FIN"])),
                "employees": self.maybe("E1"),
                "revenue": self.maybe(Decimal(pick.randint(0, 5) * 1000)),
                "currency_id": self.maybe(pick.choice(["RUB", "USD", "XXX"])),
                "is_my_company": pick.random() < 0.15,
            }
            for n in range(1, 6)
        ]
        found.cards["lead"] = [
            self.common(n)
            | self.person()
            | {
                "title": self.maybe(self.word()),
                "stage_id": pick.choice(["NEW", "JUNK", "CONVERTED"]),
                "stage_semantic": pick.choice(["P", "F", "S"]),
                "opportunity": Decimal(pick.randint(0, 4) * 500),
                "currency_id": self.maybe(pick.choice(["RUB", "EUR"])),
                "contact_id": self.maybe(pick.randint(1, 12), 0.3),
                "company_id": self.maybe(pick.randint(1, 5), 0.2),
                "is_return_customer": pick.random() < 0.3,
                "closed_at": self.maybe(self.moment(), 0.5),
                "moved_at": self.maybe(self.moment(), 0.5),
            }
            for n in range(1, 11)
        ]
        self._deals(found)
        self._rest(found)
        self._goods(found)
        return found

    def _deals(self, found: Rows) -> None:
        pick = self.random
        for number in range(1, 31):
            contacts = pick.sample(range(1, 13), pick.choice([0, 1, 1, 1, 2]))
            found.deals.append(
                self.common(number)
                | {
                    "title": self.maybe(self.word()),
                    "pipeline_id": pick.choice([0, 1]),
                    "stage_id": pick.choice(["NEW", "WON", "LOSE"]),
                    "stage_semantic": pick.choice(["P", "S", "F"]),
                    "type_id": self.maybe("SALE"),
                    "opportunity": Decimal(100),
                    "base_amount": self.maybe(Decimal(pick.randint(-1, 5) * 100), 0.9),
                    "currency_id": pick.choice(["RUB", "USD"]),
                    "company_id": self.maybe(pick.randint(1, 5), 0.5),
                    "contact_id": contacts[0] if contacts else None,
                    "lead_id": self.maybe(pick.randint(1, 10), 0.3),
                    "is_recurring": pick.random() < 0.1,
                    "is_return_customer": pick.random() < 0.3,
                    "begun_on": self.maybe(self.day()),
                    "closed_on": self.maybe(self.day()),
                    "moved_at": self.maybe(self.moment()),
                }
            )
            found.links += [
                {"deal_id": number, "contact_id": contact, "position": place}
                for place, contact in enumerate(contacts)
            ]

    def _rest(self, found: Rows) -> None:
        pick = self.random
        for kind, cards in found.cards.items():
            for card in cards:
                for place in range(pick.choice([0, 1, 2])):
                    value = pick.choice(
                        [("email", "a@mail.ru"), ("email", "b@firm.de"), ("phone", "+79001234567"),
                         ("phone", "+4915112345"), ("messenger", "bot")]
                    )  # fmt: skip
                    bad = pick.random() < 0.2
                    found.addresses.append(
                        {"entity": kind, "entity_id": card["bitrix_id"], "kind": value[0],
                         "position": place, "value_type": self.maybe("WORK"), "value": value[1],
                         "normalised": None if bad else value[1], "problem": "no" if bad else None}
                    )  # fmt: skip
        for number in range(1, 25):
            owner_type, most = pick.choice([(1, 10), (2, 30), (3, 12), (4, 5)])
            found.activities.append(
                {"bitrix_id": number, "owner_type": owner_type, "owner_id": pick.randint(1, most),
                 "type_id": pick.choice([1, 2, 4]), "direction": self.maybe(pick.choice([1, 2])),
                 "completed": pick.random() < 0.5, "subject": self.maybe(self.word()),
                 "responsible_id": self.maybe(pick.randint(1, 3)), "provider_id": None,
                 "created_at": self.maybe(self.moment()), "started_at": None,
                 "ended_at": self.maybe(self.moment())}
            )  # fmt: skip
        for number in range(1, 41):
            entity, most = pick.choice([("deal", 30), ("deal", 30), ("lead", 10)])
            found.moves.append(
                {"entity": entity, "bitrix_id": number, "owner_id": pick.randint(1, most),
                 "move_type": 2, "pipeline_id": pick.choice([0, 1]), "moved_at": self.moment(),
                 "stage_id": pick.choice(["NEW", "WON", "LOSE"]),
                 "stage_semantic": pick.choice(["P", "S", "F"])}
            )  # fmt: skip
        for kind, number in (("contact", 12), ("company", 5)):
            for client_id in range(1, number + 1):
                if pick.random() < 0.6:
                    sales = pick.randint(0, 4)
                    last = self.day() if sales else None
                    found.metrics.append(
                        {"kind": kind, "client_id": client_id, "sales": sales,
                         "ltv": Decimal(pick.randint(-2, 5) * 100),
                         "margin": self.maybe(Decimal(pick.randint(-1, 3) * 100)),
                         "average_check": Decimal(pick.randint(1, 5) * 50) if sales else None,
                         "first_sale_on": last and last - timedelta(days=10), "last_sale_on": last,
                         "mean_gap_days": Decimal(pick.choice([0, 10, 30])) if sales > 1 else None}
                    )  # fmt: skip
                    self._scored(found, found.metrics[-1])

    def _scored(self, found: Rows, metrics: dict[str, Any]) -> None:
        """Scores of somebody who bought; sometimes none as yet, sometimes of no purchase in the window."""
        pick, last = self.random, metrics["last_sale_on"]
        if last is None or pick.random() < 0.1:
            return
        bought = pick.randint(0, 3)
        scores = {name: pick.randint(1, 5) if bought else None for name in "rfm"}
        earlier = last - timedelta(days=pick.choice([1, 30, 61, 200, 400]))
        found.scores.append(
            {"kind": metrics["kind"], "client_id": metrics["client_id"], "bought": bought,
             "spent": Decimal(100), "previous_sale_on": earlier if metrics["sales"] > 1 else None,
             "group_key": pick.choice(["best", "at_risk", "lost"]), **scores}
        )  # fmt: skip

    def _goods(self, found: Rows) -> None:
        """A catalog of sections in sections (two of them in each other), and what was sold of it."""
        pick = self.random
        found.sections = [
            {"bitrix_id": number, "parent_id": parent, "catalog_id": 1, "name": f"S{number}"}
            for number, parent in ((1, None), (2, 1), (3, 2), (4, 5), (5, 4))
        ]
        for number in range(1, 9):
            variation = number > 6
            found.products.append(
                {"bitrix_id": number, "catalog_id": 1, "name": f"P{number}",
                 "section_id": self.maybe(pick.randint(1, 5)),
                 "parent_id": pick.randint(1, 3) if variation else None}
            )  # fmt: skip
        for number in range(1, 41):
            found.product_rows.append(
                {"deal_id": pick.randint(1, 30), "row_id": number,
                 "product_id": self.maybe(pick.randint(1, 9)), "name": self.maybe(self.word()),
                 "quantity": Decimal(pick.choice(["1", "2", "0.5"])), "price": Decimal(50),
                 "amount": Decimal(pick.randint(0, 4) * 50)}
            )  # fmt: skip


def stored(session: Session, rows: Rows) -> Rows:
    """The rows in the mirror of a portal of their own."""
    own = uuid4().hex
    portal = Portal(
        member_id=own, domain=f"{own}.example.com", client_id=f"local.{own}",
        client_secret_sealed="x", base_currency="RUB", utc_offset_minutes=OFFSET,
    )  # fmt: skip
    session.add(portal)
    session.flush()
    rows.portal_id = portal.id
    for model, values in (
        (Contact, rows.cards["contact"]),
        (Company, rows.cards["company"]),
        (Lead, rows.cards["lead"]),
        (Deal, rows.deals),
        (DealContact, rows.links),
        (Address, rows.addresses),
        (Activity, rows.activities),
        (StageMove, rows.moves),
        (ClientMetrics, rows.metrics),
        (ClientScores, rows.scores),
        (ProductSection, rows.sections),
        (Product, rows.products),
        (DealProduct, rows.product_rows),
    ):
        if values:
            put = [{"portal_id": portal.id, **value} for value in values]
            session.execute(sa.insert(model), put)
    session.execute(
        sa.insert(ScoreBasis),
        [{"portal_id": portal.id, "kind": kind, "day": TODAY, "window_days": 365, "buyers": 1,
          "how": "quantile", "days": [], "purchases": [], "money": [], "gaps": [],
          "stages": list(stages), "rule_version": 1, "choices_version": 0, "seconds": 0,
          "computed_at": NOW}
         for kind, stages in STAGES.items()],
    )  # fmt: skip
    session.execute(
        sa.insert(Currency),
        [{"portal_id": portal.id, "code": code, "rate": rate, "is_base": code == "RUB"}
         for code, rate in RATES.items()],
    )  # fmt: skip
    session.execute(
        sa.insert(CustomField),
        [{"portal_id": portal.id, "entity": entity, "code": code, "type_id": type_id,
          "label": code, "multiple": multiple}
         for entity in ("contact", "company", "lead", "deal")
         for code, (type_id, multiple) in CUSTOM.items()],
    )  # fmt: skip
    session.flush()
    return rows
