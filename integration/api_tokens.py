"""Tokens that programs of a portal's own come with: made by an administrator, shown once, kept as a digest, revoked.

A token names its portal, so that it is looked for among that portal's alone. Its secret has 256 random bits: a
plain SHA-256 is enough to keep it by.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import utcnow
from core.database import Base
from core.locks import one_at_a_time
from integration.mirror import PortalUser
from integration.models import OfPortal, Portal, PortalState, Timestamp

MOST = 20
NAME_LENGTH = 100
KEPT_REVOKED = 20
_USED_EVERY = timedelta(minutes=1)
_SHAPE = re.compile(r"rubilnik_([1-9]\d{0,8})_[\w-]{43}", re.ASCII)
_LOCK = 0x4150


class ApiToken(OfPortal, Base):
    """A token by its digest. `used_at`: when it last came, to the minute."""

    __tablename__ = "api_tokens"
    __table_args__ = (sa.UniqueConstraint("portal_id", "digest"),)

    id: Mapped[int] = mapped_column(sa.Integer, sa.Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary)
    may_write: Mapped[bool]
    made_by: Mapped[int] = mapped_column(sa.BigInteger)
    made_at: Mapped[datetime] = mapped_column(Timestamp, server_default=sa.func.now())
    used_at: Mapped[datetime | None] = mapped_column(Timestamp)
    revoked_by: Mapped[int | None] = mapped_column(sa.BigInteger)
    revoked_at: Mapped[datetime | None] = mapped_column(Timestamp)


class NoName(ValueError):
    """A token without a name says nobody which program it belongs to."""


class TooMany(ValueError):
    """The portal has as many tokens in force as it may have."""


@dataclass(frozen=True, slots=True)
class Told:
    """A token as it is shown: who made it, and revoked it, by name."""

    token: ApiToken
    made_by: str
    revoked_by: str


def make(session: Session, portal_id: int, name: str, user_id: int, *, may_write: bool) -> str:
    """A new token; nobody can read it again. Raises NoName, TooMany."""
    cleaned = " ".join(name.replace("\0", "").split())[:NAME_LENGTH]
    if not cleaned:
        raise NoName
    one_at_a_time(session, _LOCK, portal_id)
    in_force = sa.select(sa.func.count()).where(*_of(portal_id), ApiToken.revoked_at.is_(None))
    if (session.scalar(in_force) or 0) >= MOST:
        raise TooMany
    token = f"rubilnik_{portal_id}_{secrets.token_urlsafe(32)}"
    made = ApiToken(
        portal_id=portal_id,
        name=cleaned,
        digest=_digest(token),
        may_write=may_write,
        made_by=user_id,
    )
    session.add(made)
    session.flush()
    return token


def revoke(session: Session, portal_id: int, token_id: int, user_id: int) -> None:
    """It opens nothing from now on; one that is revoked, or not there, is left as it is."""
    query = sa.update(ApiToken).where(
        *_of(portal_id), ApiToken.id == token_id, ApiToken.revoked_at.is_(None)
    )
    session.execute(query.values(revoked_at=utcnow(), revoked_by=user_id))


def listed(session: Session, portal_id: int) -> tuple[list[Told], list[Told]]:
    """Those in force, the newest first; and the last ones that were revoked."""
    newest = ApiToken.id.desc()
    query = sa.select(ApiToken).where(*_of(portal_id))
    in_force = session.scalars(query.where(ApiToken.revoked_at.is_(None)).order_by(newest)).all()
    revoked = query.where(ApiToken.revoked_at.is_not(None)).order_by(ApiToken.revoked_at.desc())
    gone = session.scalars(revoked.limit(KEPT_REVOKED)).all()
    users = {number for each in (*in_force, *gone) for number in (each.made_by, each.revoked_by)}
    names: dict[int, str | None] = dict(
        session.execute(
            sa.select(PortalUser.bitrix_id, PortalUser.name).where(
                PortalUser.portal_id == portal_id, PortalUser.bitrix_id.in_(users - {None})
            )
        ).all()
    )

    def told(each: ApiToken) -> Told:
        made, revoked = (
            names.get(number) or f"#{number}" for number in (each.made_by, each.revoked_by or 0)
        )
        return Told(each, made, revoked)

    return [told(each) for each in in_force], [told(each) for each in gone]


def find(session: Session, token: str) -> ApiToken | None:
    """The token in force, of a portal the application is still on; that it came is noted."""
    shape = _SHAPE.fullmatch(token)
    if shape is None:
        return None
    query = (
        sa.select(ApiToken)
        .join(Portal, Portal.id == ApiToken.portal_id)
        .where(
            *_of(int(shape[1])),
            ApiToken.digest == _digest(token),
            ApiToken.revoked_at.is_(None),
            Portal.state != PortalState.UNINSTALLED,
        )
    )
    found = session.scalars(query).first()
    if found is not None and (found.used_at is None or utcnow() - found.used_at >= _USED_EVERY):
        found.used_at = utcnow()
    return found


def _of(portal_id: int) -> tuple[sa.ColumnElement[bool]]:
    return (ApiToken.portal_id == portal_id,)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
