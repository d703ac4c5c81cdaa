"""Whose figures the viewer of a card may see: the card's client, or the clients of a deal or lead.

All of it is read with the viewer's own token when the frame is proved, so nothing is shown that the
portal would not show. Of a client that was merged away, the one that took it over is asked for.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from integration import frames, merged
from integration.bitrix.batch import Command
from integration.frames import Confirmed

CLIENTS = ("company", "contact")
LINKED = ("deal", "lead")
"""Cards that are no clients themselves, but name them."""


def reads(entity: str, entity_id: int) -> dict[str, Command]:
    """What the viewer must be able to read; asked together with the proof of the frame."""
    asked: dict[str, Command] = {"card": (f"crm.{entity}.get", {"id": entity_id})}
    if entity in LINKED:
        for kind in CLIENTS:
            asked[kind] = (f"crm.{kind}.get", {"id": f"$result[card][{kind.upper()}_ID]"})
    return asked


def clients(
    session: Session, portal_id: int, confirmed: Confirmed, entity: str, entity_id: int
) -> list[str] | None:
    """Clients the viewer may see as kind:id, the one to show first; None when not even the card.

    A lead itself comes last: it may have no client yet.
    """
    card = frames.read_of(confirmed, "card")
    if entity in LINKED:
        if card is None:
            return None
        return _named_by(confirmed, card) + ([f"lead:{entity_id}"] if entity == "lead" else [])
    if card is not None:
        return [f"{entity}:{entity_id}"]
    merge = merged.into(session, portal_id, entity, entity_id)
    if merge is None or frames.may_read(confirmed.client, entity, merge.winner_id) is None:
        return None
    return [f"{entity}:{merge.winner_id}"]


def _named_by(confirmed: Confirmed, card: dict[str, object]) -> list[str]:
    found = []
    for kind in CLIENTS:
        client_id = str(card.get(f"{kind.upper()}_ID") or "")
        if not client_id.isdigit() or client_id == "0":
            continue
        client = frames.read_of(confirmed, kind)
        if client is not None and str(client.get("ID")) == client_id:
            found.append(f"{kind}:{client_id}")
    return found
