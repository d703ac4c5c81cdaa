"""Clients an employee is responsible for whom it is time to speak to: due, fallen silent, or answered a mailing.

Of each list the first `rows.MOST` are known, and no more: they are more than anybody calls in a day. The mirror
knows more than its reader may see: `candidates` says whom the portal is to be asked about, `among` whom it lets
the viewer read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from insights.mine import rows
from insights.mine.rows import MOST, Occasion, Reader
from integration.models import Portal
from segments import audience
from segments.audience import Member
from segments.models import ClientKind, MetricsRun
from segments.rules.tree import Kind

PAGE = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A client in a list. `rank`: the LTV, or when he answered; `replied`: by a letter, not by a link."""

    member: Member
    rank: Decimal
    ltv: Decimal
    last_sale_on: date | None
    idle_days: int | None
    gap_days: Decimal | None
    answered_at: datetime | None = None
    replied: bool = False
    mailing: str = ""

    @property
    def client(self) -> str:
        """As sessions name it: contact:7."""
        return f"{self.member.kind}:{self.member.id}"

    @property
    def place(self) -> tuple[Decimal, str, int]:
        """The greatest rank first."""
        return -self.rank, str(self.member.kind), self.member.id


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of `number` clients, or of even more (`cut`); `after`: where the next part begins."""

    lines: list[Line]
    number: int
    cut: bool
    after: str | None


def candidates(session: Session, portal_id: int, user_id: int) -> list[str]:
    """Clients that would be shown to whoever is responsible for them, as kind:id."""
    if session.get(Portal, portal_id) is None:
        return []
    reader = reader_of(session, portal_id, user_id, None)
    lists = listed(session, reader, list(Occasion)).values()
    return list(dict.fromkeys(line.client for lines in lists for line in lines))


def page(
    session: Session,
    whose: tuple[int, int],
    occasion: Occasion,
    among: Iterable[str] | None,
    after: str = "",
) -> Page:
    """A list of the clients of somebody (portal and user), or its part after a place."""
    lines = listed(session, reader_of(session, *whose, among), (occasion,))[occasion]
    place = _place(after)
    rest = [line for line in lines if place is None or line.place > place]
    shown = rest[:PAGE]
    last = shown[-1] if len(rest) > PAGE else None
    return Page(
        lines=_named(session, whose[0], shown),
        number=len(lines),
        cut=len(lines) == MOST,
        after=f"{last.rank},{last.client}" if last else None,
    )


def known(session: Session, portal_id: int) -> bool:
    """Whether the portal's clients have been counted at all."""
    return session.get(MetricsRun, portal_id) is not None


def reader_of(
    session: Session, portal_id: int, user_id: int, among: Iterable[str] | None
) -> Reader:
    """Whose clients are read; of `among`, if somebody may see no others."""
    portal, now = session.get_one(Portal, portal_id), utcnow()
    today = (now + timedelta(minutes=portal.utc_offset_minutes)).date()
    if among is None:
        return Reader(portal_id, user_id, now, today)
    named = [name.partition(":") for name in among]
    ids = {
        kind: [int(number) for of, _, number in named if of == kind.value] for kind in ClientKind
    }
    return Reader(portal_id, user_id, now, today, ids)


def listed(
    session: Session, reader: Reader, wanted: Collection[Occasion]
) -> dict[Occasion, list[Line]]:
    """The first of each list, each client once, still without names."""
    found: dict[Occasion, dict[str, Line]] = {each: {} for each in wanted}
    for kind in filter(reader.may_see_any, ClientKind):
        for query in _queries(session, reader, kind, wanted):
            for row in session.execute(query).mappings():
                line, lines = _line(reader, kind, row), found[Occasion(row["occasion"])]
                earlier = lines.get(line.client)
                if earlier is None or line.place < earlier.place:
                    lines[line.client] = line
    return {
        occasion: sorted(lines.values(), key=lambda line: line.place)[:MOST]
        for occasion, lines in found.items()
    }


def _queries(
    session: Session, reader: Reader, kind: ClientKind, wanted: Collection[Occasion]
) -> Iterator[sa.Executable]:
    if set(wanted) - {Occasion.ANSWERED}:
        yield rows.pauses(session, reader, kind, wanted)
    if Occasion.ANSWERED in wanted:
        yield rows.answers(reader, kind)


def _line(reader: Reader, kind: ClientKind, row: Any) -> Line:
    last = row["last_sale_on"]
    return Line(
        member=Member(Kind(kind.value), row["client_id"], ""),
        rank=row["rank"],
        ltv=Decimal(row["ltv"]),
        last_sale_on=last,
        idle_days=(reader.today - last).days if last else None,
        gap_days=row["mean_gap_days"],
        answered_at=row.get("answered_at"),
        replied=row.get("replied_at") is not None,
        mailing=row.get("mailing", ""),
    )


def _named(session: Session, portal_id: int, lines: list[Line]) -> list[Line]:
    cards = [(line.member.kind, line.member.id) for line in lines]
    named = audience.named(session, portal_id, cards)
    return [replace(line, member=member) for line, member in zip(lines, named, strict=True)]


def _place(text: str) -> tuple[Decimal, str, int] | None:
    """A place in a list; None for what is none: the list begins anew."""
    rank, _, client = text.partition(",")
    kind, _, number = client.partition(":")
    try:
        found = Decimal(rank)
        return (-found, kind, int(number)) if found.is_finite() else None
    except (ArithmeticError, ValueError):
        return None
