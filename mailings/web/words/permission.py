"""Permission in words: grounds, reasons not to write, and what a change of the rules changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.web.words import gettext as _
from core.web.words import plural
from mailings.consent.importing import Refused
from mailings.consent.settings import Rules
from mailings.rules.caps import Cap
from mailings.rules.consent_files import Refusal
from mailings.rules.consents import Basis, Reason
from mailings.web.words import mailing as mailing_words

channels = mailing_words.channels


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the history. `before` None: it was not there."""

    title: str
    before: str | None
    after: str


def bases() -> dict[str, str]:
    """The grounds people are written to on."""
    return {
        Basis.CONSENT: _("Only with consent"),
        Basis.EXISTING_CLIENTS: _("To existing clients too"),
    }


def suppressions() -> dict[str, str]:
    """Why an address is not written to."""
    return {
        Reason.PAUSED: _("asked for a rest"),
        Reason.BOUNCED: _("letters come back"),
        Reason.MANUAL: _("added by hand"),
        Reason.UNSUBSCRIBED: _("unsubscribed"),
        Reason.COMPLAINED: _("complained of spam"),
        Reason.ERASED: _("asked to be erased"),
    }


def lifting() -> dict[str, str]:
    """What to think of before an address is written to again."""
    asked = _("Do it only if the person asked for it. Your name stays in the log.")
    return {
        Reason.PAUSED: asked,
        Reason.BOUNCED: _("Letters to it came back. If the address is right by now, go on."),
        Reason.MANUAL: asked,
        Reason.UNSUBSCRIBED: asked,
    }


def liftable(reason: str) -> bool:
    """Whether an administrator may write to such an address again."""
    return Reason(reason).liftable


def source(code: str) -> str:
    """Where a suppression comes from: our own codes in words, a person's words as they are."""
    return {
        "one_click": _("by the button of the mail program"),
        "page": _("on the unsubscribe page"),
        "unsubscribe_page": _("on the unsubscribe page"),
        "mailto": _("by a letter"),
        "bounce": _("the mail server's report"),
        "client_card": _("on the client's card"),
        "arf": _("the mail service's report"),
    }.get(code, code)


def refusals() -> dict[str, str]:
    """Why a row of a file is not taken."""
    return {
        Refusal.NO_ADDRESS: _("no address"),
        Refusal.NOT_AN_ADDRESS: _("this is no address"),
        Refusal.NOT_YES_OR_NO: _("neither yes nor no"),
        Refusal.NO_SUCH_TOPIC: _("there is no such topic"),
        Refusal.NOT_A_DATE: _("this is no date"),
        Refusal.IN_THE_FUTURE: _("the date is in the future"),
        Refusal.WITHDRAWN_LATER: _("the person has refused since"),
        Refusal.SUPPRESSED: _("unsubscribed, complained or does not exist"),
        Refusal.TWICE: _("was in the file before"),
        Refusal.TOO_LONG: _("too long"),
    }


def refused_file(refused: Iterable[Refused]) -> str:
    """Rows that were not taken, as a file; nothing in it is a formula to a spreadsheet."""
    words, text = refusals(), io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow([_("Row"), _("Address"), _("Why")])
    for each in refused:
        address = f"'{each.address}" if each.address[:1] in "=+-@\t\r" else each.address
        writer.writerow([each.row, address, words[each.reason]])
    return text.getvalue()


def bad_file(code: str) -> str:
    """Why a file holds no consents."""
    return {
        "no_address_column": _("No column is called address, e-mail or phone"),
        "too_large": _("The file is too large"),
        "too_many_rows": _("The file has too many rows"),
        "not_text": _("This is no text: save the sheet as CSV"),
    }.get(code, _("This is no CSV file"))


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Change]:
    """What one version of the rules changed of the one before it."""
    old, new = Rules.read(before), Rules.read(after)
    lines = [
        (_("Ground"), bases()[old.basis], bases()[new.basis]),
        (_("Consents come from"), _code(old.consent_field), _code(new.consent_field)),
        (_("Unsubscriptions go to"), _code(old.unsubscribe_field), _code(new.unsubscribe_field)),
        (_("Limits"), _caps(old.caps), _caps(new.caps)),
        (_("Days of credit"), str(old.attribution_days), str(new.attribution_days)),
        (_("Segments without limits"), str(len(old.exempt_segments)), str(len(new.exempt_segments))),
    ]  # fmt: skip
    told = [Change(title, was, now) for title, was, now in lines if was != now]
    if new.confirmed and new.confirmed != old.confirmed:
        told.append(Change(_("Confirmed"), None, str(new.confirmed.get("text", ""))))
    return told


def _code(field: Any) -> str:
    return field.code if field else _("no field")


def _caps(caps: tuple[Cap, ...]) -> str:
    said = [
        _("%(channel)s: %(number)s in %(days)s",
          channel=channels().get(cap.channel or "", _("all channels together")),
          number=cap.number, days=plural(cap.days, "%(n)s day", "%(n)s days"))
        for cap in caps
    ]  # fmt: skip
    return "; ".join(said) or _("none")
