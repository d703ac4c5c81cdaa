"""What is about to be written, with the names of whose cards it is written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from segments.models import ClientKind
from segments.worth.base import names_of
from segments.writing.differences import Change


@dataclass(frozen=True, slots=True)
class NamedChange:
    """A pending change with the client's name, for the preview."""

    name: str
    path: str
    change: Change


def named(session: Session, portal_id: int, changes: Sequence[Change]) -> list[NamedChange]:
    """The changes with their clients' names."""
    names = {
        kind: names_of(session, portal_id, kind, [c.client_id for c in changes if c.kind is kind])
        for kind in ClientKind
    }
    return [
        NamedChange(
            names[change.kind].get(change.client_id) or f"#{change.client_id}",
            f"/crm/{change.kind}/details/{change.client_id}/",
            change,
        )
        for change in changes
    ]
