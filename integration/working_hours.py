"""The hours of a portal in force, and changing them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from integration import admin_rules
from integration.admin_rules import RuleName
from integration.rules.hours import Hours


def hours_of(session: Session, portal_id: int) -> Hours:
    """The hours in force."""
    return Hours.of(admin_rules.in_force(session, portal_id, RuleName.HOURS)[1])


def change(
    session: Session,
    portal_id: int,
    hours: Hours,
    user_id: int | None = None,
    *,
    made_from: int | None = None,
) -> bool:
    """Put the hours into force; False when they are. Raises WrongHours, admin_rules.Overtaken."""
    return admin_rules.save(
        *(session, portal_id, RuleName.HOURS, hours.checked().content),
        start=Hours().content,
        user_id=user_id,
        made_from=made_from,
    )
