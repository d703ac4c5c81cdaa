"""What goes wrong with a mail server as a whole: rests, slowdowns, and pauses that need a person."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Mailing, MailServer
from mailings.rules.replies import (
    BLAME_WINDOW,
    FAILURES_IN_A_ROW,
    Record,
    too_much_blame,
)
from mailings.sending.finishing import pause, pause_one
from mailings.sending.outcomes import clean
from mailings.sending.reasons import Pause

FIRST_REST = timedelta(seconds=10)
_REST_GROWTH = 3


def failed(session: Session, portal_id: int, server_id: int, text: str) -> bool:
    """The server did not talk to us; True when that was once too often, and its mailings are paused.

    Connections that fail together while it rests are one failure.
    """
    rest = FIRST_REST.total_seconds() * sa.func.power(_REST_GROWTH, MailServer.failures)
    counted = (
        sa.update(MailServer)
        .where(
            *_is(portal_id, server_id),
            sa.or_(MailServer.rest_until.is_(None), MailServer.rest_until <= sa.func.now()),
        )
        .values(
            failures=MailServer.failures + 1,
            rest_until=sa.func.now() + sa.func.least(rest, 600) * sa.text("interval '1 second'"),
            problem=clean(text),
        )
        .returning(MailServer.failures)
        .execution_options(synchronize_session=False)
    )
    failures = session.scalar(counted)
    if failures is None or failures < FAILURES_IN_A_ROW:
        return False
    pause(session, _sends_by(session, portal_id, server_id), Pause.SERVER)
    return True


def answered(session: Session, portal_id: int, server_id: int) -> None:
    """The server works: the row of failures is broken."""
    session.execute(
        sa.update(MailServer)
        .where(*_is(portal_id, server_id), MailServer.failures > 0)
        .values(failures=0, rest_until=None, problem=None)
        .execution_options(synchronize_session=False)
    )


def distrusted(session: Session, portal_id: int, mailing_id: int, record: Record) -> None:
    """Too many servers refuse what we send for our own sake: a person has to put the record right."""
    pause_one(session, portal_id, mailing_id, Pause.DISTRUST, record.value)


def broken_letter(session: Session, portal_id: int, mailing_id: int) -> None:
    """The letter can't be put together for anybody."""
    pause_one(session, portal_id, mailing_id, Pause.LETTER)


class Blame:
    """The last answers about one mailing: whether too many of them blame the sender."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=BLAME_WINDOW)

    def add(self, ours: bool) -> bool:
        """Count one answer; whether it is too much now, after which counting begins anew."""
        self._recent.append(ours)
        if not (ours and too_much_blame(list(self._recent))):
            return False
        self._recent.clear()
        return True


def _is(portal_id: int, server_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return MailServer.portal_id == portal_id, MailServer.id == server_id


def _sends_by(session: Session, portal_id: int, server_id: int) -> sa.ColumnElement[bool]:
    """Mailings of this server; those without one of their own send by the first."""
    first = session.scalar(
        sa.select(MailServer.id)
        .where(MailServer.portal_id == portal_id, MailServer.archived_at.is_(None))
        .order_by(MailServer.from_settings, MailServer.id)
        .limit(1)
    )
    its_own = Mailing.server_id == server_id
    return sa.and_(
        Mailing.portal_id == portal_id,
        Mailing.channel == "email",
        sa.or_(its_own, Mailing.server_id.is_(None)) if first == server_id else its_own,
    )
