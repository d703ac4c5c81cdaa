"""What stands in the way of a mailing's start, in words, each with the place where it is mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.web import formats
from core.web.words import gettext as _
from core.web.words import plural
from mailings.models import Mailing
from mailings.planning.readiness import Problem
from mailings.rules.states import ChannelKey
from mailings.sending import dns

SERVERS = "/settings/mailings"


@dataclass(frozen=True, slots=True)
class Told:
    """A problem as the page says it. `href`: where it is mended; `record`: a DNS record to add."""

    text: str
    href: str = ""
    action: str = ""
    blocks: bool = True
    record: str = ""


def told(problem: Problem, mailing: Mailing) -> Told:
    """A problem in words."""
    say = _SAID.get(problem.code)
    if say is None:
        return Told(_("Something is not ready: %(code)s", code=problem.code), blocks=problem.blocks)
    text, href, action, *record = say(problem.facts, mailing)
    return Told(text, href, action, problem.blocks, *record)


def reason(code: str) -> str:
    """Why a mailing stopped by itself, or was given back."""
    name, _colon, about = code.partition(":")
    about = about.strip()
    text = {
        "server_unreachable": _("the mail server does not answer"),
        "sender_refused": _("mail services refuse your letters"),
        "letter_broken": _("the letter can't be put together"),
        "portal_cut_off": _("the portal has shut the application out"),
        "restored": _(
            "it waits for an administrator's word: some of it may have been sent already"
        ),
        "no_server": _("there is no mail server to send by"),
        "overdue": _("its time passed long ago, so it waits for you"),
        "no_segment": _("no segment is chosen"),
        "segment_gone": _("the segment is gone"),
        "segment_unready": _("the ready segment lacks something on this portal"),
        "segment_broken": _("a condition of the segment names what the portal has no more"),
    }.get(name, name)
    record = {"spf": "SPF", "dkim": "DKIM", "dmarc": "DMARC", "alignment": "DMARC"}.get(
        about.lower(), ""
    )
    return f"{text} ({record})" if record else text


Facts = Mapping[str, Any]
Said = tuple[str, ...]


def _audience(words: Callable[[], str]) -> Callable[[Facts, Mailing], Said]:
    return lambda _facts, _mailing: (words(), "#ask-who", _("Choose a segment"))


def _when(words: Callable[[], str]) -> Callable[[Facts, Mailing], Said]:
    return lambda _facts, _mailing: (words(), "#ask-when", _("Change the time"))


def _offer(words: Callable[[], str]) -> Callable[[Facts, Mailing], Said]:
    def say(facts: Facts, _mailing: Mailing) -> Said:
        number = facts.get("offer")
        return words(), f"/offers/{number}" if number else "#ask-what", _("Open the offer")

    return say


def _letter(facts: Facts, mailing: Mailing) -> Said:
    if mailing.channel == ChannelKey.CALL_LIST:
        return _("The script of the call is not finished."), "#ask-what", _("Write the script")
    if not mailing.content.get("subject") and not mailing.content.get("blocks"):
        return (
            _("The letter is not written yet."),
            f"/mailings/{mailing.id}/letter",
            _("Write the letter"),
        )
    found = facts.get("problems") or ()
    text = plural(
        len(found),
        "The letter is not finished: %(n)s place needs a look.",
        "The letter is not finished: %(n)s places need a look.",
    )
    return text, f"/mailings/{mailing.id}/letter", _("Open the letter")


def _unready(facts: Facts, _mailing: Mailing) -> Said:
    lacking = " ".join(_(each.words) for each in facts.get("missing") or ())
    text = _("The ready segment lacks something on this portal.")
    return f"{text} {lacking}".strip(), "/segments/presets", _("Open the ready segments")


def _silent(_facts: Facts, _mailing: Mailing) -> Said:
    text = _("Nobody of the segment has agreed to get mailings.")
    return text, "/settings/mailings/consent", _("Consents and the ground of writing")


def _codes(facts: Facts, mailing: Mailing) -> Said:
    text = plural(
        facts.get("short", 0),
        "%(n)s promo code is missing: those without one get nothing.",
        "%(n)s promo codes are missing: those without one get nothing.",
    )
    return text, f"/offers/{mailing.offer_id}" if mailing.offer_id else "#ask-what", _("Add codes")


def _server(words: Callable[[], str]) -> Callable[[Facts, Mailing], Said]:
    def say(facts: Facts, _mailing: Mailing) -> Said:
        server = facts.get("server")
        href = f"{SERVERS}/servers/{server}" if server else SERVERS
        return words(), href, _("Open the mail server")

    return say


def _record(facts: Facts, _mailing: Mailing) -> Said:
    name = str(facts.get("record") or "").upper()
    text = _("Mail services will refuse so many letters: the domain of the sender has no right %(record)s record.", record=name)  # fmt: skip
    server = facts.get("server")
    href = f"{SERVERS}/servers/{server}" if server else SERVERS
    add = str(facts.get("add") or "").replace(dns.OWN_ADDRESS, _("PUBLIC-ADDRESS"))
    return text, href, _("Open the mail server"), add


def _lost(facts: Facts, _mailing: Mailing) -> Said:
    text = _("The database was restored from a copy. If this mailing was started between %(since)s and %(until)s, its recipients have got it already.", since=formats.moment(facts["since"]), until=formats.moment(facts["until"]))  # fmt: skip
    return text, "", ""


_SAID: dict[str, Callable[[Facts, Mailing], Said]] = {
    "no_segment": _audience(lambda: _("Choose whom to write to.")),
    "segment_gone": _audience(lambda: _("The chosen segment is gone.")),
    "segment_broken": _audience(
        lambda: _("A condition of the segment names what the portal has no more.")
    ),
    "segment_unready": _unready,
    "empty_audience": _audience(lambda: _("Nobody is in the segment now.")),
    "nobody_gets": _audience(lambda: _("Nobody of the segment would get it: see the steps above.")),
    "no_consents": _silent,
    "codes_short": _codes,
    "offer_gone": _offer(lambda: _("The offer was put away.")),
    "offer_unfinished": _offer(lambda: _("The offer is not filled in yet.")),
    "offer_over": lambda facts, mailing: (
        _("The offer was valid until %(day)s.", day=formats.day(facts.get("valid_till"))),
        f"/offers/{facts.get('offer') or mailing.offer_id}",
        _("Open the offer"),
    ),
    "letter_broken": _letter,
    "bad_plan": _when(lambda: _("The plan can't be followed.")),
    "too_late": _when(lambda: _("The latest moment has passed already.")),
    "over": _when(lambda: _("The last day has passed already.")),
    "no_turns": _when(lambda: _("Choose how often it goes out.")),
    "no_end": _when(lambda: _("Say until which day newcomers get it.")),
    "no_server": _server(lambda: _("There is no mail server to send by.")),
    "server_gone": _server(lambda: _("The chosen mail server was put away.")),
    "not_checked": _server(
        lambda: _(
            "So many letters need a checked domain: press “Check” on the page of the mail server."
        )
    ),
    "not_answered": _server(
        lambda: _("DNS did not answer about the sender's domain: check the mail server once more.")
    ),
    "bad_domain": _record,
    "restored": _lost,
}
