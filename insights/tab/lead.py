"""What the tab shows of a lead by itself: its stage, how long it has been there, whether it wants to talk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from insights.subject import LeadCard
from insights.tab import received
from insights.tab.received import Interest
from integration.mirror import Lead, Status
from integration.models import Portal

INTEREST_LASTS = timedelta(days=30)
_STAGES = "STATUS"


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """A lead as the mirror has it. `interest`: its latest answer to a mailing, if that is not long ago."""

    subject: LeadCard
    lead: Lead
    stage: str | None
    interest: Interest | None
    today: date

    @property
    def name(self) -> str:
        """How people call it."""
        person = " ".join(filter(None, (self.lead.name, self.lead.last_name)))
        return person or self.lead.title or f"#{self.subject.id}"

    @property
    def days(self) -> int | None:
        """Whole days since it came; of one that is over, since it was closed."""
        over = self.lead.stage_semantic in {"S", "F"}
        since: datetime | None = (self.lead.closed_at if over else None) or self.lead.created_at
        return None if since is None else max(0, (self.today - since.date()).days)


def read(session: Session, portal_id: int, subject: LeadCard) -> LeadFacts | None:
    """The lead; None while it has not been read from the portal, or is gone from it."""
    lead = session.get(Lead, (portal_id, subject.id))
    if lead is None or lead.deleted_at is not None:
        return None
    portal, now = session.get_one(Portal, portal_id), utcnow()
    stage = sa.select(Status.name).where(
        Status.portal_id == portal_id,
        Status.dictionary == _STAGES,
        Status.status_id == lead.stage_id,
    )
    return LeadFacts(
        subject=subject,
        lead=lead,
        stage=session.scalar(stage.limit(1)),
        interest=received.interest(session, portal_id, subject, now - INTEREST_LASTS),
        today=(now + timedelta(minutes=portal.utc_offset_minutes)).date(),
    )
