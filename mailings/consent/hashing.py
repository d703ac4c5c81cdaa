"""An address as it is remembered when it may no longer be kept: a hash of its own in every portal.

The Python function and the SQL expression give the same bytes. Both take normalised addresses.
"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa


def address_hash(portal_id: int, address: str) -> bytes:
    """The hash of a normalised address."""
    return hashlib.sha256(f"{portal_id}:{address}".encode()).digest()


def hashed(portal_id: int, column: sa.ColumnElement[Any] | Any) -> sa.ColumnElement[bytes]:
    """The same of a column of normalised addresses; NULL of none."""
    salted = sa.literal(f"{portal_id}:", sa.Text).op("||", return_type=sa.Text)(column)
    return sa.func.sha256(sa.func.convert_to(salted, "UTF8"), type_=sa.LargeBinary)
