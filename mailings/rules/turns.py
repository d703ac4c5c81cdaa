"""When a series takes its turns: by the wall clock, so every day, week or month once, also when clocks are changed."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time, timedelta, tzinfo

from mailings.rules.plans import Every, Plan

USUAL = time(10, 0)
_WEEK = 7


def turn_after(plan: Plan, moment: datetime, zone: tzinfo) -> datetime | None:
    """The first turn later than the moment; None when the series has none, or is over by then."""
    if plan.every is None:
        return None
    clock = time.fromisoformat(plan.at) if plan.at else USUAL
    day = moment.astimezone(zone).date()
    while True:
        day = _on_or_after(plan, day)
        turn = datetime.combine(day, clock, zone)
        if turn.timestamp() > moment.timestamp():
            break
        day += timedelta(days=1)
    if plan.until is not None and turn > datetime.fromisoformat(plan.until):
        return None
    return turn


def turn_key(turn: datetime, zone: tzinfo) -> str:
    """The same for every moment of one day of the wall clock: a day has one turn."""
    return turn.astimezone(zone).date().isoformat()


def _on_or_after(plan: Plan, day: date) -> date:
    if plan.every == Every.WEEK:
        return day + timedelta(days=((plan.day or 0) - day.weekday()) % _WEEK)
    if plan.every == Every.MONTH:
        wanted = min(plan.day or 1, monthrange(day.year, day.month)[1])
        if day.day <= wanted:
            return day.replace(day=wanted)
        following = day.replace(day=1) + timedelta(days=32)
        last = monthrange(following.year, following.month)[1]
        return following.replace(day=min(plan.day or 1, last))
    return day
