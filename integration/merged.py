"""Where old links of a merged client lead: to the client that took it over, through any number of merges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from integration.mirror import Company, Contact, Mirrored
from integration.models import MergedClient

_TABLES: dict[str, type[Mirrored]] = {"contact": Contact, "company": Company}


@dataclass(frozen=True, slots=True)
class Merge:
    """A client that is another one now."""

    kind: str
    loser_id: int
    winner_id: int
    merged_at: datetime

    @property
    def path(self) -> str:
        """The winner's card on the portal."""
        return f"/crm/{self.kind}/details/{self.winner_id}/"


def into(session: Session, portal_id: int, kind: str, client_id: int) -> Merge | None:
    """What became of a client; None for one that is alive, or that nobody knows to be merged."""
    first, at, seen = None, client_id, {client_id}
    while not _alive(session, portal_id, kind, at):
        found = session.get(MergedClient, (portal_id, kind, at))
        if found is None or found.winner_id in seen:
            break
        first, at = first or found, found.winner_id
        seen.add(at)
    return Merge(kind, client_id, at, first.merged_at) if first is not None else None


def _alive(session: Session, portal_id: int, kind: str, client_id: int) -> bool:
    row = session.get(_TABLES[kind], (portal_id, client_id))
    return row is not None and row.deleted_at is None
