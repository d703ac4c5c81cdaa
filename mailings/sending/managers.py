"""The pace of calls: so many a day for each employee, whatever mailings they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from integration import working_hours
from mailings.content.managers import responsible
from mailings.content.recipients import Addressed
from mailings.rules import calls, hours
from mailings.sending import pacing
from mailings.sending.pacing import Limit
from mailings.sending.running import Running

Row = TypeVar("Row", bound=Addressed)


def within_day(
    session: Session, mailing: Running, rows: Sequence[Row], now: datetime
) -> tuple[list[Row], dict[int, datetime]]:
    """Those whose employee has room today, and when the others may come: at the beginning of his next day."""
    most = mailing.plan.per_manager_a_day
    if not most or not rows:
        return list(rows), {}
    today = now.astimezone(hours.portal_zone(mailing.utc_offset_minutes)).date()
    employees = responsible(session, mailing.portal_id, rows)
    keys = {row.id: day_key(employees[row.id], today) for row in rows}
    limits = [Limit(key, a_day=most) for key in set(keys.values())]
    held = pacing.hold(session, mailing.portal_id, limits)
    used: Counter[str] = Counter()
    kept, later = [], {}
    working = working_hours.hours_of(session, mailing.portal_id)
    tomorrow = calls.next_day(now, working, mailing.utc_offset_minutes)
    for row in rows:
        if used[keys[row.id]] < held.left(keys[row.id]):
            used[keys[row.id]] += 1
            kept.append(row)
        else:
            later[row.id] = tomorrow
    held.spend(session, used)
    return kept, later


def day_key(employee: int | None, today: date) -> str:
    """The count of an employee's day."""
    return f"manager:{employee or 0}:{today.isoformat()}"


def give_back(session: Session, mailing: Running, rows: Sequence[Addressed], now: datetime) -> None:
    """The days of employees are corrected for calls that were not planned after all."""
    if not mailing.plan.per_manager_a_day or not rows:
        return
    today = now.astimezone(hours.portal_zone(mailing.utc_offset_minutes)).date()
    employees = responsible(session, mailing.portal_id, rows)
    for employee, number in Counter(employees.values()).items():
        pacing.give_back(session, mailing.portal_id, day_key(employee, today), number)
