"""One click on a result: a draft of the next letter to those who did not open, or clicked and asked for nothing.

Who they are at this moment is kept as a list of its own, so that nobody is added behind the author's back.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.models import Mailing
from mailings.planning import drafts
from mailings.results import recipients
from mailings.results.recipients import Did
from mailings.results.report import Figures
from segments.conditions.catalog import scope_of
from segments.members import lists, membership, saving
from segments.rules.tree import Kind
from segments.saved import How, Why

AT_ONCE = 10_000


class FollowUp(StrEnum):
    """To whom."""

    NOT_OPENED = "not_opened"
    CLICKED_ONLY = "clicked_only"


class Nobody(Exception):
    """There is nobody to follow up."""


_WHO = {FollowUp.NOT_OPENED: Did.NOT_OPENED, FollowUp.CLICKED_ONLY: Did.CLICKED_ONLY}


def number(session: Session, mailing: Mailing, figures: Figures, whom: FollowUp) -> int:
    """How many there are; `figures` are the mailing's."""
    if whom is FollowUp.NOT_OPENED:
        return figures.not_opened
    return recipients.number(session, mailing, recipients.Wanted(state="sent", did=_WHO[whom]))


def make(
    session: Session, mailing: Mailing, whom: FollowUp, *, name: str, user_id: int, key: str
) -> Mailing:
    """A draft to them, like this mailing; the one there is when this `key` has made one. Raises Nobody."""
    made = drafts.create(
        *(session, mailing.portal_id),
        name=name,
        channel=mailing.channel,
        author_id=user_id,
        key=f"follow:{mailing.id}:{whom}:{key}",
        parent_id=mailing.id,
        topic=mailing.topic,
        offer_id=mailing.offer_id,
        server_id=mailing.server_id,
        content=mailing.content,
        plan={name: value for name, value in mailing.plan.items() if name in _KEPT},
    )
    if made.segment_id is None:
        made.segment_id = _list(session, mailing, whom, name, user_id)
        session.flush()
    return made


_KEPT = {
    *("rate_per_minute", "hours_from", "hours_to", "working_days", "zone", "priority"),
    *("cost_per_message", "per_manager_a_day", "mark_recipients"),
}
"""What of a plan is as good for the next letter; its dates and control group are not."""


def _list(session: Session, mailing: Mailing, whom: FollowUp, name: str, user_id: int) -> int:
    """A segment made by hand of those who did so."""
    portal_id = mailing.portal_id
    found = session.execute(recipients.chosen(mailing, _WHO[whom])).all()
    cards = [(Kind(kind), client_id) for kind, client_id in found]
    if not cards:
        raise Nobody
    segment = saving.create(session, portal_id, name, None, how=How.STATIC, user_id=user_id)
    for start in range(0, len(cards), AT_ONCE):
        portion = cards[start : start + AT_ONCE]
        lists.enter(session, portal_id, segment.id, portion, Why.HAND, utcnow())
    membership.recount(session, scope_of(session, portal_id), segment)
    return segment.id
