"""What of a portal is mirrored: the rule in force, changing it, and removing what was left out.

What is left out stops being read at once, and is removed in the background; what comes back is read from
its first row by the next run. No event, run or check touches what isn't kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration import admin_rules
from integration.admin_rules import RuleName
from integration.mirror import (
    Activity,
    Address,
    Company,
    Contact,
    CustomField,
    Deal,
    Lead,
    StageMove,
)
from integration.models import AdminRule, ChangedCard, Check, QuarantinedRow, SyncCursor
from integration.rules.keeping import Keeping, Use, conflicts

AT_ONCE = 5000
_TABLES: dict[str, Any] = {"contact": Contact, "company": Company, "lead": Lead, "deal": Deal}
_SOURCES = ("lead", "deal_history", "lead_history", "activity")


class InUse(ValueError):
    """Something refers to what would be left out."""

    def __init__(self, uses: list[Use]) -> None:
        named = ", ".join(f"{use.code or use.entity} ({use.by})" for use in uses)
        super().__init__(f"still in use: {named}")
        self.uses = uses


def rule_of(session: Session, portal_id: int) -> Keeping:
    """The rule in force."""
    return Keeping.of(admin_rules.in_force(session, portal_id, RuleName.KEEPING)[1])


def change(
    session: Session,
    portal_id: int,
    wished: Keeping,
    uses: Iterable[Use],
    user_id: int | None = None,
    *,
    made_from: int | None = None,
) -> bool:
    """Put the rule into force; False when it is. Raises InUse, admin_rules.Overtaken."""
    if found := conflicts(wished, uses):
        raise InUse(found)
    before = rule_of(session, portal_id)
    changed = admin_rules.save(
        *(session, portal_id, RuleName.KEEPING, wished.content),
        start=Keeping().content,
        user_id=user_id,
        made_from=made_from,
    )
    if changed:
        _read_anew(session, portal_id, before, wished)
    return changed


def has_field(session: Session, portal_id: int, entity: str, code: str) -> bool:
    """Whether the portal has this custom field."""
    return session.get(CustomField, (portal_id, entity, code)) is not None


def with_something_left_out(session: Session) -> list[int]:
    """Portals that may hold rows or values nobody keeps any more."""
    query = sa.select(AdminRule.portal_id).where(AdminRule.rule == RuleName.KEEPING)
    return list(session.scalars(query.distinct()))


def clear(session: Session, portal_id: int) -> bool:
    """Remove some thousand rows and values that are not kept; whether there may be more."""
    rule = rule_of(session, portal_id)
    removed = [0]
    gone = [source for source in _SOURCES if not rule.reads(source)]
    for source in gone:
        removed.append(_clear_source(session, portal_id, source))
        for table in (QuarantinedRow, Check):
            session.execute(
                sa.delete(table).where(table.portal_id == portal_id, table.entity == source)
            )
    for entity, codes in rule.left_out.items():
        if entity not in gone:
            removed.append(_clear_values(session, portal_id, entity, sorted(codes)))
    return max(removed) >= AT_ONCE


def _read_anew(session: Session, portal_id: int, before: Keeping, wished: Keeping) -> None:
    """Have read from the first row what was left out so far, in whole or in one of its fields."""
    back = [source for source in _SOURCES if wished.reads(source) and not before.reads(source)]
    for entity, codes in before.left_out.items():
        if codes - wished.left_out.get(entity, frozenset()):
            back.append(entity)
    session.execute(
        sa.update(SyncCursor)
        .where(SyncCursor.portal_id == portal_id, SyncCursor.entity.in_(back))
        .values(reading_asked=SyncCursor.reading_asked + 1)
    )


def _clear_source(session: Session, portal_id: int, source: str) -> int:
    if source == "activity":
        return _clear_rows(session, Activity, Activity.portal_id == portal_id)
    if source == "lead":
        mine = (Address.portal_id == portal_id, Address.entity == "lead")
        addresses = _clear_rows(session, Address, *mine, of=Address.entity_id)
        leads = _clear_rows(session, Lead, Lead.portal_id == portal_id, of=Lead.bitrix_id)
        return max(addresses, leads)
    entity = source.removesuffix("_history")
    mine = (StageMove.portal_id == portal_id, StageMove.entity == entity)
    return _clear_rows(session, StageMove, *mine)


def _clear_rows(
    session: Session, table: Any, *which: sa.ColumnElement[bool], of: Any = None
) -> int:
    """`of`: the leads whose rows they are; those are noted, as segments have to look at them again."""
    keys: tuple[sa.Column[Any], ...] = tuple(sa.inspect(table).primary_key)
    some = sa.select(*keys).where(*which).limit(AT_ONCE)
    gone = sa.delete(table).where(sa.tuple_(*keys).in_(some))
    if of is None:
        return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
    removed = gone.returning(table.portal_id, of.label("lead_id")).cte("removed")
    noted = sa.select(removed.c.portal_id, sa.literal("lead"), removed.c.lead_id).distinct()
    put = sa.insert(ChangedCard).from_select(["portal_id", "kind", "card_id"], noted)
    number = sa.select(sa.func.count()).select_from(removed)
    return session.scalar(number.add_cte(put.cte("noted"))) or 0


def _clear_values(session: Session, portal_id: int, entity: str, codes: list[str]) -> int:
    """The hash goes with the values: when the fields come back, no row may look unchanged."""
    table = _TABLES[entity]
    gone = sa.literal(codes, sa.ARRAY(sa.Text))
    some = (
        sa.select(table.bitrix_id)
        .where(table.portal_id == portal_id, table.custom.op("?|")(gone))
        .limit(AT_ONCE)
    )
    found = session.execute(
        sa.update(table)
        .where(table.portal_id == portal_id, table.bitrix_id.in_(some))
        .values(custom=table.custom.op("-")(gone), row_hash=0)
    )
    return int(found.rowcount)  # type: ignore[attr-defined]
