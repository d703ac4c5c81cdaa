"""What is known of cards by heart, as it is kept and as found from scratch."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from segments.card_facts import CardFacts, CrossingAddress, SharedAddress
from segments.facts import keeping


def kept_facts(session: Session, portal_id: int) -> list[list[tuple[str, ...]]]:
    """The tables as they are."""
    return [
        sorted(
            tuple(str(each) for each in row)
            for row in session.execute(
                sa.select(table.__table__).where(table.portal_id == portal_id)
            )
        )
        for table in (CardFacts, SharedAddress, CrossingAddress)
    ]


def assert_as_from_scratch(session: Session, portal_id: int) -> None:
    """Flags and numbers are those a recount of everything gives."""
    kept = kept_facts(session, portal_id)
    keeping.find_all(session, portal_id)
    assert kept == kept_facts(session, portal_id)
