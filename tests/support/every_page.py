"""Every page of the application, found in its route table, on a portal where each has something to show."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from redis import Redis
from sqlalchemy.orm import Session
from support import tables, world
from support.live import live_world
from support.mail_pages import MailPages
from support.mail_results import mailed
from support.neighbours import everything
from support.world import World

from core.config import Settings
from core.web.guard import Rule, access_of
from demo.portal.process import DemoPortal
from integration import placements, rights
from integration.goods import Product, ProductSection
from integration.mirror import (
    Activity,
    Company,
    Contact,
    CustomField,
    Deal,
    DealContact,
    Lead,
    Pipeline,
    PortalUser,
    Status,
)
from integration.models import QuarantinedRow
from mailings.content import offers
from mailings.content.offers import Wish
from mailings.models import Delivery, Mailing
from mailings.rules import tokens
from mailings.rules.offers import OfferKind
from mailings.rules.tokens import Purpose
from schedule import SCHEDULE
from segments import first_run
from segments.members import saving
from segments.models import ClientKind, ClientMetrics
from segments.saved import Segment

USERS = {1: "administrator", 2: "marketer", 10: "manager"}
NAMED = (
    Contact.name, Contact.last_name, Contact.second_name, Contact.post, Company.title, Lead.title,
    Lead.name, Lead.last_name, Lead.company_title, Deal.title, Activity.subject, PortalUser.name,
    Pipeline.name, Status.name, CustomField.label, Product.name, ProductSection.name,
)  # fmt: skip
OFFER = {
    "what": "Кофе по подписке", "terms": "Минус 15 % на первый месяц", "call_to_action": "Выбрать кофе",
    "url": "https://shop.example.com/coffee", "valid_till": "2027-01-31", "price": "1 490 ₽",
}  # fmt: skip


@dataclass(frozen=True)
class Filled:
    """A portal in use: its world, and values for what addresses of pages have in angle brackets."""

    world: World
    cards: dict[str, int]
    values: dict[str, list[str]] = field(default_factory=dict)
    queries: dict[str, list[str]] = field(default_factory=dict)
    _answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def token(self, lang: str = "ru") -> str:
        """A session of an administrator with the client's card open."""
        return self.world.open(
            placement="CRM_CONTACT_DETAIL_TAB",
            options={"ID": str(self.cards["contact"])},
            lang=lang,
        ).headers["X-Session"]

    def doors(self, lang: str = "ru") -> dict[str, dict[str, Any]]:
        """What the portal posts to open us: each kind of employee at the first page, and at each of our places."""
        found = {f"/ as {who}": self.world.frame(user, lang=lang) for user, who in USERS.items()}
        for place in placements.BOUND.values():
            card = {"ID": str(self.cards[place.entity])} if place.aimed else {}
            for user, who in USERS.items():
                found[f"{place.code} as {who}"] = self.world.frame(
                    user, lang=lang, placement=place.code, options=card
                )
        install = f"{self.world.runtime.settings.public_url}/install"
        found["/install as administrator"] = self.world.frame(lang=lang, handler=install)
        return found

    def way_out(self) -> str:
        """The page by which a client leaves the mailings."""
        key, delivery_id = (
            self.world.runtime.settings.secret_key,
            int(self.values["delivery_id"][0]),
        )
        token = tokens.make(key, Purpose.UNSUBSCRIBE, self.world.portal_id, delivery_id)
        return f"{self.world.runtime.settings.public_url}/u/{token}"

    def names(self, language: str) -> set[str]:
        """Words people gave to what is on the portal: they may be of any language."""
        with self.world.runtime.sessions() as session:
            if language != "ru":
                return set(re.findall(r"[А-Яа-яЁё]{2,}", everything(session.get_bind())))
            found = (
                session.scalars(sa.select(column).where(column.is_not(None))) for column in NAMED
            )
            return {
                word
                for texts in found
                for text in texts
                for word in re.findall("[A-Za-z]{2,}", text)
            }

    def addresses(self) -> dict[str, list[str]]:
        """By route: the addresses of everything a person who is signed in can look at."""
        app = self.world.app
        return {
            rule.rule: [
                path + query
                for path in self._filled(rule.rule)
                for query in self.queries.get(rule.rule, [""])
            ]
            for rule in app.url_map.iter_rules()
            if "GET" in rule.methods
            and access_of(app.view_functions[rule.endpoint]).rule
            not in {Rule.PUBLIC, Rule.FRAME_ENTRY, Rule.PROGRAM}
        }

    def _filled(self, rule: str) -> Iterator[str]:
        names = re.findall(r"<(?:\w+:)?(\w+)>", rule)
        for values in itertools.product(*(self.values[name] for name in names)):
            path = rule
            for value in values:
                path = re.sub(r"<[^>]+>", value, path, count=1)
            yield path

    def answers(self, lang: str) -> dict[str, Any]:
        """What is answered at every address, asked for once in a language."""
        if lang not in self._answers:
            headers = {"Authorization": f"Bearer {self.token(lang)}"}
            self._answers[lang] = {
                path: self.world.browser.get(path, headers=headers, buffered=True)
                for paths in self.addresses().values()
                for path in paths
            }
        return self._answers[lang]

    def pages(self) -> list[str]:
        """Addresses of the application's own pages, and those of routes that do not answer: walking there tells why.

        A card's tab is opened from its card.
        """
        answers, found = self.answers("ru"), []
        for paths in self.addresses().values():
            silent = all(answers[path].status_code >= 400 for path in paths)
            found += [path for path in paths if silent or is_page(answers[path])]
        return [path for path in found if not path.startswith("/card")]


