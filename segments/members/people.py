"""Cards found by what people type: a name, a number, an e-mail or a phone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Address
from segments import audience
from segments.audience import Member
from segments.conditions.card_fields import TABLES
from segments.rules.tree import Kind

SHOWN = 8
_PATIENCE_MS = 3_000
_PHONE_DIGITS = 5


def find(
    session: Session, portal_id: int, typed: str, kinds: Iterable[Kind] = tuple(Kind)
) -> list[Member]:
    """The first cards of each kind that fit: exactly by number or address, else by a part of the name."""
    words = " ".join(typed.replace("\0", "").split())
    if not words:
        return []
    found: list[tuple[Kind, int]] = []
    with audience.patient(session, _PATIENCE_MS):
        for kind in kinds:
            ids = _by_number(session, portal_id, kind, words)
            ids += _by_address(session, portal_id, kind, words)
            ids += _by_name(session, portal_id, kind, words)
            found += [(kind, number) for number in dict.fromkeys(ids)][:SHOWN]
    return audience.named(session, portal_id, found[: SHOWN * 2])


def called(portal_id: int, kind: Any, card_id: Any, typed: str) -> list[sa.ColumnElement[bool]]:
    """Whether the card of these columns has what was typed in its name or as its number; any of them will do."""
    fits: list[sa.ColumnElement[bool]] = []
    if (number := number_of(typed)) is not None:
        fits.append(card_id == number)
    words = [_escaped(word) for word in typed.split()]
    for each, table in TABLES.items():
        name = audience.name_of(each, table)
        ids = sa.select(table.bitrix_id).where(
            table.portal_id == portal_id,
            *(name.ilike(f"%{word}%", escape="\\") for word in words),
        )
        fits.append(sa.and_(kind == each.value, card_id.in_(ids)))
    return fits


def number_of(typed: str) -> int | None:
    """The number of a card, lead or deal that was typed, as №17 too; None when it is none."""
    bare = typed.lstrip("#№")
    whole = bare.isascii() and bare.isdigit() and len(bare) < len(str(2**63))
    return int(bare) if whole else None


def names(session: Session, portal_id: int, kind: Kind, ids: Iterable[str]) -> dict[str, str]:
    """Names of cards by their ids as texts."""
    numbers = [(kind, int(each)) for each in ids if each.isascii() and each.isdigit()]
    return {str(each.id): each.name for each in audience.named(session, portal_id, numbers)}


def _by_number(session: Session, portal_id: int, kind: Kind, words: str) -> list[int]:
    if (number := number_of(words)) is None:
        return []
    table = TABLES[kind]
    query = sa.select(table.bitrix_id).where(
        table.portal_id == portal_id, table.deleted_at.is_(None), table.bitrix_id == number
    )
    return list(session.scalars(query))


def _by_address(session: Session, portal_id: int, kind: Kind, words: str) -> list[int]:
    table, digits = TABLES[kind], "".join(char for char in words if char.isdigit())
    if "@" in words:
        fits = Address.normalised == words.lower()
    elif len(digits) > _PHONE_DIGITS and not any(char.isalpha() for char in words):
        fits = Address.normalised.in_([f"+{digits}", digits, f"+7{digits[1:]}"])
    else:
        return []
    query = (
        sa.select(Address.entity_id)
        .join(
            table,
            sa.and_(table.portal_id == portal_id, table.bitrix_id == Address.entity_id),
        )
        .where(
            Address.portal_id == portal_id,
            Address.entity == kind.value,
            fits,
            table.deleted_at.is_(None),
        )
        .limit(SHOWN)
    )
    return list(session.scalars(query))


def _by_name(session: Session, portal_id: int, kind: Kind, words: str) -> list[int]:
    table = TABLES[kind]
    name = audience.name_of(kind, table)
    parts = [_escaped(word) for word in words.split()]
    query = (
        sa.select(table.bitrix_id)
        .where(
            table.portal_id == portal_id,
            table.deleted_at.is_(None),
            *(name.ilike(f"%{part}%", escape="\\") for part in parts),
        )
        .limit(SHOWN)
    )
    return list(session.scalars(query))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
