"""Ready letters: three for each type of offer, in the language of who chooses."""

from __future__ import annotations

from mailings.content import ready_en, ready_ru
from mailings.content.ready_parts import Ready
from mailings.rules.offers import OfferKind

_LETTERS = {"ru": ready_ru.LETTERS, "en": ready_en.LETTERS}


def letters(language: str, kind: OfferKind | None = None) -> dict[str, Ready]:
    """Ready letters by their keys (`win_back.2`); those of one type, or all."""
    count: dict[OfferKind, int] = {}
    found = {}
    for each in _LETTERS["ru" if language == "ru" else "en"]:
        count[each.kind] = count.get(each.kind, 0) + 1
        if kind in {None, each.kind}:
            found[f"{each.kind}.{count[each.kind]}"] = each
    return found
