"""Who a segment selects, thought out row by row: no SQL, nothing of the compiler.

Takes the definition's JSON and the rows of `support.segment_portal`. Kept naive on purpose.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from support.segment_operators import compare, compare_field, local_day
from support.segment_portal import CUSTOM, NOW, RATES, STAGES, TODAY, Rows

OWNERS = {"lead": 1, "contact": 3, "company": 4}
CLIENTS = ("contact", "company")


def members(rows: Rows, definition: dict[str, Any]) -> set[tuple[str, int]]:
    """(kind, id) of everybody selected; without a limit."""
    found: set[tuple[str, int]] = set()
    clients, leads = definition.get("clients"), definition.get("leads")
    sides = [(kind, clients) for kind in CLIENTS] + [("lead", leads)]
    for kind, side in sides:
        if side is None or kind not in side.get("kinds", [*CLIENTS, "lead"]):
            continue
        for card in rows.cards[kind]:
            if card["deleted_at"] or card.get("is_my_company"):
                continue
            if kind == "lead" and clients and is_a_clients(rows, card, found):
                continue
            if holds(rows, kind, card, side.get("where", {"all": []})):
                found.add((kind, card["bitrix_id"]))
    return found


def is_a_clients(rows: Rows, lead: dict[str, Any], clients: set[tuple[str, int]]) -> bool:
    """The lead is linked to a client, or shares an address with a selected one."""
    mine = reached_by(rows, "lead", lead["bitrix_id"])
    theirs = {
        each
        for kind, number in clients
        if kind != "lead"
        for each in reached_by(rows, kind, number)
    }
    return bool(lead["contact_id"] or lead["company_id"] or mine & theirs)


def reached_by(rows: Rows, kind: str, number: int) -> set[tuple[str, str]]:
    """What the card can be reached by."""
    return {
        (a["kind"], a["normalised"]) for a in rows.addresses
        if (a["entity"], a["entity_id"]) == (kind, number) and a["normalised"]
    }  # fmt: skip


def holds(rows: Rows, kind: str, card: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether a node of the tree holds for the card."""
    for mode, combine in (("all", all), ("any", any)):
        if mode in node:
            return combine(holds(rows, kind, card, part) for part in node[mode])
    if "none" in node:
        return not any(holds(rows, kind, card, part) for part in node["none"])
    if "related" in node:
        return related_holds(rows, kind, card, node)
    if not has_field(kind, node["field"]):
        return compare(None, node["op"], node.get("value"))
    return compare_field(card_value(rows, kind, card, node["field"]), node)


ONLY = {
    "post": ("contact", "lead"), "birth_date": ("contact", "lead"), "type": CLIENTS,
    "company": ("contact", "lead"), "industry": ("company",), "employees": ("company",),
    "revenue": ("company",), "ltv": CLIENTS, "sales": CLIENTS, "average_check": CLIENTS,
    "mean_gap_days": CLIENTS, "days_since_sale": CLIENTS, "overdue_ratio": CLIENTS,
    "first_sale_on": CLIENTS, "last_sale_on": CLIENTS, "margin": CLIENTS, "check_change": CLIENTS,
    **dict.fromkeys(
        ("rfm_r", "rfm_f", "rfm_m", "rfm_name", "lifecycle"), CLIENTS,
    ),
    **dict.fromkeys(
        ("title", "stage", "state", "amount", "is_return", "client_contact", "client_company",
         "closed_at", "moved_at", "days_in_stage"), ("lead",),
    ),
}  # fmt: skip


def has_field(kind: str, key: str) -> bool:
    """Whether this kind of card has the field."""
    return kind in ONLY.get(key, (*CLIENTS, "lead"))


