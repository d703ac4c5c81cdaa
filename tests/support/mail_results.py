"""A portal in the database with mailings and what came of them, and a web client at its pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import log, runtime
from core.clock import utcnow
from core.config import Settings
from core.database import SessionFactory
from core.runtime import Runtime
from core.web import session as web_session
from core.web import shell
from core.web.session import Viewer
from integration.mirror import Contact
from integration.models import Portal, PortalState
from mailings.models import Delivery, DeliveryEvent, Mailing, MailingLink
from mailings.rules import tokens
from mailings.rules.events import EventKind
from mailings.rules.tokens import Purpose

LINKS = ("https://shop.example.com/sale?utm_source=mail", "https://shop.example.com/catalogue")


class MailPortal:
    """Adds rows of one portal."""

    def __init__(self, session: Session, **facts: Any) -> None:
        self.session = session
        own = uuid4().hex
        portal = Portal(
            **{
                "member_id": own, "domain": f"{own}.example.com", "client_id": f"local.{own}",
                "state": PortalState.ACTIVE, "base_currency": "RUB", "installed_at": utcnow(), **facts,
            }
        )  # fmt: skip
        session.add(portal)
        session.flush()
        self.id = portal.id

    def mailing(self, links: tuple[str, ...] = LINKS, **facts: Any) -> Mailing:
        """A mailing that has gone out, with its links."""
        made = Mailing(
            portal_id=self.id,
            **{"name": "Осенняя скидка", "channel": "email", "state": "finished", "author_id": 1,
               "started_at": utcnow() - timedelta(hours=2), **facts},
        )  # fmt: skip
        self.session.add(made)
        self.session.flush()
        for number, url in enumerate(links, 1):
            self.session.add(
                MailingLink(
                    portal_id=self.id,
                    mailing_id=made.id,
                    number=number,
                    url=url,
                    text=f"Ссылка {number}",
                )
            )
        self.session.flush()
        return made

    def delivery(self, mailing: Mailing, client_id: int = 1, **facts: Any) -> Delivery:
        """One delivery, sent an hour ago if nothing else is said."""
        made = Delivery(
            portal_id=self.id,
            mailing_id=mailing.id,
            **{"channel": mailing.channel, "kind": "contact", "client_id": client_id,
               "address": f"client{client_id}@example.com", "state": "sent",
               "sent_at": utcnow() - timedelta(hours=1), **facts},
        )  # fmt: skip
        self.session.add(made)
        self.session.flush()
        return made

    def crowd(self, mailing: Mailing, number: int, first: int = 1, **facts: Any) -> int:
        """Many deliveries alike in one statement; the number of the next client."""
        numbers = sa.func.generate_series(first, first + number - 1).column_valued("n")
        values = {"state": "sent", **facts}
        columns = {
            "portal_id": sa.literal(self.id), "mailing_id": sa.literal(mailing.id),
            "channel": sa.literal(mailing.channel), "kind": sa.literal("contact"), "client_id": numbers,
            "address": sa.func.concat("client", numbers, "@example.com"),
            **{name: sa.literal(value) for name, value in values.items()},
        }  # fmt: skip
        self.session.execute(
            sa.insert(Delivery).from_select(list(columns), sa.select(*columns.values()))
        )
        return first + number

    def event(self, delivery: Delivery, kind: EventKind, at: datetime, **facts: Any) -> None:
        """Something a person did, unless `human` is False."""
        self.session.add(
            DeliveryEvent(
                portal_id=self.id, delivery_id=delivery.id, mailing_id=delivery.mailing_id,
                kind=kind.value, at=at, **facts,
            )
        )  # fmt: skip
        self.session.flush()

    def contact(self, contact_id: int, name: str, last_name: str = "", **facts: Any) -> None:
        """A contact of the mirror."""
        self.session.add(
            Contact(
                portal_id=self.id, bitrix_id=contact_id, name=name, last_name=last_name, **facts
            )
        )
        self.session.flush()

    def events(self, delivery: Delivery) -> list[DeliveryEvent]:
        """What is stored of a delivery, the oldest first."""
        query = sa.select(DeliveryEvent).where(
            DeliveryEvent.portal_id == self.id, DeliveryEvent.delivery_id == delivery.id
        )
        return list(self.session.scalars(query.order_by(DeliveryEvent.id)))

    def fresh(self, delivery: Delivery) -> Delivery:
        """The delivery as it is stored now."""
        self.session.expire_all()
        return self.session.get_one(Delivery, (self.id, delivery.id), populate_existing=True)


def mailed(session: Session, portal_id: int) -> None:
    """A mailing that has gone out to every contact of a portal, with one reply to it."""
    mailing = Mailing(
        portal_id=portal_id, name="Рассылка", channel="email", state="finished", started_at=utcnow()
    )
    session.add(mailing)
    session.flush()
    session.add(
        MailingLink(
            portal_id=portal_id, mailing_id=mailing.id, number=1, url=LINKS[0], text="Скидка"
        )
    )
    columns = {
        "portal_id": sa.literal(portal_id), "mailing_id": sa.literal(mailing.id), "channel": sa.literal("email"),
        "kind": sa.literal("contact"), "client_id": Contact.bitrix_id, "state": sa.literal("sent"),
        "address": sa.func.concat("client", Contact.bitrix_id, "@example.com"),
        "sent_at": sa.func.now() - timedelta(hours=1), "human_clicked_at": sa.func.now(),
    }  # fmt: skip
    contacts = sa.select(*columns.values()).where(Contact.portal_id == portal_id)
    session.execute(sa.insert(Delivery).from_select(list(columns), contacts))


def click_of(settings: Settings, delivery: Delivery, link: int = 1) -> str:
    """The path of a delivery's link."""
    token = tokens.make(settings.secret_key, Purpose.CLICK, delivery.portal_id, delivery.id, link)
    return f"/c/{token}"


def pixel_of(settings: Settings, delivery: Delivery) -> str:
    """The path of a delivery's picture."""
    token = tokens.make(settings.secret_key, Purpose.OPEN, delivery.portal_id, delivery.id)
    return f"/o/{token}"


@contextmanager
def web(settings: Settings, sessions: SessionFactory, *blueprints: Any) -> Iterator[FlaskClient]:
    """These pages on the database of one test."""
    made = replace(Runtime.build(settings), sessions=sessions)
    runtime.install(made)
    app = Flask("mail", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    shell.register(app, settings)
    yield app.test_client(use_cookies=False)
    made.engine.dispose()
    made.redis.close()
    log.configure("WARNING")


def signed_in(settings: Settings, portal_id: int, **facts: Any) -> dict[str, str]:
    """The headers of a page an administrator has open."""
    viewer = Viewer(
        **{"portal_id": portal_id, "user_id": 1, "is_admin": True, "lang": "ru", "placement": "DEFAULT",
           "entity_id": None, "expires_at": datetime.now(UTC) + timedelta(minutes=30), **facts}
    )  # fmt: skip
    return {"Authorization": f"Bearer {web_session.issue(settings.secret_key, viewer)}"}
