"""Where a client came from: sources and advertising (UTM) marks."""

from __future__ import annotations

from random import Random
from typing import Any

_SOURCES = (
    "CALL", "CALL", "WEB", "WEB", "WEB", "EMAIL", "ADVERTISING", "RECOMMENDATION", "WEBFORM",
    "TRADE_SHOW", "PARTNER", "1|OPENLINE", "OTHER", None,
)  # fmt: skip
_UTM = (
    ("yandex", "cpc", "brand_2025", "banner_1", "фасад цена"),
    ("yandex", "cpc", "poisk_uslugi", "text_2", "конференц зал аренда"),
    ("google", "cpc", "search_b2b", None, "crm внедрение"),
    ("telegram", "social", "kanal_vesna", "post_17", None),
    ("mailing", "email", "reaktivaciya", "knopka", None),
    ("Yandex", "CPC", "Бренд 2025", None, "лизинг"),
    ("vk", "target", "hr_massovyi", "video", None),
)
_KEYS = ("UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM")


_PARTS = [
    {key: value for key, value in zip(_KEYS, values, strict=True) if value is not None}
    for values in _UTM
]


def mark(row: dict[str, Any], rng: Random) -> None:
    """Set the source of a row and, for a quarter of rows, its UTM marks."""
    source = _SOURCES[int(rng.random() * len(_SOURCES))]
    if source is not None:
        row["SOURCE_ID"] = source
        if source == "RECOMMENDATION":
            row["SOURCE_DESCRIPTION"] = "По совету коллег"
    place = int(rng.random() * len(_PARTS) * 4)
    if place < len(_PARTS):
        row.update(_PARTS[place])
