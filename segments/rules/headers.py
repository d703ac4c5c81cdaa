"""What the columns of an uploaded list hold, guessed from their headers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum


class Meaning(StrEnum):
    """What a column holds."""

    ID = "id"
    EMAIL = "email"
    PHONE = "phone"
    NAME = "name"


_LOOKS_LIKE = {
    Meaning.ID: re.compile(r"(bitrix)?\W*(id|ид|код|№|номер( карточки| контакта| компании)?)"),
    Meaning.EMAIL: re.compile(r".*(e-?mail|mail|почт|имейл|емейл).*"),
    Meaning.PHONE: re.compile(r".*(phone|tel\b|mobile|телефон|тел\b|тел\.|мобильн).*"),
    Meaning.NAME: re.compile(
        r"(full )?name|имя( и фамилия)?|фио|ф\.и\.о\.?|контакт|клиент|название( компании)?"
    ),
}


def guess(headers: Sequence[str], known: Mapping[str, Meaning]) -> dict[Meaning, int]:
    """The column of each meaning: as chosen before for its header, else the first that looks like it."""
    found: dict[Meaning, int] = {}
    lowered = [header.casefold() for header in headers]
    for column, header in enumerate(lowered):
        if header in known:
            found.setdefault(known[header], column)
    for meaning, pattern in _LOOKS_LIKE.items():
        for column, header in enumerate(lowered):
            if meaning in found or column in found.values() or header in known:
                continue
            if pattern.fullmatch(header):
                found[meaning] = column
    return found
