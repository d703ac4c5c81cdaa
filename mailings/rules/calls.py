"""A to-do for a call: its text, by which mark it is found again, what came of it, until when it is to be done."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from integration.rules.hours import Hours

OWNER_TYPES = {"lead": 1, "contact": 3, "company": 4}
"""What Bitrix24 calls the kinds of cards a to-do can be put onto."""

RESULT_LINES = {"ru": "Итог разговора:", "en": "Call result:"}
"""After these words the manager writes what was agreed upon."""

TITLE_LENGTH, RESULT_LENGTH = 250, 2_000
_AT_LEAST = timedelta(hours=2)
_MARK = "№ "
_TAGS = re.compile(r"\[/?[a-z*]+(?:=[^\]]*)?\]", re.IGNORECASE)


def description(script: str, phone: str, mark: str, language: str) -> str:
    """The to-do's text. Square brackets would be markup there, whoever put them into a client's name."""
    plain = script.replace("[", "(").replace("]", ")").strip()
    parts = (phone, plain, RESULT_LINES[language], f"{_MARK}{mark}")
    return "\n\n".join(filter(None, parts))


def marked(text: str | None, mark: str) -> bool:
    """Whether this is the to-do with the mark."""
    return f"{_MARK}{mark}" in _TAGS.sub("", text or "").splitlines()


def result(text: str | None) -> str | None:
    """What the manager wrote after the words that ask for it."""
    lines = _TAGS.sub("", text or "").splitlines()
    for number, line in enumerate(lines):
        asked = next((each for each in RESULT_LINES.values() if line.startswith(each)), None)
        if asked is None:
            continue
        rest = [line.removeprefix(asked), *lines[number + 1 :]]
        kept = "\n".join(each for each in rest if not each.startswith(_MARK)).strip()
        return kept[:RESULT_LENGTH] or None
    return None


def deadline(now: datetime, hours: Hours, utc_offset_minutes: int) -> datetime:
    """The end of this working day by the portal's clock, or of the next one when little of this is left."""
    zone = timezone(timedelta(minutes=utc_offset_minutes))
    local = now.astimezone(zone)
    days = hours.days or tuple(range(7))
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    while day.weekday() not in days or day + timedelta(hours=hours.end) - local < _AT_LEAST:
        day += timedelta(days=1)
    return day + timedelta(hours=hours.end)


def next_day(now: datetime, hours: Hours, utc_offset_minutes: int) -> datetime:
    """When the next working day begins by the portal's clock."""
    zone = timezone(timedelta(minutes=utc_offset_minutes))
    days = hours.days or tuple(range(7))
    local = now.astimezone(zone)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day.weekday() not in days:
        day += timedelta(days=1)
    return day + timedelta(hours=hours.start)
