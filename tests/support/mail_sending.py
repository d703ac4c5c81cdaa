"""A portal with a mail server and mailings that have been planned: rows straight in the tables, ready to be sent."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from integration.models import Portal, PortalState
from mailings.channels.groups import group_sql
from mailings.consent import settings as rules
from mailings.consent.settings import Rules
from mailings.models import Delivery, Mailing, MailServer, Pace
from mailings.sending import running
from mailings.sending.seats import FORGOTTEN_AFTER

LETTER = {
    "subject": "Новинка",
    "preheader": "",
    "html": "<html><body><p>Здравствуйте!</p></body></html>",
    "text": "Здравствуйте!",
    "links": [],
}


class Outbox:
    """One portal; everybody in it may be written to unless a test says otherwise."""

    def __init__(self, session: Session, port: int = 25, **server: Any) -> None:
        own = uuid4().hex
        self.session = session
        self.portal = Portal(
            member_id=own, domain=f"{own}.example.com", client_id=f"local.{own}", state=PortalState.ACTIVE,
            client_secret_sealed="x", base_currency="RUB",
        )  # fmt: skip
        session.add(self.portal)
        session.flush()
        self.id = self.portal.id
        everybody = Rules.read(
            {**rules.rules_of(session, self.id).as_json(), "basis": "existing_clients"}
        )
        rules.change(
            session, self.id, everybody, 1, confirmation="I answer for it: these are our clients"
        )
        facts = {"security": "none", "connections": 2, **server}
        self.server = MailServer(
            portal_id=self.id, name="sink", host="127.0.0.1", port=port, from_email="sales@example.com",
            from_name="Ромашка", bounce_domain="bounce.example.com", **facts,
        )  # fmt: skip
        session.add(self.server)
        session.flush()
        self.numbers = 0

    def mailing(self, number: int = 0, *, domain: str = "example.org", plan: dict[str, Any] | None = None, **values: Any) -> Mailing:  # fmt: skip
        """A running mailing to so many invented people."""
        mailing = Mailing(
            portal_id=self.id, name="Новинка", channel="email", plan=plan or {},
            **{"state": "running", "planned_at": utcnow(), "compiled": LETTER, **values},
        )  # fmt: skip
        self.session.add(mailing)
        self.session.flush()
        if number:
            self.add(mailing, number, domain)
        return mailing

    def add(self, mailing: Mailing, number: int, domain: str = "example.org") -> None:
        """More recipients."""
        first, self.numbers = self.numbers + 1, self.numbers + number
        series = sa.func.generate_series(first, self.numbers).table_valued("n").render_derived()
        address = sa.literal("client") + sa.cast(series.c.n, sa.Text) + f"@{domain}"
        rows = sa.select(
            *(sa.literal(self.id), sa.literal(mailing.id, sa.BigInteger), sa.literal("email"), sa.literal("contact")),
            *(series.c.n, address, group_sql(address), sa.literal("pending"), sa.func.now()),
        )  # fmt: skip
        columns = "portal_id mailing_id channel kind client_id address group_key state next_try_at"
        self.session.execute(sa.insert(Delivery).from_select(columns.split(), rows))

    def running(self, mailing: Mailing) -> running.Running:
        """As its sender sees it."""
        return running.load(self.session, [(self.id, mailing.id)])[0]

    def rows(self, mailing: Mailing) -> list[Delivery]:
        """Its deliveries as they are now."""
        return deliveries(self.session, mailing)

    def states(self, mailing: Mailing) -> dict[str, int]:
        """How many stand where."""
        return states(self.session, mailing)


def deliveries(session: Session, mailing: Mailing) -> list[Delivery]:
    query = sa.select(Delivery).where(
        Delivery.portal_id == mailing.portal_id, Delivery.mailing_id == mailing.id
    )
    return list(
        session.scalars(query.order_by(Delivery.id), execution_options={"populate_existing": True})
    )


def states(session: Session, mailing: Mailing) -> dict[str, int]:
    return dict(Counter(row.state for row in deliveries(session, mailing)))


def leases_end(session: Session) -> None:
    """The time a dead process's leases last goes by."""
    session.execute(
        sa.update(Delivery)
        .where(Delivery.lease_until.is_not(None))
        .values(lease_until=sa.func.now() - sa.text("interval '1 second'"))
    )
    session.execute(
        sa.update(Pace)
        .where(Pace.key.startswith("seats:"))
        .values(counted_at=sa.func.now() - FORGOTTEN_AFTER)
    )


def due_now(session: Session) -> None:
    """The waits of deferred deliveries go by."""
    session.execute(
        sa.update(Delivery)
        .where(Delivery.next_try_at > sa.func.now())
        .values(next_try_at=sa.func.now())
    )
