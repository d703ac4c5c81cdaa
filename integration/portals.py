"""Portals as we know them: registered, found, put into a state, and called."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.addresses import parse_target
from core.clock import utcnow
from core.config import Settings
from core.crypto import Vault
from core.database import SessionFactory, transaction
from core.errors import ForbiddenAddress
from integration.bitrix.errors import (
    AuthDead,
    BitrixError,
    NotInstalled,
    Overloaded,
    PaymentRequired,
    PlanWithoutRest,
    PortalFailure,
    PortalGone,
    UnexpectedAnswer,
    Unreachable,
)
from integration.models import Portal, PortalState

log = logging.getLogger(__name__)

NO_ANSWER = (Unreachable, UnexpectedAnswer, PortalFailure)


class UnknownPortal(LookupError):
    """No portal under that member_id, or it has not been installed yet."""


class NotAPortalAddress(ValueError):
    """What the admin typed is not the address of a portal."""


@dataclass(frozen=True, slots=True)
class Application:
    """The key pair of our local application on one portal; the domain it was registered for, if said."""

    client_id: str
    client_secret: str
    domain: str | None = None
    portal: Portal | None = None


def register(
    session: Session, vault: Vault, *, domain: str, client_id: str, client_secret: str
) -> Portal:
    """Remember the key pair an admin got from the portal; repeating it replaces the secret."""
    scheme, host = _address(domain)
    portal = session.scalar(sa.select(Portal).where(Portal.client_id == client_id))
    if portal is None:
        portal = Portal(domain=host, scheme=scheme, client_id=client_id)
        session.add(portal)
    elif portal.member_id is None:
        portal.domain, portal.scheme = host, scheme
    session.flush()
    portal.client_secret_sealed = vault.seal(portal.id, client_secret)
    return portal


def application(
    session: Session, vault: Vault, settings: Settings, client_id: str
) -> Application | None:
    """The key pair for a client_id: of a registered portal, or the one in the settings."""
    portal = session.scalar(sa.select(Portal).where(Portal.client_id == client_id))
    if portal is not None and portal.client_secret_sealed is not None:
        secret = vault.open(portal.id, portal.client_secret_sealed)
        return Application(client_id, secret, portal.domain, portal)
    if client_id and client_id == settings.b24_client_id:
        return Application(client_id, settings.b24_client_secret, None, portal)
    return None


def by_member(session: Session, member_id: str) -> Portal:
    """The portal with this member_id; raises UnknownPortal."""
    portal = session.scalar(sa.select(Portal).where(Portal.member_id == member_id))
    if portal is None:
        raise UnknownPortal(member_id)
    return portal


def find(session: Session, name: str) -> Portal:
    """A portal by member_id or domain, as people name it on the command line.

    A domain may be in two rows: a new registration beside the installed portal, or an address that
    one portal gave up and another took. The first means the installed one; the second raises.
    """
    query = sa.select(Portal).where(sa.or_(Portal.member_id == name, Portal.domain == name.lower()))
    found = session.scalars(query.order_by(Portal.id)).all()
    for candidates in (
        [portal for portal in found if portal.member_id == name],
        [portal for portal in found if portal.member_id is not None],
        found,
    ):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise UnknownPortal(f"{name} (several portals: name one by its member_id)")
    raise UnknownPortal(name)


def listed(session: Session) -> list[Portal]:
    """Every portal, oldest first."""
    return list(session.scalars(sa.select(Portal).order_by(Portal.id)))


def set_state(
    session: Session, portal_id: int, state: PortalState, reason: str | None = None
) -> None:
    """Move a portal to a state; an uninstalled one stays so until it is installed again."""
    same = sa.and_(Portal.state == state, Portal.state_reason.is_not_distinct_from(reason))
    values: dict[str, Any] = {
        "state": state,
        "state_reason": reason,
        "state_since": sa.case((same, Portal.state_since), else_=utcnow()),
    }
    if state is PortalState.UNINSTALLED:
        values["uninstalled_at"] = utcnow()
    session.execute(
        sa.update(Portal)
        .where(Portal.id == portal_id, Portal.state != PortalState.UNINSTALLED)
        .values(**values)
    )


def enter(portal: Portal, state: PortalState) -> None:
    """Put a portal at hand into a state that needs no reason; what was known against it is over."""
    if portal.state != state:
        portal.state, portal.state_since = state, utcnow()
    portal.state_reason = portal.silent_since = portal.removal_told_at = None


def state_after(error: BitrixError) -> PortalState | None:
    """The state an answer of the portal puts it into; None when the error says nothing of that."""
    match error:
        case AuthDead():
            return PortalState.REOPEN
        case NotInstalled():
            return PortalState.UNINSTALLED
        case PlanWithoutRest() | PaymentRequired() | Overloaded() | PortalGone():
            return PortalState.BLOCKED
        case _:
            return None


def note_answer(session: Session, portal_id: int) -> bool:
    """The portal answers our token: if access had ended, it has not any more; whether it had."""
    portal = session.get_one(Portal, portal_id, with_for_update={"key_share": True})
    back = portal.state in {PortalState.BLOCKED, PortalState.REOPEN}
    if back:
        enter(portal, PortalState.ACTIVE if portal.installed_at else PortalState.INSTALLING)
    portal.silent_since = None
    return back


def note(sessions: SessionFactory, portal_id: int, error: Exception) -> bool:
    """Put the portal into the state an error of its servers tells of; False when it tells of none."""
    state = state_after(error) if isinstance(error, BitrixError) else None
    if state is None:
        if isinstance(error, NO_ANSWER):
            note_silence(sessions, portal_id)
        return False
    with transaction(sessions) as session:
        set_state(session, portal_id, state, type(error).__name__)
    log.warning(
        "portal refused the application",
        extra={"portal": portal_id, "state": state, "reason": type(error).__name__},
    )
    return True


def note_silence(sessions: SessionFactory, portal_id: int) -> None:
    """Nothing sensible came; `integration.probes` asks the portal itself if that goes on."""
    silent = sa.update(Portal).where(Portal.id == portal_id, Portal.silent_since.is_(None))
    with transaction(sessions) as session:
        session.execute(silent.values(silent_since=utcnow()))


def _address(typed: str) -> tuple[str, str]:
    """Scheme and host[:port] of what an admin typed: a domain or a whole address."""
    trimmed = typed.strip().lower().rstrip("/")
    url = trimmed if "://" in trimmed else f"https://{trimmed}"
    try:
        target = parse_target(url)
    except ForbiddenAddress as error:
        raise NotAPortalAddress(
            f"{typed!r} is not a portal's address, e.g. company.bitrix24.ru"
        ) from error
    default = {"https": 443, "http": 80}[target.scheme]
    host = target.host if target.port == default else f"{target.host}:{target.port}"
    return target.scheme, host
