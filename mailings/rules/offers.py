"""An offer: what is proposed, at which terms, to whom, why they should take it and what to do next.

Kept as JSON in `mailings.models.Offer.content`. `checklist` says what must be filled in before it may be sent out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any

from mailings.rules import links

LONGEST, LONGEST_LINE = 4_000, 300
CODE = re.compile(r"[0-9A-Za-zА-Яа-яЁё._\-]{1,64}")
_LINES = {"product", "price", "old_price", "valid_till", "url", "call_to_action"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class OfferKind(StrEnum):
    """What an offer is for."""

    NEW = "new"
    REPEAT = "repeat"
    UPSELL_BEFORE = "upsell_before"
    UPSELL_AFTER = "upsell_after"
    CROSS_SELL = "cross_sell"
    WIN_BACK = "win_back"
    EVENT = "event"
    LEAD_MAGNET = "lead_magnet"


class BadOffer(Exception):
    """An offer that can't be kept: `problems` by field."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{name}: {code}" for name, code in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Offer:
    """What is proposed. `valid_till`: the last day, ISO. `utm_…`: marks of the links that lead to it."""

    what: str = ""
    terms: str = ""
    product: str = ""
    price: str = ""
    old_price: str = ""
    valid_till: str = ""
    audience: str = ""
    reason: str = ""
    proof: str = ""
    call_to_action: str = ""
    url: str = ""
    utm_source: str = ""
    utm_campaign: str = ""
    utm_content: str = ""
    utm_term: str = ""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Offer:
        """From JSON or a form; unknown names are left out. Raises BadOffer."""
        given, problems = {}, {}
        for each in fields(cls):
            value = raw.get(each.name) or ""
            if not isinstance(value, str):
                problems[each.name] = "not_text"
                continue
            given[each.name] = value.replace("\r\n", "\n").strip()
            if code := _trouble(each.name, given[each.name]):
                problems[each.name] = code
        if problems:
            raise BadOffer(problems)
        return cls(**given)

    def as_json(self) -> dict[str, Any]:
        """What is filled in, for the database."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def last_day(self) -> date | None:
        """The last day it holds."""
        return date.fromisoformat(self.valid_till) if self.valid_till else None

    def over(self, today: date) -> bool:
        """Whether it holds no more."""
        return self.last_day is not None and self.last_day < today


_ALWAYS = ("what", "audience", "reason", "call_to_action")
_MORE: Mapping[OfferKind, tuple[str, ...]] = {
    OfferKind.NEW: ("proof", "url"),
    OfferKind.REPEAT: ("product",),
    OfferKind.UPSELL_BEFORE: ("product", "terms"),
    OfferKind.UPSELL_AFTER: ("product", "terms"),
    OfferKind.CROSS_SELL: ("product", "proof"),
    OfferKind.WIN_BACK: ("terms", "valid_till"),
    OfferKind.EVENT: ("valid_till", "url"),
    OfferKind.LEAD_MAGNET: ("proof", "url"),
}


def needed(kind: OfferKind) -> tuple[str, ...]:
    """The fields an offer of this kind can't be sent out without, in the order they are asked."""
    return tuple(each.name for each in fields(Offer) if each.name in (*_ALWAYS, *_MORE[kind]))


def missing(kind: OfferKind, offer: Offer) -> tuple[str, ...]:
    """Those of them that are not filled in yet."""
    return tuple(name for name in needed(kind) if not getattr(offer, name))


def _trouble(name: str, value: str) -> str | None:
    if _CONTROL.search(value):
        return "control"
    if len(value) > (LONGEST_LINE if name in _LINES or name.startswith("utm_") else LONGEST):
        return "too_long"
    if "\n" in value and (name in _LINES or name.startswith("utm_")):
        return "line_break"
    if name == "url" and value and (links.trouble(value) or not links.followed(value)):
        return "address"
    if name == "valid_till" and value:
        return _date_trouble(value)
    return None


def _date_trouble(value: str) -> str | None:
    try:
        date.fromisoformat(value)
    except ValueError:
        return "date"
    return None
