"""Key rotation: every sealed column sealed again with the first key."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.crypto import Vault
from core.database import Base
from integration.models import Portal, PortalToken

SEALED: list[tuple[type[Base], tuple[str, ...]]] = [
    (Portal, ("client_secret_sealed", "application_token_sealed")),
    (PortalToken, ("access_token_sealed", "refresh_token_sealed")),
]


def also_sealed(table: type[Base], columns: tuple[str, ...]) -> None:
    """A package above keeps sealed columns as well: the composition root says so at the start."""
    if (table, columns) not in SEALED:
        SEALED.append((table, columns))


def rotate(session: Session, vault: Vault) -> int:
    """Re-encrypt everything; returns the number of values. Rows are locked against a refresh."""
    rotated = 0
    for table, columns in SEALED:
        for row in session.scalars(sa.select(table).with_for_update()):
            for name in columns:
                sealed = getattr(row, name)
                if sealed is not None:
                    setattr(row, name, vault.rotate(sealed))
                    rotated += 1
    return rotated
