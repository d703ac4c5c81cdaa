"""A small portal for questions of ready segments, and its cards with what belongs to each, row by row."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from support.segment_portal import NOW, OFFSET, TODAY, Maker, Rows, stored
from support.segment_truth import is_a_clients

from integration.mirror import Pipeline, Status
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members
from segments.ready import presets

CLIENTS = ("contact", "company")
BOTH = (*CLIENTS, "lead")
STATUSES = [
    ("DEAL_STAGE", "NEW", "Новая", 1, "P"), ("DEAL_STAGE", "WON", "Счёт", 2, None),
    ("DEAL_STAGE", "LOSE", "Провал", 3, "F"), ("DEAL_STAGE_1", "LOSE", "Разбор", 1, "P"),
    ("STATUS", "NEW", "Новый", 1, "P"), ("STATUS", "CONVERTED", "Успех", 2, "S"),
    ("STATUS", "JUNK", "Это спам", 3, "F"), ("SOURCE", "WEB", "CRM-форма", 1, None),
    ("SOURCE", "CALL", "Рекомендация", 2, None), ("INDUSTRY", "IT", "IT", 1, None),
]  # fmt: skip


def with_a_good_client(rows: Rows) -> Rows:
    """Contact 1 has bought six times."""
    rows.cards["contact"][0]["deleted_at"] = None
    for place, deal in enumerate(rows.deals[:6]):
        deal |= {
            "contact_id": 1, "stage_semantic": "S", "is_recurring": False, "deleted_at": None,
            "base_amount": Decimal((place * 7 % 5 + 1) * 100),
        }  # fmt: skip
    rows.metrics = [m for m in rows.metrics if (m["kind"], m["client_id"]) != ("contact", 1)]
    worth = {"ltv": Decimal(1600), "sales": 6, "first_sale_on": TODAY, "last_sale_on": TODAY}
    rows.metrics.append(
        {**worth, "kind": "contact", "client_id": 1, "margin": None,
         "average_check": Decimal(270), "mean_gap_days": Decimal(10)}
    )  # fmt: skip
    return rows


class Portal:
    """A small portal, and questions to its rows."""

    def __init__(self, session: Any, seed: int) -> None:
        self.session = session
        self.rows: Rows = stored(session, with_a_good_client(Maker(seed).rows()))
        portal_id = self.rows.portal_id
        for number, name in ((0, "Общая"), (1, "Вторая")):
            session.add(Pipeline(portal_id=portal_id, bitrix_id=number, name=name, sort=number))
        for dictionary, status_id, name, sort, semantic in STATUSES:
            session.add(
                Status(portal_id=portal_id, dictionary=dictionary, status_id=status_id, name=name,
                       sort=sort, semantic=semantic)
            )  # fmt: skip
        session.flush()
        self.facts = presets.facts_of(session, scope_of(session, portal_id, NOW))

    def found(self, key: str, **chosen: Any) -> set[tuple[str, int]]:
        """Whom the preset finds."""
        raw = presets.build(self.facts, key, chosen)
        definition = definitions.read(raw, self.facts.scope)
        return {tuple(row) for row in self.session.execute(members(self.facts.scope, definition))}

    def wanted(self, kinds: tuple[str, ...], holds: Any) -> set[tuple[str, int]]:
        """Whom the definition names: living cards, not the owner's companies; a client's lead is the client."""
        found: set[tuple[str, int]] = set()
        for kind in BOTH:
            for card in self.rows.cards[kind] if kind in kinds else ():
                if card["deleted_at"] or card.get("is_my_company"):
                    continue
                if (
                    len(kinds) == len(BOTH)
                    and kind == "lead"
                    and is_a_clients(self.rows, card, found)
                ):
                    continue
                if holds(Card(self.rows, kind, card)):
                    found.add((kind, card["bitrix_id"]))
        return found


class Card:
    """One card with what belongs to it, as plain lists of rows."""

    def __init__(self, rows: Rows, kind: str, card: dict[str, Any]) -> None:
        self.rows, self.kind, self.id = rows, kind, card["bitrix_id"]
        self.row = card
        worth = [m for m in rows.metrics if (m["kind"], m["client_id"]) == (kind, self.id)]
        self.worth: dict[str, Any] = worth[0] if worth else {"sales": 0, "ltv": Decimal(0)}

    def get(self, key: str) -> Any:
        return self.row.get(key)

    def every_deal(self) -> list[dict[str, Any]]:
        name = f"{self.kind}_id"
        return [d for d in self.rows.deals if d[name] == self.id and not d["deleted_at"]]

    def deals(self, *states: str) -> list[dict[str, Any]]:
        return [
            d for d in self.every_deal()
            if not d["is_recurring"] and (not states or d["stage_semantic"] in states)
        ]  # fmt: skip

    def leads(self) -> list[dict[str, Any]]:
        leads = [lead for lead in self.rows.cards["lead"] if not lead["deleted_at"]]
        return [lead for lead in leads if lead[f"{self.kind}_id"] == self.id]

    def sold(self) -> list[tuple[date, dict[str, Any]]]:
        days = [(d["closed_on"] or local(d["moved_at"]), d) for d in self.deals("S")]
        return [(day, deal) for day, deal in days if day]

    def activities(self) -> list[dict[str, Any]]:
        number = {"lead": 1, "contact": 3, "company": 4}[self.kind]
        deals = {d["bitrix_id"] for d in self.deals()}
        return [
            a for a in self.rows.activities
            if (a["owner_type"], a["owner_id"]) == (number, self.id)
            or (a["owner_type"] == 2 and a["owner_id"] in deals)
        ]  # fmt: skip

    def of_deal(self, deal: dict[str, Any]) -> list[dict[str, Any]]:
        key = (2, deal["bitrix_id"])
        return [a for a in self.rows.activities if (a["owner_type"], a["owner_id"]) == key]

    def addresses(self, *kinds: str) -> list[dict[str, Any]]:
        mine = [
            a for a in self.rows.addresses if (a["entity"], a["entity_id"]) == (self.kind, self.id)
        ]
        return [a for a in mine if a["kind"] in kinds]

    def idle(self) -> int | None:
        last = self.worth.get("last_sale_on")
        return None if last is None else (TODAY - last).days

    def score(self, name: str) -> int:
        """0 for who has none; no score is asked to be so low."""
        mine = [s for s in self.rows.scores if (s["kind"], s["client_id"]) == (self.kind, self.id)]
        return (mine[0][name] or 0) if mine else 0

    def bought_on(self, products: tuple[int, ...]) -> list[date]:
        """The days of sales with one of the products, or with one of a section."""
        chosen = {
            p["bitrix_id"] for p in self.rows.products
            if p["bitrix_id"] in products or p["parent_id"] in products
        } | set(products)  # fmt: skip
        days = {deal["bitrix_id"]: day for day, deal in self.sold()}
        return [
            days[row["deal_id"]] for row in self.rows.product_rows
            if row["product_id"] in chosen and row["deal_id"] in days
        ]  # fmt: skip

    def bought(self, products: tuple[int, ...], since: date | None = None) -> bool:
        return any(since is None or since <= day <= TODAY for day in self.bought_on(products))


def local(moment: Any) -> date | None:
    return None if moment is None else (moment + timedelta(minutes=OFFSET)).date()
