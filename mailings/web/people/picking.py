"""Whom somebody has ticked in a list of people: cards one by one, or all that a list of a segment or mailing finds."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.web.lists import Picked
from mailings.planning import drafts
from mailings.results import followed, recipients
from mailings.web.results import followed_pages
from mailings.web.results import pages as result_pages
from segments.members import lists, roster, saving
from segments.members.lists import Card, TooMany

AT_ONCE = lists.AT_ONCE


def cards(session: Session, portal_id: int, chosen: Picked, source: str) -> list[Card]:
    """The cards; `source` as segment:5, mailing:7 or followed:7. Raises TooMany, NoSuchSegment, NoSuchMailing, ValueError."""
    if not chosen.every:
        found = [card for name in chosen.values if (card := lists.card(name)) is not None]
    else:
        found = _found(session, portal_id, chosen, source)
    if len(found) > AT_ONCE:
        raise TooMany
    return list(dict.fromkeys(found))


def _found(session: Session, portal_id: int, chosen: Picked, source: str) -> list[Card]:
    what, _, written = source.partition(":")
    number = int(written)
    if what == "segment" and 0 < number < 2**31:
        segment = saving.find(session, portal_id, number)
        asked = roster.LISTING.asked(chosen.query)
        return roster.cards(session, portal_id, segment.id, asked, AT_ONCE + 1)
    if what == "mailing":
        mailing = drafts.find(session, portal_id, number)
        wanted = result_pages.wanted(result_pages.LISTING.asked(chosen.query))
        return recipients.cards(session, mailing, wanted, AT_ONCE + 1)
    if what == "followed":
        mailing = drafts.find(session, portal_id, number)
        credited = followed_pages.wanted(followed_pages.LISTING.asked(chosen.query))
        return followed.people(session, mailing, credited, AT_ONCE + 1)
    raise ValueError(source)
