"""Words about saved segments: how they get members, and why cards are in them."""

from __future__ import annotations

from core.web.words import gettext as _
from segments.members.listing import Left
from segments.rules.tree import Kind
from segments.saved import How, Why


def hows() -> dict[str, str]:
    """How a segment gets its members, in a word."""
    return {
        How.DYNAMIC.value: _("updates itself"),
        How.SNAPSHOT.value: _("frozen"),
        How.STATIC.value: _("list"),
    }


def how_meanings() -> dict[str, str]:
    """The same, explained."""
    return {
        How.DYNAMIC.value: _(
            "Whoever begins to fit comes in by himself, whoever ceases to fit leaves."
        ),
        How.SNAPSHOT.value: _("Who fitted at one moment. It never changes."),
        How.STATIC.value: _("Who was put in by hand or from a file."),
    }


def left(segment: Left) -> str:
    """Why nothing was done to a segment."""
    if segment.why == "in_use":
        return _("other segments stand on it: %(names)s", names=", ".join(segment.names))
    return _("its conditions name what isn't there any more")


def shelves() -> list[tuple[str, str]]:
    """The parts of the list, as a choice."""
    return [("", _("in use")), ("problem", _("needs attention")), ("archived", _("put away"))]


def whys() -> dict[str, str]:
    """Why a card entered or left."""
    return {
        Why.CHANGED.value: _("the card or its deals changed"),
        Why.RULE.value: _("by the segment's conditions"),
        Why.DAY.value: _("a day passed"),
        Why.SETTINGS.value: _("the application's settings changed"),
        Why.IMPORT.value: _("from a file"),
        Why.HAND.value: _("by hand"),
        Why.MERGED.value: _("its duplicate was in"),
        Why.SNAPSHOT.value: _("fitted when the list was frozen"),
    }


def kinds() -> dict[str, str]:
    """One card of the kind, as a caption."""
    return {
        Kind.CONTACT.value: _("Contact"),
        Kind.COMPANY.value: _("Company"),
        Kind.LEAD.value: _("Lead"),
    }
