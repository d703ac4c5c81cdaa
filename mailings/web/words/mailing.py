"""Mailings in words: states, channels, reasons, and the plan of a mailing as a sentence says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from core.clock import utcnow
from core.web import formats
from core.web.words import gettext as _
from core.web.words import plural
from mailings.rules.plans import Every, Plan, Zone
from mailings.rules.states import ChannelKey, MailingState, SkipReason
from mailings.web.words import readiness as readiness_words

TONES: Final = {
    MailingState.DRAFT: "neutral", MailingState.SCHEDULED: "blue", MailingState.PLANNING: "blue",
    MailingState.RUNNING: "green", MailingState.PAUSED: "orange", MailingState.FINISHED: "neutral",
    MailingState.CANCELLED: "red",
}  # fmt: skip


def states() -> dict[str, str]:
    """Where a mailing stands."""
    return {
        MailingState.DRAFT: _("draft"),
        MailingState.SCHEDULED: _("scheduled"),
        MailingState.PLANNING: _("getting ready"),
        MailingState.RUNNING: _("going out"),
        MailingState.PAUSED: _("paused"),
        MailingState.FINISHED: _("finished"),
        MailingState.CANCELLED: _("cancelled"),
    }


def tabs(counts: Mapping[str, int], address: Callable[[str], str]) -> list[dict[str, Any]]:
    """The parts of the list that hold something, as tabs."""
    labels = {
        "draft": _("Drafts"), "scheduled": _("Scheduled"), "running": _("Going out"),
        "paused": _("Paused"), "finished": _("Finished"), "cancelled": _("Cancelled"),
    }  # fmt: skip
    everything = {"key": "", "label": _("All"), "href": address(""), "count": counts["all"]}
    return [everything] + [
        {"key": key, "label": label, "href": address(key), "count": counts[key]}
        for key, label in labels.items()
        if counts[key]
    ]


def channels() -> dict[str, str]:
    """What a message is carried by."""
    return {ChannelKey.EMAIL: _("E-mail"), ChannelKey.CALL_LIST: _("Call list")}


def modes() -> dict[str, str]:
    """When a mailing goes out."""
    return {
        "now": _("At once"),
        "at": _("At a time"),
        "repeating": _("Again and again"),
        "evergreen": _("To newcomers"),
    }


def everies() -> dict[str, str]:
    """How often a series takes its turn."""
    return {Every.DAY: _("every day"), Every.WEEK: _("every week"), Every.MONTH: _("every month")}


def on_weekdays() -> list[str]:
    """«On Mondays» and so on."""
    return [
        _("on Mondays"), _("on Tuesdays"), _("on Wednesdays"), _("on Thursdays"),
        _("on Fridays"), _("on Saturdays"), _("on Sundays"),
    ]  # fmt: skip


def zones() -> dict[str, str]:
    """By whose clock the hours are meant."""
    return {Zone.PORTAL: _("our time"), Zone.RECIPIENT: _("the client's time")}


def caps() -> list[tuple[str, str, str]]:
    """What becomes of those who were written to often enough: key, words, meaning."""
    return [
        ("skip", _("Leave them out"), _("The limits are in the settings of mailings.")),
        ("queue", _("Let them wait until they may be written to"), ""),
        ("exempt", _("Write to them all the same"), _("For what can't wait: a cancelled event, a changed order.")),
    ]  # fmt: skip


def skips(channel: str = ChannelKey.EMAIL) -> dict[str, str]:
    """Why a client of the audience gets no message, after a number: «12 without an address»."""
    by_phone = channel == ChannelKey.CALL_LIST
    return {
        SkipReason.GONE: _("whose card is gone"),
        SkipReason.NO_ADDRESS: _("without a phone") if by_phone else _("without an address"),
        SkipReason.INVALID_ADDRESS: _("whose phone can't be right")
        if by_phone
        else _("whose address can't be right"),
        SkipReason.DUPLICATE_ADDRESS: _("whose phone another client has too")
        if by_phone
        else _("whose address another client has too"),
        SkipReason.NO_CONSENT: _("who did not agree"),
        SkipReason.WITHDRAWN: _("who took their consent back"),
        SkipReason.SUPPRESSED: _("who unsubscribed or complained, or whose address is dead"),
        SkipReason.PAUSED: _("who asked for a rest"),
        SkipReason.CAPPED: _("who were written to often enough lately"),
        SkipReason.NO_CODE: _("for whom there is no promo code left"),
        SkipReason.TOO_LATE: _("whom it is too late to write to"),
        "held": _("in the control group"),
    }


def people(counters: Mapping[str, int] | Any) -> str:
    """How many cards: of a segment's counters."""
    read = (
        counters.get
        if isinstance(counters, Mapping)
        else lambda name, _none: getattr(counters, name)
    )
    return cards(sum(read(name, 0) for name in ("contacts", "companies", "leads")))


