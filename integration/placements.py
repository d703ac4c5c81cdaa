"""The places of the portal's pages that open us: what each is for, and whose card it belongs to.

https://apidocs.bitrix24.com/api-reference/widgets/placements.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from integration.bitrix.payloads import FramePost, number

ENTITIES = ("contact", "company", "lead", "deal")
LEFT_MENU = "LEFT_MENU"
FIELD_TYPE = "USERFIELD_TYPE"
_OURS = {"ru": {"TITLE": "Рубильник"}, "en": {"TITLE": "Rubilnik"}}
_SEND = {"ru": {"TITLE": "Рубильник: отправить"}, "en": {"TITLE": "Rubilnik: send to"}}


class Purpose(StrEnum):
    """What a place opens."""

    TAB = "tab"  # what is known of the client or lead whose card is open
    SEND = "send"  # whom to put into a list or to write to
    HOME = "home"  # the application's first page
    BADGE = "badge"  # the client's value in a field of the card


@dataclass(frozen=True, slots=True)
class Place:
    """One of them. `entity`: whose card or list it belongs to; `aimed`: whether the portal names the card."""

    code: str
    purpose: Purpose
    titles: Mapping[str, Mapping[str, str]]
    entity: str | None = None
    aimed: bool = False


def _all() -> Iterable[Place]:
    for entity in ENTITIES:
        of = f"CRM_{entity.upper()}"
        yield Place(f"{of}_DETAIL_TAB", Purpose.TAB, _OURS, entity, aimed=True)
        yield Place(f"{of}_LIST_MENU", Purpose.SEND, _SEND, entity, aimed=True)
        if entity != "deal":  # a menu above a list says nothing of its rows: people choose clients
            yield Place(f"{of}_LIST_TOOLBAR", Purpose.SEND, _SEND, entity)
    yield Place("CRM_DEAL_DETAIL_TOOLBAR", Purpose.SEND, _SEND, "deal", aimed=True)
    yield Place("CRM_ANALYTICS_MENU", Purpose.HOME, _OURS)
    yield Place(LEFT_MENU, Purpose.HOME, _OURS)


BOUND: Mapping[str, Place] = {place.code: place for place in _all()}
"""Those that are bound by placement.bind."""
_BADGE = Place(FIELD_TYPE, Purpose.BADGE, _OURS, aimed=True)


def find(code: str) -> Place | None:
    """The place of a code, in whatever case."""
    upper = code.upper()
    return _BADGE if upper == FIELD_TYPE else BOUND.get(upper)


def card_of(post: FramePost) -> tuple[str, int] | None:
    """The card a frame claims to belong to: (entity, id). Whether its viewer may read it is to be proved."""
    place = find(post.placement)
    if place is None or not place.aimed:
        return None
    if place.code == FIELD_TYPE:
        entity = str(post.options.get("ENTITY_ID") or "").removeprefix("CRM_").lower()
        card_id = number(post.options.get("ENTITY_VALUE_ID"))
    else:
        entity, card_id = place.entity or "", post.entity_id
    return (entity, card_id) if entity in ENTITIES and card_id else None