def card_value(rows: Rows, kind: str, card: dict[str, Any], key: str) -> Any:
    """The value of a card's field; None is empty."""
    if key in CUSTOM:
        return custom_value(card, key)
    if key.startswith("utm_"):
        return (card["utm"] or {}).get(key[4:])
    plain = {
        "responsible": "assigned_by_id", "source": "source_id", "company": "company_id",
        "stage": "stage_id", "state": "stage_semantic", "is_return": "is_return_customer",
        "client_contact": "contact_id", "client_company": "company_id",
    }  # fmt: skip
    if key == "full_name":
        if kind == "company":
            return card["title"] or None
        parts = (card["name"], card["second_name"], card["last_name"])
        return " ".join(part for part in parts if part is not None) or None
    if key == "type":
        return card["type_id"] and f"{kind}:{card['type_id']}"
    if key in {"revenue", "amount"}:
        amount = card["revenue" if key == "revenue" else "opportunity"]
        return in_rubles(amount, card["currency_id"])
    computed = {
        "days_in_stage": lambda: days_in_stage(card),
        "check_change": lambda: check_change(deals_of(rows, kind, card["bitrix_id"])),
        "last_contact_at": lambda: last_contact(rows, kind, card["bitrix_id"]),
        "lifecycle": lambda: life_stage(rows, kind, card),
    }
    if key in computed:
        return computed[key]()
    if key in {"ltv", "margin", "sales", "average_check", "mean_gap_days", "days_since_sale",
               "overdue_ratio", "first_sale_on", "last_sale_on"}:  # fmt: skip
        return metric(rows, kind, card["bitrix_id"], key)
    if key.startswith("rfm_"):
        return rfm(rows, kind, card, key.removeprefix("rfm_"))
    value = card[plain.get(key, key)]
    return str(value) if key in plain and isinstance(value, int) and key != "is_return" else value


def metric(rows: Rows, kind: str, client_id: int, key: str) -> Any:
    """A metric of the client; who has no row never bought."""
    row = next((m for m in rows.metrics if m["kind"] == kind and m["client_id"] == client_id), None)
    if row is None:
        return Decimal(0) if key in {"ltv", "sales"} else None
    if key in {"days_since_sale", "overdue_ratio"}:
        if row["last_sale_on"] is None:
            return None
        days = (TODAY - row["last_sale_on"]).days
        if key == "days_since_sale":
            return days
        return Decimal(days) / row["mean_gap_days"] if row["mean_gap_days"] else None
    return row[key]


def scores_of(rows: Rows, kind: str, client_id: int) -> dict[str, Any] | None:
    """The stored scores of a client."""
    of_kind = [row for row in rows.scores if row["kind"] == kind]
    return next((row for row in of_kind if row["client_id"] == client_id), None)


def is_fresh(card: dict[str, Any]) -> bool:
    """The card is not older than 60 days."""
    return card["created_at"] is not None and (TODAY - local_day(card["created_at"])).days <= 60


def rfm(rows: Rows, kind: str, card: dict[str, Any], name: str) -> Any:
    """A score or the group; a card without scores is named by its age."""
    row = scores_of(rows, kind, card["bitrix_id"])
    if name != "name":
        return row and row[name]
    if row is not None:
        return row["group_key"]
    return "new_without_orders" if is_fresh(card) else "lost_without_orders"


def life_stage(rows: Rows, kind: str, card: dict[str, Any]) -> str:
    """The stage of life, by the days since the last sale."""
    sales = metric(rows, kind, card["bitrix_id"], "sales")
    if not sales:
        return "prospect" if is_fresh(card) else "never_bought"
    last = metric(rows, kind, card["bitrix_id"], "last_sale_on")
    regular, cooling, sleeping = STAGES[kind]
    idle = (TODAY - last).days
    if idle > cooling:
        return "lost" if idle > sleeping else "sleeping"
    if idle > regular:
        return "awaited" if sales == 1 else "cooling"
    if sales == 1:
        return "new"
    row = scores_of(rows, kind, card["bitrix_id"])
    before = row and row["previous_sale_on"]
    return "returned" if before and (last - before).days > cooling else "active"


def custom_value(row: dict[str, Any], code: str) -> Any:
    """A custom value as its type means it."""
    value = row["custom"].get(code)
    type_id, multiple = CUSTOM[code]
    if value in (None, [], "") and value is not False:
        return None
    if multiple:
        return [str(item) for item in value]
    if type_id == "money":
        return in_rubles(Decimal(str(value["amount"])), value["currency"])
    if type_id == "date":
        return date.fromisoformat(value)
    if type_id == "datetime":
        return datetime.fromisoformat(value)
    if type_id == "double":
        return Decimal(str(value))
    return str(value) if type_id == "enumeration" else value


def in_rubles(amount: Decimal | None, currency: str | None) -> Decimal | None:
    """At today's rate; no rate, no value."""
    rate = RATES.get(currency or "RUB")
    return None if amount is None or rate is None else amount * rate


# ---- related rows -------------------------------------------------------------------------------


def is_sale(deal: dict[str, Any]) -> bool:
    """Won, and no template."""
    return deal["stage_semantic"] == "S" and not deal["is_recurring"]


def sold_on(deal: dict[str, Any]) -> date | None:
    """The day of a sale: closed, else moved; of what is no sale, none."""
    if not is_sale(deal):
        return None
    return deal["closed_on"] or (deal["moved_at"] and local_day(deal["moved_at"]))