def copied(name: str, longest: int) -> str:
    """The name of a copy: «Осень (копия)»."""
    text = _("%(name)s (copy)", name="\0")
    return text.replace("\0", name[: longest - len(text) + 1])


def reason(code: str) -> str:
    """Why a mailing stopped by itself."""
    return readiness_words.reason(code)


def cards(number: int) -> str:
    """1 284 карточки."""
    return plural(number, "%(n)s card", "%(n)s cards")


def clock(offset_minutes: int) -> timezone:
    """The portal's clock."""
    return timezone(timedelta(minutes=offset_minutes))


def local(value: datetime | str | None, offset_minutes: int) -> str:
    """A moment as people write it, by the portal's clock."""
    return formats.moment(_moment(value), clock(offset_minutes))


def typed(value: datetime | str | None, offset_minutes: int) -> str:
    """A moment as an input of date and time holds it, by the portal's clock."""
    found = _moment(value)
    return found.astimezone(clock(offset_minutes)).strftime("%Y-%m-%dT%H:%M") if found else ""


def tomorrow(offset_minutes: int) -> str:
    """Ten o'clock tomorrow by the portal's clock, as an input holds it: what «later» begins with."""
    day = utcnow().astimezone(clock(offset_minutes)) + timedelta(days=1)
    return f"{day:%Y-%m-%d}T10:00"


def amount(value: str) -> str:
    """Money as it is typed; nothing for nought."""
    try:
        number = Decimal(value or "0")
    except InvalidOperation:
        return value
    return formats.typed(number) if number else ""


def when(plan: Plan, mode: str, start_at: datetime | None, offset_minutes: int) -> str:
    """«at once, no more than 60 a minute, from 9 to 18» of a plan."""
    said = [_begins(plan, mode, start_at, offset_minutes)]
    if plan.until and mode in ("repeating", "evergreen"):
        said.append(_("until %(day)s", day=formats.day(_moment(plan.until))))
    if plan.rate_per_minute:
        said.append(
            _("no faster than %(number)s a minute", number=formats.number(plan.rate_per_minute))
        )
    if plan.hours_from and plan.hours_to:
        whose = _(" of the client's time") if plan.zone is Zone.RECIPIENT else ""
        said.append(_("from %(start)s to %(end)s%(whose)s", start=plan.hours_from, end=plan.hours_to, whose=whose))  # fmt: skip
    if plan.working_days:
        said.append(_("on working days"))
    if plan.control_percent:
        said.append(_("leaving %(percent)s %% for comparison", percent=plan.control_percent))
    return ", ".join(said)


def _begins(plan: Plan, mode: str, start_at: datetime | None, offset_minutes: int) -> str:
    if mode == "evergreen":
        return _("to everybody who enters the segment")
    if mode == "repeating" and plan.every:
        day = ""
        if plan.every is Every.WEEK and plan.day is not None:
            day = " " + on_weekdays()[plan.day % 7]
        elif plan.every is Every.MONTH and plan.day:
            day = " " + _("on day %(number)s", number=plan.day)
        return _("%(every)s%(day)s at %(time)s", every=everies()[plan.every], day=day, time=plan.at or "10:00")  # fmt: skip
    if mode == "at" and start_at:
        return local(start_at, offset_minutes)
    return _("at once")


def _moment(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) and value else value or None
