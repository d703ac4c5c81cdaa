"""Problems that need a person, told to the administrator who installed the application: each once.

A problem that goes away and is back within the hour is the same one. Telling may be refused, as the
right `im` is not required: then it is tried again in an hour, and the health page says so.
https://apidocs.bitrix24.com/api-reference/chats/notifications/im-notify-system-add.html
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.errors import ServiceError
from core.runtime import Runtime
from core.web import words
from integration import health, health_words, portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.connect import connect
from integration.models import Portal, PortalState, Trouble
from integration.rules.health import Code, Problem, Severity

log = logging.getLogger(__name__)

SAME_WITHIN = timedelta(hours=1)
TRY_EVERY = timedelta(hours=1)


def watch(runtime: Runtime, portal_id: int) -> int:
    """Look at the portal, remember what is new and what has gone, tell what is new; the number told."""
    with transaction(runtime.sessions) as session:
        portal = session.get_one(Portal, portal_id)
    found = {
        problem.code.value: problem
        for problem in health.problems(runtime, portal)
        if problem.severity is Severity.NEEDS_YOU
    }
    now = utcnow()
    with transaction(runtime.sessions) as session:
        remember(session, portal_id, list(found), now)
        codes = untold(session, portal_id, now)
    if not codes or portal.state != PortalState.ACTIVE or portal.installer_id is None:
        return 0
    client = connect(runtime, portal, priority=Priority.PROMPT)
    told = 0
    for code in codes:
        done = _tell(runtime, client, portal, found[code])
        told += done
        with transaction(runtime.sessions) as session:
            row = session.get_one(Trouble, (portal_id, code))
            row.tried_at = now
            row.told_at = now if done else None
        if not done:
            break
    return told


def remember(session: Session, portal_id: int, codes: Sequence[str], now: datetime) -> None:
    """Bring the portal's troubles up to the codes there are now."""
    query = sa.select(Trouble).where(Trouble.portal_id == portal_id)
    known = {trouble.code: trouble for trouble in session.scalars(query)}
    for code in codes:
        trouble = known.get(code)
        if trouble is None:
            session.add(Trouble(portal_id=portal_id, code=code, since=now))
        elif trouble.gone_at is not None:
            if now - trouble.gone_at > SAME_WITHIN:
                trouble.since, trouble.told_at, trouble.tried_at = now, None, None
            trouble.gone_at = None
    for code, trouble in known.items():
        if code not in codes and trouble.gone_at is None:
            trouble.gone_at = now
    session.flush()


def untold(session: Session, portal_id: int, now: datetime) -> list[str]:
    """Codes that are to be told now."""
    query = sa.select(Trouble.code).where(
        Trouble.portal_id == portal_id,
        Trouble.gone_at.is_(None),
        Trouble.told_at.is_(None),
        sa.or_(Trouble.tried_at.is_(None), Trouble.tried_at < now - TRY_EVERY),
    )
    return list(session.scalars(query.order_by(Trouble.since, Trouble.code)))


def cannot_be_told(session: Session, portal_id: int) -> bool:
    """Whether the portal refused a notice of a problem that is still there."""
    query = sa.select(Trouble.code).where(
        Trouble.portal_id == portal_id,
        Trouble.gone_at.is_(None),
        Trouble.told_at.is_(None),
        Trouble.tried_at.is_not(None),
    )
    return session.scalar(query.limit(1)) is not None


def since(session: Session, portal_id: int, code: Code) -> datetime | None:
    """Since when the portal has this trouble; None when it has it not."""
    trouble = session.get(Trouble, (portal_id, code.value))
    return trouble.since if trouble is not None and trouble.gone_at is None else None


def watched(session: Session) -> list[int]:
    """Portals whose health somebody cares for."""
    cared_for = {PortalState.REOPEN, PortalState.BLOCKED}
    living = [state for state in PortalState if state.callable or state in cared_for]
    return list(session.scalars(sa.select(Portal.id).where(Portal.state.in_(living))))


def _tell(runtime: Runtime, client: Client, portal: Portal, problem: Problem) -> bool:
    with words.speaking(portal.language):
        message = health_words.notice(problem)
    notice = {
        "USER_ID": portal.installer_id,
        "MESSAGE": message,
        "TAG": f"RUBILNIK|{problem.code.value}",
    }
    try:
        client.call("im.notify.system.add", notice)
    except ServiceError as error:
        portals.note(runtime.sessions, portal.id, error)
        reason = type(error).__name__
        log.warning("administrator not told", extra={"portal": portal.id, "reason": reason})
        return False
    return True
