"""Pictures of a portal's letters: kept once however often uploaded, found again by what stands in their address."""

from __future__ import annotations

import hashlib
import re
import secrets

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from mailings.content.drawing import KINDS, NotAPicture, drawn
from mailings.media import Picture

MOST = 1000
"""Pictures of one portal: some hundred megabytes at most."""
_NAME = re.compile(r"([0-9a-f]{32})\.(jpg|png|gif)")


def keep(session: Session, portal_id: int, raw: bytes, user_id: int | None = None) -> Picture:
    """The picture of this file; the one there is when it was uploaded before. Raises NotAPicture."""
    made = drawn(raw)
    digest = hashlib.sha256(made.content).digest()
    known = sa.select(Picture).where(Picture.portal_id == portal_id, Picture.digest == digest)
    if (there := session.scalar(known)) is not None:
        return there
    number = sa.select(sa.func.count()).where(Picture.portal_id == portal_id)
    if (session.scalar(number) or 0) >= MOST:
        raise NotAPicture("too_many")
    put = insert(Picture).values(
        portal_id=portal_id, name=secrets.token_hex(16), digest=digest, kind=made.kind,
        width=made.width, height=made.height, content=made.content, made_by=user_id,
    )  # fmt: skip
    session.execute(put.on_conflict_do_nothing())
    return session.scalars(known).one()


def path(picture: Picture) -> str:
    """Where it is served."""
    return f"/p/{picture.portal_id}/{picture.name}.{picture.kind}"


def served(session: Session, portal_id: int, name: str) -> tuple[bytes, str] | None:
    """The content and its media type; None where there is none of this name."""
    found = _NAME.fullmatch(name)
    if found is None or portal_id >= 2**31:
        return None
    picture = session.get(Picture, (portal_id, found.group(1)), options=[undefer(Picture.content)])
    if picture is None or picture.kind != found.group(2):
        return None
    return picture.content, KINDS[picture.kind]
