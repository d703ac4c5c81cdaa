"""Whether a mailing has moved since somebody looked: some lookups by key, however large it is.

For pages that are told when to renew themselves. Nothing is counted, and the sender writes nothing for it: letters are
taken in the order of the index of what is due, so its first entry goes on while they leave. Renewing a page counts every
message, so a large mailing has moved only when a noticeable share of it has.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.models import Delivery, DeliveryEvent, Mailing
from mailings.rules.states import MailingState
from mailings.sending.running import DUE

_STEPS = 200
"""So many times at most a mailing is told of while its letters leave."""
_MINUTE = timedelta(minutes=1)
_GOING = (MailingState.PLANNING.value, MailingState.RUNNING.value)


def stand(session: Session, portal_id: int, mailing_id: int) -> object:
    """Another answer when its page has something new to show; None where there is no such mailing."""
    row = Mailing
    what = (row.state, row.state_reason, row.state_at, row.size, row.planned_at)
    of_mailing = (row.portal_id == portal_id, row.id == mailing_id)
    found = session.execute(sa.select(*what).where(*of_mailing)).first()
    if found is None:
        return None
    due = _next_due(session, portal_id, mailing_id, found.size)
    return tuple(found), due, _came_back(session, portal_id)


def going(session: Session, portal_id: int, most: int) -> object:
    """The same of the newest mailings that go out now."""
    under_way = (Mailing.portal_id == portal_id, Mailing.state.in_(_GOING))
    newest = sa.select(Mailing.id, Mailing.size).where(*under_way).order_by(Mailing.id.desc())
    found = session.execute(newest.limit(most)).all()
    return [(each.id, _next_due(session, portal_id, each.id, each.size)) for each in found]


def _next_due(session: Session, portal_id: int, mailing_id: int, size: int | None) -> object:
    """With the states written out: a plan that is kept for any states can't use the index of these."""
    row = Delivery
    due = row.state.in_(sa.bindparam("due", DUE, expanding=True, literal_execute=True))
    of_mailing = (row.portal_id == portal_id, row.mailing_id == mailing_id, due)
    first = sa.select(row.id).where(*of_mailing).order_by(row.next_try_at, row.id).limit(1)
    found = session.scalar(first)
    return found and found // max(1, (size or 0) // _STEPS)


def _came_back(session: Session, portal_id: int) -> object:
    """The newest reaction to any mailing: as the minute it falls into at first, and for itself once that is over.

    So a crowd of openings renews a page every minute only, and the last of them is not missed.
    """
    event = DeliveryEvent
    query = sa.select(event.id, event.at).where(event.portal_id == portal_id)
    found = session.execute(query.order_by(event.id.desc()).limit(1)).first()
    return found and _by_minutes(found.id, found.at)


def _by_minutes(number: int, at: datetime) -> object:
    return number if utcnow() - at > _MINUTE else at.replace(second=0, microsecond=0)
