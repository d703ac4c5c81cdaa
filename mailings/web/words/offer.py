"""Offers in words: their types, the questions of the form, what a field that is missing means."""

from __future__ import annotations

from collections.abc import Mapping

from core.web.words import gettext as _
from mailings.rules.offers import OfferKind


def kinds() -> dict[OfferKind, str]:
    """Types of offers."""
    return {
        OfferKind.NEW: _("For new clients"),
        OfferKind.REPEAT: _("Repeat purchase"),
        OfferKind.UPSELL_BEFORE: _("A dearer one before the purchase"),
        OfferKind.UPSELL_AFTER: _("An addition after the purchase"),
        OfferKind.CROSS_SELL: _("Another product for those who buy already"),
        OfferKind.WIN_BACK: _("Bring back who stopped buying"),
        OfferKind.EVENT: _("Event"),
        OfferKind.LEAD_MAGNET: _("Something useful for free"),
    }


def kind_meanings() -> dict[OfferKind, str]:
    """What each type is for."""
    return {
        OfferKind.NEW: _("They know you, but have bought nothing yet."),
        OfferKind.REPEAT: _("It is time to buy the same again."),
        OfferKind.UPSELL_BEFORE: _("The deal is open: show a better option in time."),
        OfferKind.UPSELL_AFTER: _("Something has been bought: add what goes with it."),
        OfferKind.CROSS_SELL: _("They buy one thing and don't know about the other."),
        OfferKind.WIN_BACK: _("Long without a purchase: a reason to come back."),
        OfferKind.EVENT: _("An exhibition, a webinar, an open day."),
        OfferKind.LEAD_MAGNET: _("A guide, a calculation, a sample in return for interest."),
    }


def questions() -> dict[str, tuple[str, str]]:
    """The form: each field with its question and an example."""
    return {
        "what": (_("What do you offer?"), _("In one sentence, as you would say it to a client.")),
        "terms": (_("On what terms?"), _("Price, discount, gift, delivery, instalments.")),
        "product": (_("Which product or service?"), _("As clients call it.")),
        "price": (_("Price"), _("With the currency: 1 490 ₽.")),
        "old_price": (_("Former price"), _("It is shown struck through.")),
        "valid_till": (_("Until what day?"), _("A date makes people decide. The day of an event goes here too.")),
        "audience": (_("Who is it for?"), _("What these people have in common, and what they want now.")),
        "reason": (_("Why should they take it?"), _("The gain for the client, not for you.")),
        "proof": (_("Why should they believe you?"), _("Figures, reviews, a guarantee, known clients.")),
        "call_to_action": (_("What is the next step?"), _("Words for the button: “Choose the coffee”, “Book a call”.")),
        "url": (_("Where does the button lead?"), _("Address of a page that says the same as the letter.")),
    }  # fmt: skip


def utm() -> dict[str, str]:
    """Marks of links for statistics."""
    return {
        "utm_source": _("Source"),
        "utm_campaign": _("Campaign"),
        "utm_content": _("Content"),
        "utm_term": _("Term"),
    }


def wrongs(problems: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each field."""
    texts = {
        "empty": _("Give it a name"),
        "too_long": _("Too long"),
        "line_break": _("This must be one line"),
        "control": _("There are invisible characters in it"),
        "address": _("This is no address of a page, like https://example.com"),
        "date": _("This is no date"),
        "not_text": _("This must be text"),
    }
    return {name: texts.get(code) or _("This can't stay so") for name, code in problems.items()}