def days_in_stage(row: dict[str, Any]) -> Decimal | None:
    """Days since the stage changed."""
    moved = row["moved_at"]
    return None if moved is None else Decimal((NOW - moved).total_seconds()) / 86_400


def last_contact(rows: Rows, kind: str, card_id: int) -> datetime | None:
    """The latest begin or end of a completed activity of the card or its deals."""
    done = [each for each in related_rows(rows, kind, card_id, "activities") if each["completed"]]
    moments = [each[name] for each in done for name in ("created_at", "ended_at")]
    return max(filter(None, moments), default=None)


def check_change(deals: list[dict[str, Any]]) -> Decimal | None:
    """The mean of the last three sales over that of the earlier ones; a sale without a day is the newest."""
    sales = [deal for deal in deals if is_sale(deal) and (deal["base_amount"] or 0) > 0]
    sales.sort(key=lambda deal: (sold_on(deal) or date.max, deal["bitrix_id"]))
    earlier, latest = ([d["base_amount"] for d in part] for part in (sales[:-3], sales[-3:]))
    if not earlier:
        return None
    return sum(latest, Decimal(0)) / 3 / (sum(earlier, Decimal(0)) / len(earlier))


def deals_of(rows: Rows, kind: str, card_id: int, *, templates: bool = False) -> list[Any]:
    """The card's deals, or the templates of recurring ones: a contact has those it is the primary contact of."""
    key = {"contact": "contact_id", "company": "company_id", "lead": "lead_id"}[kind]
    return [
        deal for deal in rows.deals
        if deal[key] == card_id and not deal["deleted_at"] and deal["is_recurring"] is templates
    ]  # fmt: skip


