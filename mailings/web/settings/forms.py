"""What the mailing settings send: the portal's rules with the parts of one form put in, the rest as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from werkzeug.datastructures import MultiDict

from mailings.consent.settings import ConsentField, Rules, UnsubscribeField
from mailings.rules.caps import LONGEST_DAYS, Cap
from mailings.rules.consents import Basis
from mailings.rules.states import ChannelKey

Form = MultiDict[str, str]
CAP_ROWS = 4
MOST_MESSAGES = 1000


class Slip(ValueError):
    """Something typed that can't be meant; `field` names the input."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class CapRow:
    """A row of the limits as it is shown. `wrong`: which of its inputs is marked."""

    index: int
    channel: str
    number: str
    days: str
    wrong: str = ""


def with_basis(rules: Rules, form: Form) -> Rules:
    """The ground people are written to on."""
    try:
        return replace(rules, basis=Basis(form.get("basis", "")))
    except ValueError as error:
        raise Slip("basis") from error


def with_fields(rules: Rules, form: Form, known: Mapping[str, Sequence[str]]) -> Rules:
    """The portal's fields that consents come from and unsubscriptions go to; `known`: code → kinds of cards."""
    consent = unsubscribe = None
    if code := form.get("consent_code"):
        consent = ConsentField(
            code=code,
            entities=_entities(known, code, "consent_code"),
            topic=form.get("consent_topic") or "offers",
            yes=_listed(form, "consent_yes"),
            no=_listed(form, "consent_no", needed=False),
        )
    if code := form.get("unsubscribe_code"):
        value = form.get("unsubscribe_value", "").strip()
        if not value:
            raise Slip("unsubscribe_value")
        unsubscribe = UnsubscribeField(code, _entities(known, code, "unsubscribe_code"), value)
    return replace(rules, consent_field=consent, unsubscribe_field=unsubscribe)


def with_limits(rules: Rules, form: Form) -> Rules:
    """Caps, whom they leave alone, and how long a sale is credited to a mailing."""
    found = []
    for row in range(CAP_ROWS):
        number = _whole(form, f"cap_number.{row}", MOST_MESSAGES)
        days = _whole(form, f"cap_days.{row}", LONGEST_DAYS)
        if bool(number) != bool(days):
            raise Slip(f"cap_{'number' if days else 'days'}.{row}")
        channel = form.get(f"cap_channel.{row}") or None
        if channel is not None and channel not in set(ChannelKey):
            raise Slip(f"cap_channel.{row}")
        if number and days:
            found.append(Cap(days, number, channel))
    attribution = _whole(form, "attribution_days", 365)
    if not attribution:
        raise Slip("attribution_days")
    exempt = tuple(sorted({int(each) for each in form.getlist("exempt") if each.isdigit()}))
    return replace(rules, caps=tuple(found), attribution_days=attribution, exempt_segments=exempt)


def cap_rows(rules: Rules, typed: Mapping[str, str], wrong: Mapping[str, str]) -> list[CapRow]:
    """The rows of the limits as the form shows them: as typed, where that was refused."""
    found = []
    for row in range(CAP_ROWS):
        cap = rules.caps[row] if row < len(rules.caps) else None
        shown = {
            "channel": (cap.channel or "") if cap else "",
            "number": str(cap.number) if cap else "",
            "days": str(cap.days) if cap else "",
        }
        if typed:
            shown = {name: typed.get(f"cap_{name}.{row}", "") for name in shown}
        slipped = next((name for name in shown if f"cap_{name}.{row}" in wrong), "")
        found.append(CapRow(row, **shown, wrong=slipped))
    return found


def _entities(known: Mapping[str, Sequence[str]], code: str, field: str) -> tuple[str, ...]:
    if code not in known:
        raise Slip(field)
    return tuple(known[code])


def _listed(form: Form, name: str, *, needed: bool = True) -> tuple[str, ...]:
    found = tuple(filter(None, (each.strip() for each in form.get(name, "").split(","))))
    if needed and not found:
        raise Slip(name)
    return found


def _whole(form: Form, name: str, most: int) -> int:
    typed = form.get(name, "").strip()
    if not typed:
        return 0
    if not (typed.isascii() and typed.isdigit() and int(typed) <= most):
        raise Slip(name)
    return int(typed)
