"""What the page of a draft sends: read into the columns of a mailing, with what was typed wrong by its field.

Times are typed by the portal's clock. A field of another mode or channel than the chosen one is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from werkzeug.datastructures import MultiDict

from core.web.words import gettext as _
from mailings.rules.letters import Content, How
from mailings.rules.plans import BadPlan, Every, Plan
from mailings.rules.states import ChannelKey, Mode

Form = MultiDict[str, str]
FIELDS = (
    "name", "start_at", "monthday", "at", "until", "hours_to", "rate_per_minute", "per_manager_a_day",
    "control_percent", "not_after", "cost_per_message", "cost_of_content",
)  # fmt: skip
"""Fields that can be typed wrong; each has a place for the words beside it."""
_MOST = 1_000_000
_MOST_CONTROL = 90
_LAST_MONTHDAY = 31
_MODES = {"now": Mode.ONCE, "at": Mode.ONCE, "repeating": Mode.REPEATING, "evergreen": Mode.EVERGREEN}  # fmt: skip


@dataclass(slots=True)
class Asked:
    """What was sent: columns of the mailing, the plan among them. `wrong`: by the name of the input."""

    values: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def read(form: Form, offset_minutes: int, content: Mapping[str, Any]) -> Asked:
    """The form; raises KeyError, ValueError or BadLetter when it is not ours. `content`: as it is stored."""
    reader = _Reader(form, timezone(timedelta(minutes=offset_minutes)))
    mode = form["mode"]
    plan = reader.plan(mode)
    values = {
        "name": form["name"],
        "channel": ChannelKey(form["channel"]).value,
        "topic": form.get("topic") or "offers",
        "server_id": _number(form.get("server", "")),
        "offer_id": _number(form.get("offer", "")),
        "mode": _MODES[mode].value,
        "start_at": reader.moment("start_at", needed=True) if mode == "at" else None,
        "plan": plan,
    }
    if values["channel"] == ChannelKey.CALL_LIST and "script" in form:
        values["content"] = _script(form, content)
    if not reader.wrong:
        try:
            values["plan"] = Plan.read(plan).as_json()
        except BadPlan as error:
            reader.wrong[_INPUTS.get(error.field, error.field)] = _told(error.field)
    return Asked(values, reader.wrong)


class _Reader:
    """The inputs one by one; what can't be meant is noted."""

    def __init__(self, form: Form, zone: timezone) -> None:
        self.form, self.zone = form, zone
        self.wrong: dict[str, str] = {}

    def plan(self, mode: str) -> dict[str, Any]:
        form, caps = self.form, self.form.get("caps", "skip")
        found: dict[str, Any] = {
            "rate_per_minute": self.whole("rate_per_minute"),
            "per_manager_a_day": self.whole("per_manager_a_day"),
            "control_percent": self.whole("control_percent", _MOST_CONTROL),
            "hours_from": form.get("hours_from") or None,
            "hours_to": form.get("hours_to") or None,
            "working_days": "working_days" in form,
            "zone": form.get("zone") or None,
            "not_after": self.iso(self.moment("not_after")),
            "exempt_from_caps": caps == "exempt",
            "queue_when_capped": caps == "queue",
            "mark_recipients": "mark_recipients" in form,
            "cost_per_message": self.money("cost_per_message"),
            "cost_of_content": self.money("cost_of_content"),
        }
        if mode == "repeating":
            found |= self.turns()
        if mode in ("repeating", "evergreen"):
            found["until"] = self.iso(self.end_of("until"))
        return found

    def turns(self) -> dict[str, Any]:
        """When a series takes its turns."""
        every = Every(self.form["every"])
        day = None
        if every is Every.WEEK:
            day = int(self.form["weekday"])
        elif every is Every.MONTH:
            day = self.whole("monthday", _LAST_MONTHDAY)
            if not day and "monthday" not in self.wrong:
                self.wrong["monthday"] = _("Enter a day of the month, from 1 to 31")
        if not self.form.get("at"):
            self.wrong["at"] = _("Enter a time, like 10:00")
        return {"every": every.value, "day": day, "at": self.form.get("at") or None}

    def whole(self, name: str, most: int = _MOST) -> int:
        typed = "".join(self.form.get(name, "").split())
        if not typed:
            return 0
        if typed.isascii() and typed.isdigit() and int(typed) <= most:
            return int(typed)
        self.wrong[name] = _("Enter a whole number, no more than %(most)s", most=most)
        return 0

    def money(self, name: str) -> str:
        typed = "".join(self.form.get(name, "").split()).replace(",", ".")
        try:
            found = Decimal(typed or "0")
        except InvalidOperation:
            found = Decimal(-1)
        if not found.is_finite() or not 0 <= found <= _MOST:
            self.wrong[name] = _("Enter an amount, like 1.50")
            return "0"
        return f"{found:f}"

    def moment(self, name: str, *, needed: bool = False) -> datetime | None:
        typed = self.form.get(name, "")
        try:
            if typed:
                return datetime.fromisoformat(typed).replace(tzinfo=self.zone)
        except ValueError:
            needed = True
        if needed:
            self.wrong[name] = _("Enter a day and a time")
        return None

    def end_of(self, name: str) -> datetime | None:
        """The last minute of a day."""
        typed = self.form.get(name, "")
        try:
            last = time(23, 59)
            return datetime.combine(date.fromisoformat(typed), last, self.zone) if typed else None
        except ValueError:
            self.wrong[name] = _("Enter a day")
            return None

    @staticmethod
    def iso(value: datetime | None) -> str | None:
        return value.isoformat() if value else None


def script_of(content: Mapping[str, Any]) -> str:
    """What the managers say; the source of a letter in HTML is no script."""
    return "" if content.get("how") in _NO_SCRIPT else str(content.get("source") or "")


def _script(form: Form, content: Mapping[str, Any]) -> dict[str, Any]:
    """The script put into the content; a letter that was written before stays beside it."""
    title, script = form.get("script_title", ""), form["script"]
    if (title, script) == (str(content.get("subject") or ""), script_of(content)):
        return dict(content)
    how = How.TEXT if content.get("how") in _NO_SCRIPT else content.get("how")
    raw = {**content, "subject": " ".join(title.split()), "source": script, "how": how}
    return Content.read(raw).as_json()


_NO_SCRIPT = (How.HTML, How.MJML)
_INPUTS = {"hours_from": "hours_to"}


def _told(field_name: str) -> str:
    """What is wrong with a part of the plan."""
    return {
        "hours_from": _("Enter both times, or none"),
        "hours_to": _("Enter both times, and not the same"),
        "at": _("Enter a time, like 10:00"),
    }.get(field_name, _("This can't be used"))


def _number(typed: str) -> int | None:
    return int(typed) if typed else None
