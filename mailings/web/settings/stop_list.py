"""The list of addresses nobody writes to: found by address, reason and channel, sorted, page by page; many lifted at once.

An address is found whole, by its beginning, or by its domain as «@example.com»: so a million of them stay quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import keyset
from core.web.lists import Asked, Column, Listing, ListKey, Picked
from core.web.words import N_
from integration.mirror import PortalUser
from integration.rules import addresses
from mailings.consent import suppressions
from mailings.consent.hashing import address_hash
from mailings.consent.suppressions import NeverLifted, in_force
from mailings.models import Mailing
from mailings.permissions import Suppression
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey

PAGE = 50
AT_ONCE = 200
COUNTED = 10_000
"""Nobody needs to know by how much more."""
EXPORTED_AT_ONCE = 2000
_AFTER_ALL = "\U0010ffff"

LISTING = Listing(
    ListKey.SUPPRESSED,
    columns=(
        Column("address", N_("Address"), first="asc"),
        Column("why", N_("Why")),
        Column("source", N_("From where"), shown=False),
        Column("mailing", N_("Mailing"), shown=False),
        Column("who", N_("Who"), shown=False),
        Column("since", N_("Since"), first="desc"),
        Column("until", N_("Until"), shown=False),
    ),
    filters=("search", "reason", "channel", "term"),
    sort="-since",
)
_row = Suppression
_KEY = (_row.channel.expression, _row.address_hash.expression)
_shown = sa.collate(sa.func.coalesce(_row.address, sa.literal_column("''"), type_=sa.Text), "C")
_domain = sa.func.split_part(
    _row.address, sa.literal_column("'@'"), sa.literal_column("2"), type_=sa.Text
)
_BY: dict[str, sa.ColumnElement[Any]] = {"address": _shown, "since": _row.at.expression}


@dataclass(frozen=True, slots=True)
class Line:
    """A suppressed address, with the names of what it came from and of who wrote it down."""

    row: Suppression
    mailing: str | None
    who: str | None

    @property
    def key(self) -> str:
        """What names it among ticked rows."""
        return f"{self.row.channel}:{self.row.address_hash.hex()}"


def page(session: Session, portal_id: int, asked: Asked) -> tuple[list[Line], str]:
    """Addresses, and after what the next page begins."""
    return _page(session, portal_id, asked, asked.after, PAGE)


def every(session: Session, portal_id: int, asked: Asked) -> Iterator[list[Line]]:
    """All that are found, in portions."""
    return keyset.portions(
        session, lambda after: _page(session, portal_id, asked, after, EXPORTED_AT_ONCE)
    )


def number(session: Session, portal_id: int, asked: Asked) -> int:
    """How many are found; of very many, one more than are counted."""
    some = _query(portal_id, asked).with_only_columns(sa.literal(1)).limit(COUNTED + 1)
    return session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0


def lift(
    session: Session, portal_id: int, chosen: Picked, user_id: int
) -> tuple[int, Sequence[tuple[str | None, Reason]]]:
    """Write to the ticked addresses again: to how many; the others, erased ones without an address, with the reason."""
    done, refused, actor = 0, [], f"user:{user_id}"
    for row in _picked(session, portal_id, chosen):
        channel, address, reason = row.channel, row.address, Reason(row.reason)
        try:
            lifted = address is not None and suppressions.lift(
                session, portal_id, channel, address, actor=actor
            )
        except NeverLifted:
            lifted = False
        if lifted:
            done += 1
        else:
            refused.append((address, reason))
    return done, refused


def _page(
    session: Session, portal_id: int, asked: Asked, after: str, size: int
) -> tuple[list[Line], str]:
    name, descending = asked.by
    order = keyset.Order((_BY[name], *_KEY), descending)
    found, following = keyset.page(session, _query(portal_id, asked), order, after, size)
    return _lines(session, portal_id, found), following


def _picked(session: Session, portal_id: int, chosen: Picked) -> list[Suppression]:
    if chosen.every:
        query = _query(portal_id, LISTING.asked(chosen.query)).order_by(*_KEY)
    else:
        keys = [_key(each) for each in chosen.values]
        named = sa.tuple_(*_KEY).in_([each for each in keys if each is not None])
        query = sa.select(_row).where(_row.portal_id == portal_id, named)
    return list(session.scalars(query.limit(AT_ONCE)))


def _key(name: str) -> tuple[str, bytes] | None:
    channel, _, hashed = name.partition(":")
    try:
        return (channel, bytes.fromhex(hashed)) if channel in set(ChannelKey) else None
    except ValueError:
        return None


def _query(portal_id: int, asked: Asked) -> sa.Select[Any]:
    query = sa.select(_row).where(_row.portal_id == portal_id)
    if asked["reason"] in set(Reason):
        query = query.where(_row.reason == asked["reason"])
    if asked["channel"] in set(ChannelKey):
        query = query.where(_row.channel == asked["channel"])
    if asked["term"] == "over":
        query = query.where(_row.until <= sa.func.now())
    elif asked["term"] == "now":
        query = query.where(in_force(_row))
    if typed := asked["search"]:
        query = query.where(_called(portal_id, typed))
    return query


def _called(portal_id: int, typed: str) -> sa.ColumnElement[bool]:
    lower = typed.lower().replace(" ", "")
    if lower.startswith("@"):
        return _domain == lower[1:]
    fits = sa.and_(_shown >= lower, _shown < lower + _AFTER_ALL)
    if (value := addresses.whole(typed)) is None:
        return fits
    same = _row.address_hash == address_hash(portal_id, value)
    return sa.or_(fits, sa.and_(same, _row.channel.in_(list(ChannelKey))))


def _lines(session: Session, portal_id: int, found: Sequence[Suppression]) -> list[Line]:
    mailings = _names(
        session, portal_id, Mailing.id, Mailing.name, [row.mailing_id for row in found]
    )
    people = _names(
        *(session, portal_id, PortalUser.bitrix_id, PortalUser.name), [_who(row) for row in found]
    )
    return [Line(row, mailings.get(row.mailing_id), people.get(_who(row))) for row in found]


def _names(
    session: Session, portal_id: int, number: Any, name: Any, wanted: Sequence[int | None]
) -> dict[int | None, str | None]:
    ids = {each for each in wanted if each is not None}
    query = sa.select(number, name).where(number.class_.portal_id == portal_id, number.in_(ids))
    return dict(session.execute(query).all()) if ids else {}


def _who(row: Suppression) -> int | None:
    number = (row.actor or "").removeprefix("user:")
    return int(number) if number.isascii() and number.isdigit() else None