def is_page(answer: Any) -> bool:
    """Whether an answer is a whole document, not a part of one or a file."""
    good = answer.status_code == 200 and answer.mimetype == "text/html"
    return good and answer.data.startswith(b"<!doctype html>")


@contextmanager
def filled(settings: Settings, engine: sa.Engine, demo: DemoPortal) -> Iterator[Filled]:
    """The application served to browsers, installed, read, counted, with something of everything in it."""
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushall()
    demo.control("reset", {"seed": 1, "sizes": "tiny", "dirty": True})
    with live_world(settings, demo, working=False) as made:
        world.written(made)
        yield _filled(made)
    tables.empty(engine)


def _filled(made: World) -> Filled:
    pages, portal_id = MailPages(made), made.portal_id
    with made.runtime.sessions.begin() as session:
        everybody = saving.create(session, portal_id, "Все", {"version": 1, "clients": {}})
        mailed(session, portal_id)
        offer = offers.create(session, portal_id, Wish(OfferKind.WIN_BACK, "Кофе", OFFER))
        version = rights.rights_of(session, portal_id)[0]
        rights.give(session, portal_id, 2, rights.Right.WRITE, 1, version)
        session.add(
            QuarantinedRow(
                portal_id=portal_id, entity="contact", bitrix_id="1", reason="BIRTHDATE: not a date"
            )
        )
        contact_id, company_id = (_best(session, portal_id, kind) for kind in ClientKind)
        deal_id = session.scalar(
            sa.select(DealContact.deal_id).where(DealContact.contact_id == contact_id).limit(1)
        )
        ids = {"segment_id": [everybody.id], "offer_id": [offer.id]}
        lead_id = session.scalar(sa.select(sa.func.min(Lead.bitrix_id)))
        longest = session.scalar(
            sa.select(Contact.bitrix_id)
            .where(Contact.portal_id == portal_id)
            .order_by(sa.func.length(Contact.last_name).desc().nulls_last())
            .limit(1)
        )
    for periodic in SCHEDULE:
        world.call(periodic.function)
    made.work()
    ids["segment_id"].append(_listed(pages, contact_id, longest))
    pages.agree(share=2)
    server = pages.server()
    draft = pages.drafted()
    pages.write_letter(draft)
    pages.post("/settings/mailings/suppressed", address="no@example.com", note="Просил не писать")
    pages.post(f"/mailings/{draft}/letter/trial", address="us@example.com", work=False)
    trial = re.search(r"/trial/(\w+)", pages.page)[1]
    with made.runtime.sessions() as session:
        sent = session.scalar(sa.select(Mailing.id).where(Mailing.state == "finished"))
        delivery = session.scalar(sa.select(sa.func.min(Delivery.id)))
    ids |= {"mailing_id": [draft, sent], "server_id": [server], "delivery_id": [delivery]}
    values = {name: [str(each) for each in found] for name, found in ids.items()}
    return Filled(
        made,
        {"contact": contact_id, "company": company_id, "deal": deal_id, "lead": lead_id},
        values | {"key": ["all_clients"], "trial": [trial]},
        {
            "/home/more": ["?list=due", "?list=silent", "?list=answered"],
            "/segments/builder": ["", f"?segment={ids['segment_id'][0]}"],
            "/segments/rfm/segment": ["?kind=contact&group=best"],
            "/segments/<int:segment_id>/overlap": [f"?other={ids['segment_id'][1]}"],
            "/segments/<int:segment_id>/people": ["", f"?search={contact_id}"],
            "/mailings/<int:mailing_id>/lost": ["?why=no_consent"],
            "/people/reach": [f"?segment={ids['segment_id'][0]}"],
            "/settings/mailings/proof": ["?address=no@example.com"],
            "/settings/people/found": ["", "?search=а"],
            "/start": [f"?step={step}" for step in first_run.Step],
        },
    )


def _best(session: Session, portal_id: int, kind: ClientKind) -> int:
    """The client of a kind who has bought most."""
    query = sa.select(ClientMetrics.client_id).where(
        ClientMetrics.portal_id == portal_id, ClientMetrics.kind == kind
    )
    return session.scalar(query.order_by(ClientMetrics.ltv.desc()).limit(1))


def _listed(pages: MailPages, *contacts: int) -> int:
    """A list of contacts, from a file that also names one nobody knows."""
    file = io.BytesIO("\n".join(map(str, ("ID", *contacts, 99999999, ""))).encode()), "list.csv"
    columns = {"columns": "1", "column.0": "id", "kind": "contact"}
    pages.post("/segments/lists", name="По списку", file=file, **columns)
    with pages.world.runtime.sessions() as session:
        return session.scalar(sa.select(sa.func.max(Segment.id)))
