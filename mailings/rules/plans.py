"""How a mailing goes out: its pace, hours, turns and limits, as an author sets them.

Stored as JSON in `Mailing.plan`; unknown keys are refused, so a misspelt limit never means «no limit».
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime, time
from enum import StrEnum
from typing import Any


class Zone(StrEnum):
    """By whose clock the hours are meant."""

    PORTAL = "portal"
    RECIPIENT = "recipient"


class Every(StrEnum):
    """How often a series takes its turn."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class BadPlan(Exception):
    """A plan that can't be followed; `field` names the part, `problem` says what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


@dataclass(frozen=True, slots=True)
class Plan:
    """Zero and None mean «no limit». Shares are whole per cent, times «HH:MM», moments ISO with an offset."""

    rate_per_minute: int = 0
    hours_from: str | None = None
    hours_to: str | None = None
    working_days: bool = False
    zone: Zone = Zone.PORTAL
    not_after: str | None = None
    every: Every | None = None
    at: str | None = None
    day: int | None = None
    until: str | None = None
    control_percent: int = 0
    exempt_from_caps: bool = False
    queue_when_capped: bool = False
    priority: int = 0
    cost_per_message: str = "0"
    cost_of_content: str = "0"
    per_manager_a_day: int = 0
    mark_recipients: bool = False

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Plan:
        """From JSON; raises BadPlan."""
        known = {field.name for field in fields(cls)}
        for name in raw:
            if name not in known:
                raise BadPlan(name, "there is no such setting")
        try:
            plan = cls(
                **{
                    **raw,
                    "zone": Zone(raw.get("zone") or Zone.PORTAL),
                    "every": Every(raw["every"]) if raw.get("every") else None,
                }
            )
        except ValueError as error:
            raise BadPlan("zone" if "Zone" in str(error) else "every", str(error)) from error
        plan.check()
        return plan

    def check(self) -> None:
        """Raises BadPlan for what can't be followed."""
        for name in ("rate_per_minute", "priority", "per_manager_a_day"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 0:
                raise BadPlan(name, "must be a whole number, zero or more")
        if not isinstance(self.control_percent, int) or not 0 <= self.control_percent <= 90:
            raise BadPlan("control_percent", "must be a whole number from 0 to 90")
        for name in ("hours_from", "hours_to", "at"):
            if (value := getattr(self, name)) is not None:
                _clock(name, value)
        if (self.hours_from is None) != (self.hours_to is None):
            raise BadPlan("hours_to", "hours need both a beginning and an end")
        if self.hours_from is not None and self.hours_from == self.hours_to:
            raise BadPlan("hours_to", "must differ from the beginning")
        for name in ("not_after", "until"):
            if (value := getattr(self, name)) is not None:
                moment(name, value)

    def as_json(self) -> dict[str, Any]:
        """What differs from the default, for the database."""
        return {k: v for k, v in asdict(self).items() if v != getattr(_DEFAULT, k)}


def moment(name: str, value: str) -> datetime:
    """An ISO moment with its offset; raises BadPlan."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise BadPlan(name, "must be a date and time like 2026-03-01T09:00+03:00") from error
    if found.tzinfo is None:
        raise BadPlan(name, "needs a time zone, like +03:00")
    return found


def _clock(name: str, value: str) -> time:
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise BadPlan(name, "must be a time like 09:00") from error


_DEFAULT = Plan()
