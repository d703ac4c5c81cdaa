"""A portal with people to write to: rows of the mirror, a list of them, a mailing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from integration.mirror import Address, Company, Contact, Lead
from integration.models import Portal
from mailings.consent import ledger, settings
from mailings.consent.settings import Rules
from mailings.models import Delivery, Mailing
from mailings.planning import drafts
from segments.saved import How, Segment, SegmentStay, Why

TABLES = {"contact": Contact, "company": Company, "lead": Lead}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LETTER = {"subject": "Новинка", "how": "text", "source": "Здравствуйте!"}


class People:
    """One portal; cards are made as they are needed, and put into a list of all of them."""

    def __init__(self, session: Session, **portal: Any) -> None:
        own = uuid4().hex
        self.session = session
        self.portal = Portal(
            member_id=own, domain=f"{own}.example.com", client_id=f"local.{own}",
            client_secret_sealed="x", base_currency="RUB", **portal,
        )  # fmt: skip
        session.add(self.portal)
        session.flush()
        self.id = self.portal.id
        self.segment = Segment(portal_id=self.id, name="Все", how=How.STATIC)
        session.add(self.segment)
        session.flush()
        self.numbers = {"contact": 0, "company": 0, "lead": 0}

    def card(
        self, *emails: str | None, kind: str = "contact", consent: bool = True, phone: str | None = None, **values: Any
    ) -> int:  # fmt: skip
        """A card with these e-mails; None is one that is no address. They said yes, unless told otherwise."""
        self.numbers[kind] += 1
        number = values.pop("number", self.numbers[kind])
        self.session.add(TABLES[kind](portal_id=self.id, bitrix_id=number, **values))
        for place, email in enumerate(emails):
            self.address(kind, number, "email", place, email)
        if phone:
            self.address(kind, number, "phone", 0, phone)
        self.session.add(
            SegmentStay(
                portal_id=self.id, segment_id=self.segment.id, kind=kind, member_id=number,
                entered_at=LONG_AGO, entered_by=Why.HAND,
            )
        )  # fmt: skip
        self.session.flush()
        for email in emails if consent else ():
            if email is not None:
                self.says(email)
        return number

    def address(self, kind: str, number: int, by: str, place: int, value: str | None) -> None:
        """One more address of a card."""
        self.session.add(
            Address(
                portal_id=self.id, entity=kind, entity_id=number, kind=by, position=place,
                value=value or "??", normalised=value, problem=None if value else "not_an_email",
            )
        )  # fmt: skip
        self.session.flush()

    def says(self, address: str, given: bool = True, at: datetime = LONG_AGO, **how: Any) -> None:
        """A line of the ledger."""
        facts = {"channel": "email", "topic": "offers", "source": "a form", **how}
        ledger.record(self.session, self.id, address=address, given=given, happened_at=at, **facts)

    def mailing(self, **values: Any) -> Mailing:
        """A draft to all of them."""
        facts: dict[str, Any] = {"name": "Новинка", "segment_id": self.segment.id}
        if values.get("channel", "email") == "email":
            facts["content"] = LETTER
        return drafts.create(self.session, self.id, **{**facts, **values})

    def rules(self, **values: Any) -> None:
        """Rules of mailings, put into force by the administrator."""
        rules = Rules.read({**settings.rules_of(self.session, self.id).as_json(), **values})
        settings.change(
            self.session, self.id, rules, 1, confirmation="I answer for it: these are our clients"
        )

    def sent(
        self, number: int, ago: timedelta, *, kind: str = "contact", channel: str = "email"
    ) -> None:
        """Somebody got a message of another mailing some time ago."""
        mailing = self.mailing(name="Раньше", content={})
        mailing.state = "finished"
        self.session.add(
            Delivery(
                portal_id=self.id, mailing_id=mailing.id, channel=channel, kind=kind,
                client_id=number, state="sent", sent_at=utcnow() - ago,
            )
        )  # fmt: skip
        self.session.flush()

    def deliveries(self, mailing: Mailing) -> list[Delivery]:
        """What was written down."""
        query = sa.select(Delivery).where(
            Delivery.portal_id == self.id, Delivery.mailing_id == mailing.id
        )
        return list(
            self.session.scalars(
                query.order_by(Delivery.id), execution_options={"populate_existing": True}
            )
        )

    def fates(self, mailing: Mailing) -> dict[tuple[str, int], str]:
        """Of each client: the state, or why he was skipped."""
        return {
            (row.kind, row.client_id): row.reason if row.state == "skipped" else row.state
            for row in self.deliveries(mailing)
        }
