"""Key rotation: every sealed column sealed again with the first key.

A column is sealed when its name says so, in whatever package its table lives: none can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.crypto import Vault
from core.database import Base


def rotate(session: Session, vault: Vault) -> int:
    """Re-encrypt everything; returns the number of values. Rows are locked against a refresh."""
    rotated = 0
    for table, columns in sealed():
        for row in session.scalars(sa.select(table).with_for_update()):
            for name in columns:
                value = getattr(row, name)
                if value is not None:
                    setattr(row, name, vault.rotate(value))
                    rotated += 1
    return rotated


def sealed() -> Iterator[tuple[Any, list[str]]]:
    """Every table with sealed columns, and their names."""
    for mapper in Base.registry.mappers:
        if names := [name for name in mapper.columns.keys() if name.endswith("_sealed")]:  # noqa: SIM118
            yield mapper.class_, names