def told_of(rows: Rows, deal: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """The deal with what its activities and the card's other deals say of it."""
    own = [a for a in rows.activities if (a["owner_type"], a["owner_id"]) == (2, deal["bitrix_id"])]
    stamps = [a["created_at"] for a in own if a["created_at"]]
    sold = sold_on(deal)
    lost = [
        other["closed_on"] for other in others
        if other["stage_semantic"] == "F" and other["closed_on"] and sold
        and other["closed_on"] < sold
    ]  # fmt: skip
    return {
        **deal,
        "last_activity_at": max(stamps, default=None),
        "has_plans": any(not a["completed"] for a in own),
        "days_after_lost": (sold - max(lost)).days if sold and lost else None,
    }


def product_rows(rows: Rows, kind: str, card_id: int) -> list[dict[str, Any]]:
    """Product rows of the card's deals, with the product, its sections and the deal."""
    deals = {deal["bitrix_id"]: deal for deal in deals_of(rows, kind, card_id)}
    catalog = {product["bitrix_id"]: product for product in rows.products}
    parents = {section["bitrix_id"]: section["parent_id"] for section in rows.sections}
    found = []
    for row in rows.product_rows:
        if row["deal_id"] not in deals:
            continue
        deal, product = deals[row["deal_id"]], catalog.get(row["product_id"])
        sections: list[str] = []
        at = product and product["section_id"]
        while at and str(at) not in sections:
            sections.append(str(at))
            at = parents[at]
        number = (product and product["parent_id"]) or row["product_id"]
        found.append(
            {**row, "bitrix_id": row["row_id"], "product": number and str(number),
             "section": sections or None, "created_at": deal["created_at"],
             "amount": in_rubles(row["amount"], deal["currency_id"]),
             "state": deal["stage_semantic"], "sold_on": sold_on(deal)}
        )  # fmt: skip
    return found


def related_rows(rows: Rows, kind: str, card_id: int, relation: str) -> list[dict[str, Any]]:
    """All rows of the relation that belong to the card."""
    if relation in {"deals", "recurring_deals"}:
        own = deals_of(rows, kind, card_id)
        asked = own if relation == "deals" else deals_of(rows, kind, card_id, templates=True)
        return [told_of(rows, deal, own) for deal in asked]
    if relation == "products":
        return product_rows(rows, kind, card_id)
    if relation == "leads":
        leads = [lead for lead in rows.cards["lead"] if not lead["deleted_at"]]
        return [lead for lead in leads if lead[f"{kind}_id"] == card_id]
    if relation == "addresses":
        return [a for a in rows.addresses if (a["entity"], a["entity_id"]) == (kind, card_id)]
    deal_ids = {deal["bitrix_id"] for deal in deals_of(rows, kind, card_id)}
    if relation == "activities":
        return [
            a for a in rows.activities
            if (a["owner_type"] == OWNERS[kind] and a["owner_id"] == card_id)
            or (a["owner_type"] == 2 and a["owner_id"] in deal_ids)
        ]  # fmt: skip
    entity, owners = ("lead", {card_id}) if kind == "lead" else ("deal", deal_ids)
    found = []
    for owner in owners:
        moves = sorted(
            (m for m in rows.moves if m["entity"] == entity and m["owner_id"] == owner),
            key=lambda m: (m["moved_at"], m["bitrix_id"]),
        )
        for place, move in enumerate(moves):
            until = moves[place + 1]["moved_at"] if place + 1 < len(moves) else NOW
            before = moves[place - 1]["stage_id"] if place else None
            stayed = Decimal((until - move["moved_at"]).total_seconds()) / 86_400
            found.append({**move, "previous_stage_id": before, "stayed_days": stayed})
    return found


def row_value(relation: str, row: dict[str, Any], key: str) -> Any:
    """The value of a related row's field."""
    if key in CUSTOM:
        return custom_value(row, key)
    if key.startswith("utm_"):
        return (row["utm"] or {}).get(key[4:])
    if relation == "products":
        return row[key]
    computed = {"is_sale": is_sale, "sold_on": sold_on, "days_in_stage": days_in_stage}
    if key in computed:
        return computed[key](row)
    if relation == "leads" and key == "amount":
        return in_rubles(row["opportunity"], row["currency_id"])
    if relation == "addresses":
        return {
            "kind": row["kind"], "value": row["normalised"],
            "valid": row["normalised"] is not None,
            "phone": row["normalised"] if row["kind"] == "phone" else None,
            "domain": (row["normalised"] or "").partition("@")[2] or None
            if row["kind"] == "email" else None,
            "purpose": row["value_type"],
        }[key]  # fmt: skip
    names = {
        "pipeline": "pipeline_id", "stage": "stage_id", "state": "stage_semantic",
        "amount": "base_amount", "currency": "currency_id", "type": "type_id",
        "is_return": "is_return_customer", "source": "source_id", "from_stage": "previous_stage_id",
        "responsible": "responsible_id" if relation == "activities" else "assigned_by_id",
        "kind": "type_id",
    }  # fmt: skip
    value = row[names.get(key, key)]
    texts = {"pipeline", "responsible", "kind", "direction"}
    return str(value) if key in texts and value is not None else value


def inner_holds(relation: str, row: dict[str, Any], node: dict[str, Any] | None) -> bool:
    """Whether the inner conditions hold for one and the same row."""
    if node is None:
        return True
    if "all" in node:
        return all(inner_holds(relation, row, part) for part in node["all"])
    if "any" in node:
        return any(inner_holds(relation, row, part) for part in node["any"])
    if "none" in node:
        return not any(inner_holds(relation, row, part) for part in node["none"])
    return compare_field(row_value(relation, row, node["field"]), node)


def related_holds(rows: Rows, kind: str, card: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether a question about related rows holds."""
    relation, measure = node["related"], node.get("measure", "any")
    if relation == "leads" and kind == "lead":
        return measure == "none"
    every = related_rows(rows, kind, card["bitrix_id"], relation)
    where = node.get("where")
    matching = [row for row in every if inner_holds(relation, row, where)]
    if measure == "any":
        return bool(matching)
    if measure == "none":
        return not matching
    if measure in {"first", "last"}:
        return end_holds(relation, every, where, measure)
    if measure == "count":
        return compare(len(matching), node["op"], node.get("value"))
    values = [row_value(relation, row, node["of"]) for row in matching]
    values = [value for value in values if value is not None]
    taken: Any = None
    if measure == "sum":
        taken = sum(values, Decimal(0))
    elif values:
        taken = {
            "avg": lambda: sum(values, Decimal(0)) / len(values),
            "min": lambda: min(values),
            "max": lambda: max(values),
        }[measure]()
    return compare(taken, node["op"], node.get("value"))


def end_holds(relation: str, every: list[dict[str, Any]], where: Any, measure: str) -> bool:
    """Whether the first or last of all rows satisfies the conditions; a row without a date is the earliest."""
    if not every:
        return False
    key = "moved_at" if relation == "stage_moves" else "created_at"
    early = datetime.min.replace(tzinfo=NOW.tzinfo)
    ordered = sorted(every, key=lambda row: (row[key] or early, row["bitrix_id"]))
    return inner_holds(relation, ordered[0] if measure == "first" else ordered[-1], where)
