"""Each preset finds exactly whom its definition, thought out row by row, names; what lacks is told."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from support.segment_portal import NOW, OFFSET, TODAY, Maker, Rows, stored
from support.segment_truth import is_a_clients

from integration.mirror import CustomField, Pipeline, Status
from mailings import conditions as mail_conditions
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members
from segments.ready import presets
from segments.ready.parameters import InvalidParameter
from segments.ready.presets import PRESETS, Unready
from segments.rules.lifecycle import Edges

SEEDS = range(7)
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

    def bought(self, products: tuple[int, ...], since: date | None = None) -> bool:
        chosen = {
            p["bitrix_id"] for p in self.rows.products
            if p["bitrix_id"] in products or p["parent_id"] in products
        } | set(products)  # fmt: skip
        days = {deal["bitrix_id"]: day for day, deal in self.sold()}
        return any(
            row["product_id"] in chosen and row["deal_id"] in days
            and (since is None or since <= days[row["deal_id"]] <= TODAY)
            for row in self.rows.product_rows
        )  # fmt: skip


def local(moment: Any) -> date | None:
    return None if moment is None else (moment + timedelta(minutes=OFFSET)).date()


def ago(number: int) -> date:
    return TODAY - timedelta(days=number)


def months_ago(day: date) -> int:
    return (TODAY.year - day.year) * 12 + TODAY.month - day.month


def only_lost(card: Card) -> bool:
    return bool(card.deals("F")) and not card.deals("S", "P")


def latest_is_lost(card: Card) -> bool:
    first = NOW - timedelta(days=9999)
    newest = sorted(card.deals(), key=lambda d: (d["created_at"] or first, d["bitrix_id"]))
    return card.worth["sales"] >= 1 and newest[-1:] != [] and (
        newest[-1]["stage_semantic"] == "F" and not card.deals("P")
    )  # fmt: skip


def regular(card: Card) -> bool:
    paid = [months_ago(day) for day, deal in card.sold() if (deal["base_amount"] or 0) > 0]
    each = {1, 2} <= set(paid)
    return each or any(d["is_recurring"] for d in card.every_deal()) or bool(
        card.row["custom"].get("UF_CRM_FLAG")
    )  # fmt: skip


def abandoned(card: Card) -> bool:
    for deal in card.deals("P"):
        own = card.of_deal(deal)
        stamps = [a["created_at"] for a in own if a["created_at"]]
        newest = max(stamps) if stamps else deal["created_at"]
        if deal["stage_id"] not in {"NEW", "LOSE"} or any(not a["completed"] for a in own):
            continue
        if newest is not None and local(newest) < ago(14):
            return True
    return False


def foreign_by_signs(card: Card) -> bool:
    phones = [a["normalised"] or "+7" for a in card.addresses("phone")]
    zones = [(a["normalised"] or ".ru").rpartition(".")[2] for a in card.addresses("email")]
    return any(not phone.startswith("+7") for phone in phones) or any(
        zone not in {"ru", "su"} and len(zone) == 2 for zone in zones
    )


def foreign(card: Card) -> bool:
    mark = card.row["custom"].get("UF_CRM_FLAG")
    return mark is True or (mark is None and foreign_by_signs(card))


def silent(card: Card) -> bool:
    done = [a for a in card.activities() if a["completed"]]
    days = [local(a[name]) for a in done for name in ("created_at", "ended_at")]
    if any(day is not None and ago(60) <= day for day in days):
        return False
    asked_not_to = card.row["custom"].get("UF_CRM_FLAG") is True
    return not (asked_not_to and card.deals("F") and not card.deals("S", "P"))


def returned(card: Card) -> bool:
    lost = [d["closed_on"] for d in card.deals("F") if d["closed_on"]]
    for day, _deal in card.sold():
        earlier = [each for each in lost if each < day]
        if earlier and (day - max(earlier)).days <= 180:
            return True
    return False


def check_change(card: Card) -> Decimal | None:
    paid = [(day, d) for day, d in card.sold() if (d["base_amount"] or 0) > 0]
    dateless = [d for d in card.deals("S") if (d["base_amount"] or 0) > 0]
    if len(dateless) != len(paid):
        paid += [(date.max, d) for d in dateless if all(d is not each for _, each in paid)]
    amounts = [
        d["base_amount"] for _day, d in sorted(paid, key=lambda p: (p[0], p[1]["bitrix_id"]))
    ]
    if len(amounts) < 4:
        return None
    mean = sum(amounts[:-3], Decimal(0)) / len(amounts[:-3])
    return sum(amounts[-3:], Decimal(0)) / 3 / mean


def failed_well(card: Card) -> bool:
    closed = local(card.get("closed_at"))
    return card.get("stage_semantic") == "F" and card.get("stage_id") != "JUNK" and (
        closed is not None and ago(800) <= closed < ago(5)
    )  # fmt: skip


def within(day: date | None, number: int) -> bool:
    """An anniversary is today or in the next days; in common years 29 February is the 28th."""
    if day is None:
        return False
    for offset in range(number + 1):
        at = TODAY + timedelta(days=offset)
        common = not (at.year % 4 == 0 and (at.year % 100 or at.year % 400 == 0))
        moved = common and (day.month, day.day) == (2, 29) and (at.month, at.day) == (2, 28)
        if moved or (at.month, at.day) == (day.month, day.day):
            return True
    return False


def by_form(card: Card) -> bool:
    def lately(row: dict[str, Any]) -> bool:
        made = local(row["created_at"])
        return row["source_id"] == "WEB" and made is not None and ago(90) <= made <= TODAY

    if card.kind == "lead":
        return lately(card.row)
    return any(map(lately, card.deals())) or any(map(lately, card.leads()))


def any_source(card: Card) -> bool:
    rows = [card.row, *([] if card.kind == "lead" else [*card.deals(), *card.leads()])]
    return any(row["source_id"] == "CALL" for row in rows)


def phone_only(card: Card) -> bool:
    return not card.addresses("email") and bool(card.addresses("phone"))


def new_lead(card: Card) -> bool:
    linked = card.get("contact_id") or card.get("company_id")
    return bool(card.addresses("email", "phone", "messenger")) and not linked


def top_tenth(card: Card) -> bool:
    """LTV reaches the value below which nine of ten buyers are; the last sale is within a year."""
    worth = [m for m in card.rows.metrics if m["kind"] == card.kind and m["sales"] > 0]
    values = sorted(m["ltv"] for m in worth)
    if not values or card.idle() is None or card.idle() > 365:
        return False
    return card.worth["ltv"] >= values[-(-9 * len(values) // 10) - 1]


def overdue(card: Card) -> Decimal | None:
    gap, idle = card.worth.get("mean_gap_days"), card.idle()
    return Decimal(idle) / gap if gap and idle is not None else None


def moments_stuck(card: Card, edges: dict[str, Any]) -> bool:
    return any(
        d["stage_id"] in edges and d["moved_at"]
        and Decimal((NOW - d["moved_at"]).total_seconds()) / 86400 > edges[d["stage_id"]]
        for d in card.deals("P")
    )  # fmt: skip


FLAG = {"field": "UF_CRM_FLAG"}
GOODS: tuple[int, ...] = (1, 2, 3)
Question = tuple[dict[str, Any], tuple[str, ...], Callable[[Card], Any]]

QUESTIONS: dict[str, Question | list[Question]] = {
    "lost_deals": [
        ({}, CLIENTS, only_lost),
        ({"any": True}, CLIENTS, lambda c: c.deals("F")),
        ({"any": True, "months": 2, "reasons": ["LOSE"]}, CLIENTS, lambda c: any(
            d["stage_id"] == "LOSE" and d["closed_on"] and date(2026, 1, 2) <= d["closed_on"] <= TODAY
            for d in c.deals("F")
        )),
    ],
    "lost_once_buyers": ({}, CLIENTS, latest_is_lost),
    "no_deals": ({}, CLIENTS, lambda c: not c.deals()),
    "all_clients": [
        ({}, CLIENTS, lambda c: True),
        ({"buyers": True}, CLIENTS, lambda c: c.worth["sales"] >= 1),
    ],
    "all_leads": ({}, ("lead",), new_lead),
    "all_clients_and_leads": ({}, BOTH, lambda c: c.kind != "lead" or new_lead(c)),
    "foreign_leads": [
        (FLAG, ("lead",), lambda c: c.row["custom"].get("UF_CRM_FLAG") is True),
        ({**FLAG, "how": "signs", "living": True}, ("lead",),
         lambda c: foreign(c) and c.get("stage_semantic") != "F"),
        ({"field": None, "how": "signs"}, ("lead",), foreign_by_signs),
    ],
    "foreign_clients": [
        (FLAG, CLIENTS, lambda c: c.row["custom"].get("UF_CRM_FLAG") is True),
        ({**FLAG, "how": "signs"}, CLIENTS, foreign),
    ],
    "feedback_form": ({}, BOTH, by_form),
    "by_source": [
        ({"sources": ["CALL"]}, BOTH, any_source),
        ({"sources": ["CALL"], "touch": "card"}, BOTH, lambda c: c.get("source_id") == "CALL"),
    ],
    "by_utm": ({"part": "source", "values": ["ya"], "touch": "card"}, BOTH,
               lambda c: (c.get("utm") or {}).get("source") == "ya"),
    "referred": ({"field": "UF_CRM_TEXT"}, CLIENTS,
                 lambda c: c.get("source_id") == "CALL" or c.row["custom"].get("UF_CRM_TEXT")),
    "birthday": ({}, ("contact",), lambda c: within(c.get("birth_date"), 7)),
    "first_sale_anniversary": ({"days": 300}, CLIENTS, lambda c: (
        within(c.worth.get("first_sale_on"), 300) and c.worth["first_sale_on"] < TODAY
    )),
    "no_email_has_phone": ({}, BOTH, phone_only),
    "by_phone_code": ({"codes": ["+49", "+375"]}, BOTH, lambda c: any(
        (a["normalised"] or "").startswith("+49") for a in c.addresses("phone")
    )),
    "by_industry": ({"industries": ["IT"]}, ("company",), lambda c: c.get("industry") == "IT"),
    "by_position": ({"words": ["ан"]}, ("contact",), lambda c: "ан" in (c.get("post") or "").lower()),
    "one_time_buyers": ({"days": 30}, CLIENTS, lambda c: c.worth["sales"] == 1 and (c.idle() or 0) > 30),
    "repeat_buyers": ({}, CLIENTS, lambda c: c.worth["sales"] >= 2),
    "regulars": ({**FLAG, "periods": 2}, CLIENTS, regular),
    "active": [
        ({}, CLIENTS, lambda c: any(
            months_ago(day) == 0 and (d["base_amount"] or 0) > 0 for day, d in c.sold()
        )),
        ({"window": "90", "sales": 2}, CLIENTS, lambda c: sum(
            ago(89) <= day <= TODAY and (d["base_amount"] or 0) > 0 for day, d in c.sold()
        ) >= 2),
    ],
    "newly_lapsed": ({"from": 30, "to": 180}, CLIENTS, lambda c: 30 < (c.idle() or 0) <= 180),
    "sleeping": ({}, CLIENTS, lambda c: (
        c.worth["sales"] >= 1 and (c.idle() or 0) >= 180 and not c.deals("P")
    )),
    "lost": ({}, CLIENTS, lambda c: (c.idle() or 0) > 365),
    "vip": [
        ({}, CLIENTS, top_tenth),
        ({"how": "sum", "sum": 200}, CLIENTS, lambda c: (
            c.worth["ltv"] >= 200 and c.idle() is not None and c.idle() <= 365
        )),
    ],
    "cannot_lose": ({"recency": 3, "frequency": 3, "money": 3}, CLIENTS, lambda c: (
        1 <= c.score("r") <= 3 and c.score("f") >= 3 and c.score("m") >= 3
    )),
    "growing_check": ({"ratio": 0.9}, CLIENTS, lambda c: (
        c.worth["sales"] >= 4 and (check_change(c) or 0) >= Decimal("0.9")
    )),
    "falling_check": ({"ratio": 1.5}, CLIENTS, lambda c: (
        c.worth["sales"] >= 4 and (check_change(c) or 9) <= Decimal("1.5")
    )),
    "due_for_repeat": [
        ({}, CLIENTS, lambda c: Decimal("0.9") <= (overdue(c) or 0) <= Decimal("1.5")),
        ({"goods": ["1", "2", "3"], "days": 30}, CLIENTS, lambda c: (
            Decimal("0.9") <= (overdue(c) or 0) <= Decimal("1.5")
            or (c.bought(GOODS, date.min) and not c.bought(GOODS, ago(30))
                and any(day < ago(30) for day in bought_on(c, GOODS)))
        )),
    ],
    "upsell_after": ({"days": 365, "front": ["1", "2", "3"], "back": ["4"]}, CLIENTS,
                     lambda c: c.bought(GOODS, ago(365)) and not c.bought((4,))),
    "cross_sell": ({"has": ["1", "2", "3"], "lacks": ["5"]}, CLIENTS,
                   lambda c: c.bought(GOODS) and not c.bought((5,))),
    "buyers_of": ({"goods": ["1"], "days": 365}, CLIENTS, lambda c: c.bought((1,), ago(365))),
    "won_after_lost": ({}, CLIENTS, returned),
    "abandoned_deals": ({}, CLIENTS, abandoned),
    "final_stages": ({"stages": 1}, CLIENTS, lambda c: any(
        d["stage_id"] in {"WON", "LOSE"} for d in c.deals("P")
    )),
    "no_contact": ({**FLAG}, CLIENTS, silent),
    "long_leads": ({}, ("lead",), lambda c: c.get("stage_semantic") == "P" and (
        (local(c.get("created_at")) or TODAY) < ago(30)
    )),
    "untouched_leads": ({}, ("lead",), lambda c: (
        c.get("stage_semantic") == "P" and c.get("stage_id") == "NEW" and not c.activities()
    )),
    "failed_leads": ({"from": 5, "to": 800}, ("lead",), failed_well),
}  # fmt: skip
ELSEWHERE = {"stuck_in_stage"}


def bought_on(card: Card, products: tuple[int, ...]) -> list[date]:
    days = {deal["bitrix_id"]: day for day, deal in card.sold()}
    chosen = {
        p["bitrix_id"] for p in card.rows.products
        if p["bitrix_id"] in products or p["parent_id"] in products
    } | set(products)  # fmt: skip
    return [
        days[row["deal_id"]] for row in card.rows.product_rows
        if row["product_id"] in chosen and row["deal_id"] in days
    ]  # fmt: skip


def test_every_preset_is_asked():
    joined = {preset.key for preset in mail_conditions.PRESETS}
    assert set(QUESTIONS) | ELSEWHERE == set(PRESETS) - joined


def test_a_preset_finds_exactly_those_its_definition_names(session):
    portals = [Portal(session, seed) for seed in SEEDS]
    wrong, nobody = [], []
    for key, asked in QUESTIONS.items():
        for chosen, kinds, holds in asked if isinstance(asked, list) else [asked]:
            somebody = 0
            for portal in portals:
                found, wanted = portal.found(key, **chosen), portal.wanted(kinds, holds)
                somebody += len(wanted)
                if found != wanted:
                    wrong.append((key, chosen, found - wanted, wanted - found))
            if not somebody:
                nobody.append((key, chosen))
    assert wrong == []
    assert " ".join(key for key, _ in nobody) == "", "these questions prove nothing"


def test_a_deal_is_stuck_that_stands_longer_than_nine_of_ten_before_it(session):
    found_some = False
    for seed in SEEDS:
        portal = Portal(session, seed)
        stays: dict[str, list[Decimal]] = {}
        moves = sorted(
            (m for m in portal.rows.moves if m["entity"] == "deal"),
            key=lambda m: (m["moved_at"], m["bitrix_id"]),
        )
        for owner in {m["owner_id"] for m in moves}:
            own = [m for m in moves if m["owner_id"] == owner]
            for here, then in itertools.pairwise(own):
                passed = Decimal((then["moved_at"] - here["moved_at"]).total_seconds()) / 86400
                stays.setdefault(here["stage_id"], []).append(passed)
        edges = {}
        for stage, passed in stays.items():
            passed.sort()
            place = -(-len(passed) * 9 // 10) - 1
            edges[stage] = -(-passed[place] // 1)
        wanted = portal.wanted(CLIENTS, lambda card, edges=edges: moments_stuck(card, edges))
        found_some = found_some or bool(wanted)
        assert portal.found("stuck_in_stage") == wanted
    assert found_some


def test_a_preset_says_what_the_portal_lacks(session):
    rows = stored(session, Maker(3).rows())
    for table in ("deal_products", "products", "product_sections", "stage_moves"):
        session.execute(sa.text(f"DELETE FROM {table} WHERE portal_id = {rows.portal_id}"))
    facts = presets.facts_of(session, scope_of(session, rows.portal_id, NOW))
    lacking = {key for key, preset in PRESETS.items() if presets.missing(preset, facts)}
    assert lacking >= {
        "foreign_leads", "foreign_clients", "cross_sell", "upsell_after", "buyers_of", "by_source",
        "stuck_in_stage", "abandoned_deals", "untouched_leads", "by_utm",
    }  # fmt: skip
    assert not lacking & {"lost_deals", "all_clients", "vip", "birthday", "due_for_repeat"}
    with pytest.raises(Unready) as caught:
        presets.build(facts, "foreign_leads")
    (missing,) = caught.value.missing
    assert (missing.parameter, missing.flag.entities) == ("field", ("lead",))
    with pytest.raises(Unready) as caught:
        presets.build(facts, "foreign_clients", {"field": None, "how": "mark"})
    assert caught.value.missing[0].flag.entities == ("contact", "company")


def test_the_flag_of_foreign_leads_is_found_by_its_label(session):
    rows = stored(session, Maker(3).rows())
    session.add(
        CustomField(portal_id=rows.portal_id, entity="lead", code="UF_CRM_1", type_id="boolean",
                    label="Иностранный лид")
    )  # fmt: skip
    session.flush()
    facts = presets.facts_of(session, scope_of(session, rows.portal_id, NOW))
    raw = presets.build(facts, "foreign_leads")
    assert raw["leads"]["where"] == {"all": [{"field": "UF_CRM_1", "op": "yes"}]}


def test_the_days_after_which_nobody_comes_back_are_the_portals_own(session):
    facts = presets.facts_of(session, replace(Portal(session, 1).facts.scope, stages={}))
    assert presets.build(facts, "lost")["clients"]["where"]["all"][0]["value"] == 365
    edges = {"contact": Edges(40, 500, 600), "company": Edges(90, 400, 700)}
    known = presets.facts_of(session, replace(facts.scope, stages=edges))
    assert presets.build(known, "lost")["clients"]["where"]["all"][0]["value"] == 500
    assert [
        part["value"] for part in presets.build(known, "newly_lapsed")["clients"]["where"]["all"]
    ] == [90, 500]


def test_before_the_rfm_scores_nobody_can_say_who_cannot_be_lost(session):
    facts = Portal(session, 1).facts
    facts.scope = replace(facts.scope, stages={})
    with pytest.raises(Unready, match="not computed yet"):
        presets.build(facts, "cannot_lose")


@pytest.mark.parametrize(
    ("key", "chosen", "named"),
    [
        ("sleeping", {"days": 0}, "days"), ("sleeping", {"days": "180"}, "days"),
        ("sleeping", {"weeks": 2}, "weeks"), ("vip", {"how": "luck"}, "how"),
        ("vip", {"percent": 101}, "percent"), ("lost_deals", {"any": 1}, "any"),
        ("lost_deals", {"reasons": ["NOPE"]}, "reasons"), ("lost_deals", {"reasons": 5}, "reasons"),
        ("foreign_leads", {"field": "UF_CRM_TEXT"}, "field"), ("by_utm", {"values": [5]}, "values"),
    ],
)  # fmt: skip
def test_a_number_out_of_its_limits_is_refused_by_name(session, key, chosen, named):
    facts = Portal(session, 2).facts
    with pytest.raises(InvalidParameter) as caught:
        presets.build(facts, key, chosen)
    assert caught.value.key == named


def test_the_pipelines_of_the_sale_rule_count_only(session):
    portal = Portal(session, 4)
    rule = portal.facts.scope.rule
    portal.facts.scope = replace(portal.facts.scope, rule=replace(rule, pipelines=(1,)))

    def lost_in_second(card: Card) -> bool:
        deals = [d for d in card.deals() if d["pipeline_id"] == 1]
        return bool(deals) and all(d["stage_semantic"] == "F" for d in deals)

    assert portal.found("lost_deals") == portal.wanted(CLIENTS, lost_in_second) != set()
