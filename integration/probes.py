"""Asks portals that let us in no more whether they do again: one question now and then, nothing else.

Background work leaves such a portal alone, so this is the only thing it hears of us. A token that died
for good is not tried again: there only an administrator who opens the application helps. The same
question tells whether a portal that has given no sensible answer for long is gone, and whether the
application was really removed when an event says so.

https://apidocs.bitrix24.com/api-reference/common/system/app-info.html
"""

from __future__ import annotations

import logging
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.errors import ServiceError
from core.runtime import Runtime
from integration import installs, portals
from integration.bitrix.budgets import Priority
from integration.bitrix.errors import (
    AuthDead,
    BitrixError,
    NotInstalled,
    Unreachable,
    UserBarred,
    UserDismissed,
    WrongClient,
)
from integration.connect import connect
from integration.models import Portal, PortalState
from integration.sync import checks, runs

log = logging.getLogger(__name__)

SILENT_FOR = timedelta(minutes=30)
SOON = timedelta(minutes=10)
HOURLY = timedelta(hours=1)
AT_ONCE = timedelta(minutes=1)
PREPARE_EVERY = timedelta(minutes=30)

_PERSONAL = (UserDismissed, UserBarred)  # said of the employee, not of the application
_GOES_BY_ITSELF = tuple(kind.__name__ for kind in (*_PERSONAL, WrongClient))
_SILENCES = tuple(kind.__name__ for kind in portals.NO_ANSWER)


def due(session: Session) -> list[int]:
    """Portals to be asked now."""
    looked = sa.func.greatest(Portal.state_since, Portal.probed_at)
    every = sa.case((Portal.state_reason.in_(_SILENCES), SOON), else_=HOURLY)
    shut = sa.or_(
        Portal.state == PortalState.BLOCKED,
        sa.and_(Portal.state == PortalState.REOPEN, Portal.state_reason.in_(_GOES_BY_ITSELF)),
    )
    now = utcnow()
    rests = Portal.probed_at < now - AT_ONCE
    silent = (Portal.state == PortalState.ACTIVE) & (Portal.silent_since < now - SILENT_FOR)
    askable = Portal.state.in_([*_living(), PortalState.REOPEN])
    told = Portal.removal_told_at.is_not(None) & askable
    query = sa.select(Portal.id).where(
        sa.or_(
            sa.and_(shut, sa.or_(looked.is_(None), looked < now - every)),
            sa.and_(sa.or_(silent, told), sa.or_(Portal.probed_at.is_(None), rests)),
        )
    )
    return list(session.scalars(query.order_by(Portal.id)))


def unprepared(session: Session) -> list[int]:
    """Portals whose installing stopped at a step that may well succeed now."""
    waits = sa.or_(Portal.probed_at.is_(None), Portal.probed_at < utcnow() - PREPARE_EVERY)
    stuck = Portal.state_since < utcnow() - PREPARE_EVERY
    query = sa.select(Portal.id).where(Portal.state == PortalState.INSTALLING, stuck, waits)
    found = list(session.scalars(query.order_by(Portal.id)))
    if found:
        _looked_at(session, found)
    return found


def probe(runtime: Runtime, portal_id: int) -> bool:
    """Ask the portal once; whether access that had ended is there again."""
    with transaction(runtime.sessions) as session:
        portal = session.get_one(Portal, portal_id)
        told = portal.removal_told_at is not None
        _looked_at(session, [portal_id])
    try:
        connect(runtime, portal, priority=Priority.PROMPT).call("app.info")
    except ServiceError as error:
        _refused(runtime, portal, error, told)
        return False
    with transaction(runtime.sessions) as session:
        back = portals.note_answer(session, portal_id)
        session.get_one(Portal, portal_id).removal_told_at = None
    if told:
        log.warning("removal was told, yet the application answers", extra={"portal": portal_id})
    return back


def resume(session: Session, portal_id: int) -> int:
    """Have read what was missed while access had ended: changes by a run, the rest by a check; the run."""
    if session.get_one(Portal, portal_id).last_sync_at is not None:
        checks.request(session, portal_id)
    return runs.start(session, portal_id, full=False).id


def _refused(runtime: Runtime, portal: Portal, error: ServiceError, told: bool) -> None:
    """Who was told of a removal and finds no access believes it; who finds nobody there waits."""
    if told and isinstance(error, AuthDead | NotInstalled) and not isinstance(error, _PERSONAL):
        with transaction(runtime.sessions) as session:
            installs.uninstall(session, session.get_one(Portal, portal.id))
        log.info("application removed", extra={"portal": portal.id})
        return
    known = isinstance(error, BitrixError) and portals.note(runtime.sessions, portal.id, error)
    gone = not isinstance(error, BitrixError) or isinstance(error, portals.NO_ANSWER)
    if known or not gone or portal.state not in _living() or not _long_silent(portal):
        return
    reason = type(error).__name__ if isinstance(error, portals.NO_ANSWER) else Unreachable.__name__
    with transaction(runtime.sessions) as session:
        portals.set_state(session, portal.id, PortalState.BLOCKED, reason)
    log.warning("portal does not answer", extra={"portal": portal.id, "reason": reason})


def _long_silent(portal: Portal) -> bool:
    return portal.silent_since is not None and portal.silent_since < utcnow() - SILENT_FOR


def _living() -> list[PortalState]:
    return [state for state in PortalState if state.callable]


def _looked_at(session: Session, portal_ids: list[int]) -> None:
    looked = sa.update(Portal).where(Portal.id.in_(portal_ids))
    session.execute(looked.values(probed_at=utcnow()))
