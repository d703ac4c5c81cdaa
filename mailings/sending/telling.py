"""The author of a mailing is told once, in the portal, that it has ended.

https://apidocs.bitrix24.com/api-reference/chats/notifications/im-notify-system-add.html
"""

from __future__ import annotations

import logging

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.errors import ServiceError
from core.runtime import Runtime
from core.web import words
from core.web.words import gettext as _
from integration import portals
from integration.bitrix.budgets import Priority
from integration.connect import connect
from integration.models import Portal, PortalState
from mailings.models import Delivery, Mailing
from mailings.rules.states import ATTEMPTED, DeliveryState, MailingState

log = logging.getLogger(__name__)


def untold(session: Session, portal_id: int | None = None) -> list[tuple[int, int]]:
    """Mailings that ended within a day and whose author has not been told; of portals that can be asked."""
    query = (
        sa.select(Mailing.portal_id, Mailing.id)
        .join(Portal, Portal.id == Mailing.portal_id)
        .where(
            Mailing.state == MailingState.FINISHED.value,
            Mailing.told_at.is_(None),
            Mailing.author_id.is_not(None),
            Mailing.finished_at > sa.func.now() - sa.text("interval '1 day'"),
            Portal.state == PortalState.ACTIVE.value,
        )
    )
    if portal_id is not None:
        query = query.where(Mailing.portal_id == portal_id)
    return [(row[0], row[1]) for row in session.execute(query.order_by(Mailing.id))]


def tell(runtime: Runtime, portal_id: int, mailing_id: int) -> bool:
    """Say it. Marked before it is said: a notice that is lost does less harm than one that comes every minute."""
    with transaction(runtime.sessions) as session:
        mailing = session.get(Mailing, (portal_id, mailing_id), with_for_update=True)
        if mailing is None or mailing.told_at is not None or mailing.author_id is None:
            return False
        mailing.told_at = utcnow()
        portal = session.get_one(Portal, portal_id)
        sent, attempted = _numbers(session, mailing)
    with words.speaking(portal.language):
        message = _(
            "The mailing “%(name)s” is finished: %(sent)s sent of %(attempted)s.",
            name=mailing.name, sent=sent, attempted=attempted,
        )  # fmt: skip
    notice = {
        "USER_ID": mailing.author_id,
        "MESSAGE": message,
        "TAG": f"RUBILNIK|MAILING|{mailing_id}",
    }
    try:
        client = connect(runtime, portal, priority=Priority.PROMPT)
        client.call("im.notify.system.add", notice)
    except ServiceError as error:
        portals.note(runtime.sessions, portal_id, error)
        log.warning("author not told", extra={"reason": type(error).__name__})
        return False
    return True


def _numbers(session: Session, mailing: Mailing) -> tuple[int, int]:
    query = sa.select(
        sa.func.count().filter(Delivery.state == DeliveryState.SENT.value),
        sa.func.count().filter(Delivery.state.in_([state.value for state in ATTEMPTED])),
    ).where(Delivery.portal_id == mailing.portal_id, Delivery.mailing_id == mailing.id)
    sent, attempted = session.execute(query).one()
    return sent, attempted
