"""Whether what is known of the cards by heart may be believed: found for today's sale rule, and not overtaken.

Single cards that changed since are told apart in the very statement that asks (`segments.conditions.known`).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import Company
from integration.models import ChangedCard, ChangedClient
from segments.card_facts import FactsRun
from segments.worth.sales import Rule

MOST_CHANGED = 20_000
"""With more changed cards than that the mirror itself is asked sooner than both."""


def basis_of(session: Session, rule: Rule) -> str:
    """All that the facts depend on besides rows that are noted when they change."""
    own = sa.select(Company.bitrix_id).where(
        Company.portal_id == rule.portal_id, Company.is_my_company
    )
    values = [
        *(rule.pipelines, rule.date_source.value, rule.date_field),
        *(rule.contact_mode.value, rule.client_mode.value, rule.utc_offset_minutes),
        sorted(session.scalars(own)),
    ]
    return repr(values)


def believed(session: Session, rule: Rule) -> bool:
    """Whether the portal's facts may stand for its mirror."""
    run = FactsRun
    found = session.execute(
        sa.select(run.basis, run.due_at).where(run.portal_id == rule.portal_id)
    ).first()
    if found is None or found.due_at is not None or found.basis != basis_of(session, rule):
        return False
    return not any(_many(session, rule.portal_id, table) for table in (ChangedCard, ChangedClient))


def _many(session: Session, portal_id: int, table: type[ChangedCard | ChangedClient]) -> bool:
    some = sa.select(sa.literal(1)).where(table.portal_id == portal_id).limit(MOST_CHANGED + 1)
    number = session.scalar(sa.select(sa.func.count()).select_from(some.subquery()))
    return (number or 0) > MOST_CHANGED
