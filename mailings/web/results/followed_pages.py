"""What the list of leads and deals that followed a mailing shows: rows, how many, a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from core import sheets
from core.web import formats
from core.web.lists import Asked, Column, Listing, ListKey
from core.web.words import N_
from core.web.words import gettext as _
from integration import kept
from integration.models import Portal
from mailings.models import Mailing
from mailings.results import followed
from mailings.results.followed import Wanted
from mailings.results.leads import Card
from mailings.web.words import result as result_words
from segments.members import choosing
from segments.members.lists import AT_ONCE

LISTS = 100
SORTED = 50_000
"""Of more of them only the newest come first."""

LISTING = Listing(
    ListKey.FOLLOWED,
    columns=(
        Column("what", N_("Lead or deal")),
        Column("stage", N_("Stage")),
        Column("owner", N_("Responsible")),
        Column("client", N_("Client")),
        Column("touch", N_("Reaction"), shown=False),
        Column("appeared", N_("Appeared"), first="desc"),
        Column("sold", N_("Sold"), first="desc", shown=False),
        Column("amount", N_("Amount"), "num", "desc"),
        Column("margin", N_("Margin"), "num", "desc", shown=False),
    ),
    filters=("search", "entity", "outcome", "touch"),
    sort="-appeared",
)


def asked(session: Session, mailing: Mailing, user_id: int, arguments: Any) -> Asked:
    """What an address asks of them."""
    found, _messages = followed.number(session, mailing, Wanted(), SORTED)
    listing = LISTING if found <= SORTED else LISTING.unsorted()
    whose = mailing.portal_id, user_id, ListKey.FOLLOWED
    return listing.asked(arguments, kept.of(session, whose))


def wanted(which: Asked) -> Wanted:
    """The same as filters."""
    return Wanted(which["entity"], which["outcome"], which["touch"], which["search"])


def listed(session: Session, mailing: Mailing, which: Asked) -> dict[str, Any]:
    """The facts of the rows."""
    name, descending = which.by
    order = followed.ordered(name, descending=descending)
    cards, after = followed.page(session, mailing, wanted(which), which.after, followed.PAGE, order)
    portal = session.get_one(Portal, mailing.portal_id)
    return {
        "mailing": mailing, "cards": cards, "after": after, "asked": which,
        "at": f"/mailings/{mailing.id}/leads", "currency": portal.base_currency or "RUB",
    }  # fmt: skip


def counted(session: Session, mailing: Mailing, which: Asked) -> dict[str, Any]:
    """What the page says besides: how many there are, and where their clients may be put."""
    found, messages = followed.number(session, mailing, wanted(which))
    whole, _messages = followed.number(session, mailing, Wanted())
    at, tabs = f"/mailings/{mailing.id}/leads", []
    for entity, label in (("", _("All of them")), ("lead", _("Leads")), ("deal", _("Deals"))):
        number, _messages = followed.number(session, mailing, Wanted(entity))
        tabs.append({
            "key": entity, "label": label, "href": f"{at}?{which.query(entity=entity)}",
            "count": number if number <= followed.COUNTED else None,
        })  # fmt: skip
    lists = choosing.found(session, mailing.portal_id, limit=LISTS)
    return {
        "among": followed.SEARCHED if wanted(which).searches and whole > followed.SEARCHED else 0,
        "number": found, "people": messages, "counted": followed.COUNTED, "tabs": tabs,
        "anything": tabs[0]["count"] != 0,
        "static_lists": [(str(each.id), each.name) for each in lists], "most": AT_ONCE,
    }  # fmt: skip


def file(session: Session, mailing: Mailing, which: Asked) -> Iterator[bytes]:
    """All that are found with the columns that are shown, as a file, in portions."""
    yield sheets.written([[_("Kind"), _("Number"), *(_(each.label) for each in which.shown)]])
    for portion in followed.every(session, mailing, wanted(which)):
        yield sheets.lines(
            [each.entity, str(each.id), *(_cell(each, key) for key in which.columns)]
            for each in portion
        )


def _cell(card: Card, key: str) -> str:
    return {
        "what": card.title,
        "stage": card.stage,
        "owner": card.owner,
        "client": card.client.name,
        "touch": result_words.touches().get(card.touch, ""),
        "appeared": formats.moment(card.happened_at),
        "sold": formats.day(card.sold_on) if card.sold_on else "",
        "amount": str(card.amount) if card.sold_on else "",
        "margin": "" if card.margin is None else str(card.margin),
    }[key]
