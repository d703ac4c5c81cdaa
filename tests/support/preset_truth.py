"""Whom each ready segment means, thought out anew of plain rows: no SQL, nothing of the presets' own words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from support.preset_portal import BOTH, CLIENTS, Card, local
from support.segment_portal import NOW, TODAY


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
                and any(day < ago(30) for day in c.bought_on(GOODS)))
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
