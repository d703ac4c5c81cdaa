"""Ready segments of mailings: how people answered them, and whom none of them reaches."""

from __future__ import annotations

from core.web.words import N_
from integration.mirror import AddressKind
from mailings.rules.states import ChannelKey
from segments.ready.parameters import Parameter
from segments.ready.preset_parts import Given, Json, Preset, clients, days, is_, no, some
from segments.ready.presets_of_cards import CARDS

GROUP = N_("Mailings")
_DAYS = Parameter("days", N_("In the last days"), default=30)


def _opened_not_clicked(given: Given) -> Json:
    lately = days(given["days"])
    return clients(
        some("messages", is_("opened_at", "in_last", lately)),
        no("messages", is_("clicked_at", "in_last", lately)),
    )


def _clicked_not_ordered(given: Given) -> Json:
    lately = days(given["days"])
    new = is_("created_at", "in_last", lately)
    return clients(
        some("messages", is_("clicked_at", "in_last", lately)), no("deals", new), no("leads", new)
    )


def _not_reachable(_given: Given) -> Json:
    return clients(no("reach", is_("reachable", "yes")))


def _no_consent(_given: Given) -> Json:
    email = is_("kind", "any_of", [AddressKind.EMAIL.value])
    about_letters = is_("channel", "any_of", [ChannelKey.EMAIL.value])
    return clients(some("addresses", email, is_("valid", "yes")), no("consents", about_letters))


PRESETS = (
    Preset(
        "not_reachable", CARDS, N_("Not reachable"),
        N_("Can be neither written to nor called: no valid e-mail or phone, no consent, or an unsubscription."),
        _not_reachable,
    ),
    Preset(
        "no_consent", CARDS, N_("An e-mail but no consent"),
        N_("Worth asking for consent: the e-mail is good, but nothing was said about letters to it, neither yes nor no."),
        _no_consent,
    ),
    Preset(
        "opened_not_clicked", GROUP, N_("Opened, did not follow a link"),
        N_("Opened a letter of a mailing in these days, and followed no link of any."),
        _opened_not_clicked, (_DAYS,),
    ),
    Preset(
        "clicked_not_ordered", GROUP, N_("Followed a link, no new deal"),
        N_("Followed a link of a mailing in these days, and has neither a deal nor a lead made in them."),
        _clicked_not_ordered, (_DAYS,),
    ),
)  # fmt: skip
