"""Groups of clients worth a mailing today: those a letter can still move, with what they are likely to bring."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from segments import score_map
from segments.models import ClientKind
from segments.scoring import outlook, score_words, scores
from segments.scoring.scored import GroupOutlook

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Chance:
    """A group by its name, what to do about it, its clients and what they are likely to bring within a month.

    `expected`: None where too little is known of such clients. `share`: of the LTV of all who have bought.
    """

    key: str
    name: str
    advice: str
    tone: str
    clients: int
    ltv: Decimal
    share: Decimal | None
    href: str
    expected: Decimal | None
    likely: float
    judged: int

    @property
    def average_check(self) -> Decimal | None:
        """Of those who are likely to buy."""
        return round(self.expected / Decimal(self.likely), 2) if self.expected else None


def found(session: Session, portal_id: int) -> list[Chance] | None:
    """The groups of people that are likely to bring most, or have brought most where that isn't known.

    As of the day's scores; None while nobody is scored.
    """
    kind = ClientKind.CONTACT
    if score_map.basis(session, portal_id, kind) is None:
        return None
    rows = outlook.of_kind(session, portal_id, kind)
    total = sum((row.ltv for row in rows), Decimal(0))
    names = score_words.groups(scores.choices_of(session, portal_id)[1].names)
    advice = score_words.advice()
    open_to = [row for row in rows if row.group_key in advice and row.clients]
    known = all(outlook.is_known(row) for row in open_to)
    open_to.sort(key=lambda row: row.expected if known else row.ltv, reverse=True)
    return [_chance(row, names, advice, kind, total) for row in open_to[:SHOWN]]


def _chance(
    row: GroupOutlook,
    names: dict[str, str],
    advice: dict[str, str],
    kind: ClientKind,
    total: Decimal,
) -> Chance:
    key = row.group_key
    return Chance(
        key=key,
        name=names[key],
        advice=advice[key],
        tone=score_words.MEANINGS[key].tone,
        clients=row.clients,
        ltv=row.ltv,
        share=row.ltv / total if total > 0 else None,
        href=score_map.way(kind, group=key),
        expected=row.expected if outlook.is_known(row) else None,
        likely=row.likely,
        judged=row.judged,
    )
