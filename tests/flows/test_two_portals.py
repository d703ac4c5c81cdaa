"""Two portals in one database, with the same ids of people and deals: neither ever sees the other."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import pytest
import sqlalchemy as sa
from redis import Redis
from support.mail_results import click_of, mailed, pixel_of
from support.neighbours import (
    everything,
    fingerprints,
    recorded_lines,
    recorded_statements,
    side_by_side,
)
from support.returned import dsn, verp
from support.settings_page import DEFAULT
from support.tables import empty

from core.clock import utcnow
from core.database import Base
from core.web import session
from integration import rights
from integration.mirror import Company, Contact, CustomField, Deal, Pipeline, PortalUser, Status
from integration.models import PortalToken
from mailings.models import Delivery, Mailing
from mailings.receipts.secrets import key as receipt_key
from mailings.rules import tokens
from mailings.rules.tokens import Purpose
from segments import rfm_forms
from segments.members import saving
from segments.models import ClientKind, ClientMetrics
from segments.rules.score_choices import ScoreChoices
from segments.saved import Segment
from segments.worth.explain import Client

CONSENTS_FILE = str(Path(__file__).parents[1] / "support" / "consents.csv")
RULE_FILE = str(Path(__file__).parents[1] / "support" / "buyers.json")
OURS, THEIRS = "Снегирёв", "Канарейкин"
OUR_AMOUNT, THEIR_AMOUNT = Decimal("41526377.00"), Decimal("73829164.00")


@pytest.fixture(scope="module")
def pair(settings, database, portal_process, neighbour_process):
    """Both portals read, computed and written; every name and amount of theirs is a canary."""
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushall()
    for number, demo in enumerate((portal_process, neighbour_process), 1):
        demo.control("reset", {"seed": number, "sizes": "tiny"})
    with side_by_side(settings, portal_process, neighbour_process) as worlds:
        with recorded_lines() as lines:
            for world in worlds:
                live(world)
        worlds[0].lines = lines.getvalue()
        for world, name, amount in zip(
            worlds, (OURS, THEIRS), (OUR_AMOUNT, THEIR_AMOUNT), strict=True
        ):
            mark(world, name, amount)
        yield worlds
    empty(database)


def live(world):
    """A portal's first day: installed, read, computed, written, a segment saved, and told of a change."""
    world.install()
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.switch_writing()
    world.count()
    world.write()
    with world.runtime.sessions.begin() as database:
        saving.create(database, world.portal_id, "Все", {"version": 1, "clients": {}})
        mailed(database, world.portal_id)
    world.demo.control("tokens/expire", {})
    Visitor(world, client_in([world])).event()


def mark(world, name, amount):
    """Put the canary into everything of a portal that a page could show."""
    texts = (
        (Contact.last_name, Contact), (Company.title, Company), (Deal.title, Deal),
        (Pipeline.name, Pipeline), (Status.name, Status), (PortalUser.name, PortalUser),
        (CustomField.label, CustomField), (Segment.name, Segment), (Mailing.name, Mailing),
    )  # fmt: skip
    with world.runtime.sessions.begin() as database:
        for column, table in texts:
            database.execute(
                sa.update(table)
                .where(table.portal_id == world.portal_id)
                .values({column: sa.literal(name)})
            )
        database.execute(
            sa.update(Contact).where(Contact.portal_id == world.portal_id).values(custom={})
        )
        database.execute(
            sa.update(ClientMetrics)
            .where(ClientMetrics.portal_id == world.portal_id)
            .values(ltv=amount)
        )
        database.execute(
            sa.update(Deal).where(Deal.portal_id == world.portal_id).values(opportunity=amount)
        )


def leaks(text, name=THEIRS, amount=THEIR_AMOUNT):
    digits = re.sub(r"\D", "", text)
    return [sign for sign in (name, str(int(amount))) if sign in text or sign in digits]


def client_in(worlds) -> int:
    """A contact with sales whose id both portals have."""
    ids = []
    for world in worlds:
        with world.runtime.sessions() as database:
            query = sa.select(ClientMetrics.client_id).where(
                ClientMetrics.portal_id == world.portal_id,
                ClientMetrics.kind == ClientKind.CONTACT,
            )
            ids.append(set(database.scalars(query)))
    return min(set.intersection(*ids))


@dataclass
class Visitor:
    """An administrator of one portal with its card of the shared contact open."""

    world: Any
    contact_id: int
    token: str = ""

    def __post_init__(self):
        self.token = self.placement().headers["X-Session"]

    def placement(self, **how):
        return self.world.open(
            placement="CRM_CONTACT_DETAIL_TAB", options={"ID": str(self.contact_id)}, **how
        )

    def get(self, path):
        return self.world.browser.get(path, headers=self.headers)

    def post(self, path, **form):
        return self.world.browser.post(path, data=form, headers=self.headers)

    @property
    def viewer(self):
        return session.read(self.world.runtime.settings.secret_key, self.token, utcnow())

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    def frame(self, path):
        frame = self.world.frame(handler=f"http://127.0.0.1:1{path}")
        return self.world.post(frame)

    def event(self):
        form = {
            "event": "ONCRMCONTACTUPDATE",
            "data[FIELDS][ID]": str(self.contact_id),
            "auth[member_id]": self.world.member_id,
            "auth[application_token]": self.world.keys["application_token"],
        }
        answer = self.world.browser.post("/events", data=form)
        self.world.work()
        return answer


@dataclass(frozen=True)
class Sample:
    """A request a route answers well; `shows`: the page must hold the portal's own canary."""

    ask: Callable[[Visitor], Any]
    shows: bool = False
    status: int = 200


def version_on(visitor, path, form=0):
    """The version in force that a form of the page was made from."""
    page = visitor.get(path).get_data(as_text=True)
    return re.findall(r'name="version" value="(\d+)"', page)[form]


def put_back(visitor, path, rule, **change):
    """Save a change of a rule, then put its first version back."""
    assert visitor.post(path, version=version_on(visitor, path), **change).status_code == 200
    version = version_on(visitor, path)
    return visitor.post(f"{path}/restore", rule=rule, number="1", version=version)


def rfm_form(visitor, **choices):
    """The form of the RFM page as it stands."""
    shown = rfm_forms.written(ScoreChoices(), ClientKind.CONTACT)
    return shown | {"version": version_on(visitor, "/segments/rfm"), "kind": "contact", **choices}


def rule_form(visitor, **choices):
    """The form of the sale rule, made from the version in force."""
    page = visitor.get("/settings").get_data(as_text=True)
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    own = {"version": version, "pipelines": ["0", "1"]}
    return {**DEFAULT, **own, **choices}


DRAFT = json.dumps(
    {"version": 1, "clients": {"where": {"all": [{"field": "responsible", "op": "filled"}]}}}
)


def segment(visitor):
    """The portal's first segment."""
    with visitor.world.runtime.sessions() as database:
        own = Segment.portal_id == visitor.world.portal_id
        return database.scalar(sa.select(sa.func.min(Segment.id)).where(own))


def newest(visitor):
    """The segment made last."""
    with visitor.world.runtime.sessions() as database:
        own = Segment.portal_id == visitor.world.portal_id
        return database.scalar(sa.select(sa.func.max(Segment.id)).where(own))


def saved(visitor):
    """A new segment, saved by the builder."""
    return visitor.post("/segments/builder/save", draft=DRAFT, name=OURS)


def delivery(visitor):
    """The message of the portal's mailing to the contact both portals have."""
    with visitor.world.runtime.sessions() as database:
        query = sa.select(Delivery).where(
            Delivery.portal_id == visitor.world.portal_id, Delivery.client_id == visitor.contact_id
        )
        return database.scalars(query.order_by(Delivery.id).limit(1)).one()


def mailing(visitor):
    """The pages of the portal's mailing."""
    return f"/mailings/{delivery(visitor).mailing_id}"


def drafted(visitor):
    """A new draft to the portal's first segment; its page and version."""
    page = visitor.post("/mailings", audience=str(segment(visitor))).get_data(as_text=True)
    return re.search(r'hx-post="(/mailings/\d+)"', page)[1]


def changed(visitor):
    """A new draft, changed by its form."""
    form = {"name": OURS, "channel": "email", "mode": "now", "version": "1"}
    return visitor.post(drafted(visitor), **form)


def offer(visitor):
    """The page of a new offer."""
    page = visitor.post("/offers", kind="new", name=OURS).get_data(as_text=True)
    return re.search(r'hx-post="(/offers/\d+)"', page)[1]


def letter(visitor):
    """The editor of a new draft's letter."""
    return f"{drafted(visitor)}/letter"


def trial(visitor):
    """How a letter that was sent to be looked over stands."""
    page = visitor.post(f"{letter(visitor)}/trial", address="us@example.com").get_data(as_text=True)
    return re.search(r'hx-get="([^"]*/trial/\w+)"', page)[1]


def preview(visitor):
    """The frame an editor shows its letter in."""
    return re.search(
        r'src="(/letters/[^"]*)"', visitor.get(letter(visitor)).get_data(as_text=True)
    )[1]


SERVER = {"name": OURS, "host": "127.0.0.1", "port": "1", "from_email": "us@example.com"}


def mail_server(visitor):
    """A new mail server, at an address nobody answers at."""
    page = visitor.post("/settings/mailings/servers", **SERVER).get_data(as_text=True)
    return re.search(r'hx-post="(/settings/mailings/servers/\d+)"', page)[1]


def mailing_rule(visitor, page, **form):
    """Save a part of the rules of mailings."""
    return visitor.post(page, version=version_on(visitor, "/settings/mailings/consent"), **form)


def way_out(visitor):
    """The page of that message by which one leaves."""
    sent, key = delivery(visitor), visitor.world.runtime.settings.secret_key
    return f"/u/{tokens.make(key, Purpose.UNSUBSCRIBE, sent.portal_id, sent.id)}"


def picture(visitor):
    """The invisible picture of that message, without its bytes."""
    answer = visitor.get(pixel_of(visitor.world.runtime.settings, delivery(visitor)))
    answer.set_data(b"")
    return answer


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)


def uploaded(visitor):
    """A picture put into a letter."""
    return visitor.post("/letters/pictures", field="source", file=(io.BytesIO(PNG), "dot.png"))


def shown_picture(visitor):
    """The same as mail programs get it, without its bytes."""
    page = uploaded(visitor).get_data(as_text=True)
    answer = visitor.world.browser.get(re.search(r'data-picture="[^"]*(/p/[^"]*)"', page)[1])
    answer.set_data(b"")
    return answer


def given_right(visitor):
    """An employee who may write."""
    with visitor.world.runtime.sessions() as database:
        version = rights.rights_of(database, visitor.world.portal_id)[0]
    return visitor.post("/settings/people", user="2", right="write", version=str(version))


def returned_letter(visitor):
    """A mail server posts a return of that message."""
    settings, sent = visitor.world.runtime.settings, delivery(visitor)
    door = f"/receipts/email/dsn?key={receipt_key(settings, sent.portal_id)}"
    return visitor.world.browser.post(door, data=dsn(verp(settings.secret_key, sent)))


def some_file(visitor):
    return io.BytesIO(f"ID\n{visitor.contact_id}\n".encode()), "list.csv"


def listed(visitor):
    """A new list of one contact, from a file."""
    columns = {"columns": "1", "column.0": "id", "kind": "contact"}
    return visitor.post("/segments/lists", name=OURS, file=some_file(visitor), **columns)


def emptied(visitor):
    """A list the visitor's card was taken out of."""
    return visitor.post("/card/lists/take", segment=str(hand_list(visitor)))


def hand_list(visitor):
    """The list made last."""
    listed(visitor)
    return newest(visitor)


SAMPLES = {
    ("GET", "/offers"): Sample(lambda v: (offer(v), v.get("/offers"))[1], shows=True),
    ("GET", "/offers/new"): Sample(lambda v: v.get("/offers/new")),
    ("POST", "/offers"): Sample(lambda v: v.post("/offers", kind="new", name=OURS), shows=True),
    ("GET", "/offers/<int:offer_id>"): Sample(lambda v: v.get(offer(v)), shows=True),
    ("POST", "/offers/<int:offer_id>"): Sample(
        lambda v: v.post(offer(v), kind="new", name=OURS, version="1", what="Кофе"), shows=True
    ),
    ("POST", "/offers/<int:offer_id>/archive"): Sample(lambda v: v.post(f"{offer(v)}/archive")),
    ("POST", "/offers/<int:offer_id>/codes"): Sample(lambda v: v.post(f"{offer(v)}/codes", codes="AAA-1")),
    ("POST", "/offers/<int:offer_id>/codes/clear"): Sample(lambda v: v.post(f"{offer(v)}/codes/clear")),
    ("GET", "/mailings/<int:mailing_id>/letter"): Sample(lambda v: v.get(letter(v)), shows=True),
    ("POST", "/mailings/<int:mailing_id>/letter"): Sample(
        lambda v: v.post(letter(v), draft="{}", version="1", subject="Тема", how="blocks"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/ready"): Sample(lambda v: v.get(f"{letter(v)}/ready")),
    ("POST", "/mailings/<int:mailing_id>/letter/ready"): Sample(
        lambda v: v.post(f"{letter(v)}/ready", ready="new.1", version="1"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/people"): Sample(
        lambda v: v.get(f"{letter(v)}/people?search={v.contact_id}"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/check"): Sample(lambda v: v.get(f"{letter(v)}/check")),
    ("POST", "/mailings/<int:mailing_id>/letter/trial"): Sample(
        lambda v: v.post(f"{letter(v)}/trial", address="us@example.com")
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/trial/<trial>"): Sample(lambda v: v.get(trial(v))),
    ("GET", "/letters/preview/<ticket>"): Sample(lambda v: v.get(preview(v))),
    ("GET", "/healthz"): Sample(lambda v: v.get("/healthz")),
    ("GET", "/readyz"): Sample(lambda v: v.get("/readyz"), status=503),
    ("GET", "/metrics"): Sample(lambda v: v.get("/metrics")),
    ("GET", "/static/<path:filename>"): Sample(lambda v: v.get("/static/app.js")),
    ("POST", "/install"): Sample(lambda v: v.frame("/install")),
    ("GET", "/install/progress"): Sample(lambda v: v.get("/install/progress")),
    ("POST", "/install/again"): Sample(lambda v: v.post("/install/again")),
    ("POST", "/session"): Sample(lambda v: v.frame("/session"), status=204),
    ("POST", "/events"): Sample(lambda v: v.event()),
    ("POST", "/"): Sample(lambda v: v.frame("/"), shows=True),
    ("GET", "/standing"): Sample(lambda v: v.get("/standing")),
    ("GET", "/home"): Sample(lambda v: v.get("/home"), shows=True),
    ("GET", "/home/figures"): Sample(lambda v: v.get("/home/figures"), shows=True),
    ("GET", "/live"): Sample(lambda v: v.get("/live?on=nothing"), status=204),
    ("GET", "/home/mine"): Sample(lambda v: v.get("/home/mine"), shows=True),
    ("GET", "/home/more"): Sample(lambda v: v.get("/home/more?list=silent")),
    ("GET", "/home/sync"): Sample(lambda v: v.get("/home/sync")),
    ("POST", "/home/sync"): Sample(lambda v: v.post("/home/sync")),
    ("GET", "/health/line"): Sample(lambda v: v.get("/health/line")),
    ("GET", "/mailings/running"): Sample(lambda v: v.get("/mailings/running")),
    ("GET", "/start"): Sample(lambda v: v.get("/start?step=rule"), shows=True),
    ("GET", "/start/rights"): Sample(lambda v: v.get("/start/rights")),
    ("GET", "/start/reading"): Sample(lambda v: v.get("/start/reading")),
    ("GET", "/start/base"): Sample(lambda v: v.get("/start/base")),
    ("POST", "/start/done"): Sample(lambda v: v.post("/start/done", step="plan")),
    ("POST", "/start/rule/preview"): Sample(
        lambda v: v.post("/start/rule/preview", pipelines=["0", "1"], client_mode="each"), shows=True
    ),
    ("POST", "/start/rule"): Sample(
        lambda v: v.post(
            "/start/rule", pipelines=["0", "1"], client_mode="each", version=rule_form(v)["version"]
        )
    ),
    ("POST", "/start/writing"): Sample(lambda v: v.post("/start/writing")),
    ("POST", "/start/close"): Sample(lambda v: v.post("/start/close"), shows=True),
    ("GET", "/settings"): Sample(lambda v: v.get("/settings"), shows=True),
    ("GET", "/settings/preview"): Sample(lambda v: v.get("/settings/preview"), shows=True),
    ("POST", "/settings/rule"): Sample(lambda v: v.post("/settings/rule", **rule_form(v)), shows=True),
    ("POST", "/settings/rule/preview"): Sample(
        lambda v: v.post("/settings/rule/preview", **rule_form(v, contact_mode="split")), shows=True
    ),
    ("POST", "/settings/rule/restore"): Sample(
        lambda v: v.post("/settings/rule/restore", number="1", version=rule_form(v)["version"]),
        shows=True,
    ),
    ("GET", "/settings/recompute"): Sample(lambda v: v.get("/settings/recompute")),
    ("GET", "/settings/writing"): Sample(lambda v: v.get("/settings/writing"), shows=True),
    ("POST", "/settings/writing"): Sample(
        lambda v: v.post(
            "/settings/writing", enabled="1", version=version_on(v, "/settings/writing"),
            **{"to.contact.sales": "own"},
        ),
        shows=True,
    ),
    ("POST", "/settings/writing/preview"): Sample(
        lambda v: v.post("/settings/writing/preview", **{"to.contact.ltv": "own"}), shows=True
    ),
    ("POST", "/settings/writing/restore"): Sample(
        lambda v: put_back(v, "/settings/writing", "writing", **{"to.contact.first_sale": "own"}),
        shows=True,
    ),
    ("GET", "/settings/sync"): Sample(lambda v: v.get("/settings/sync"), shows=True),
    ("POST", "/settings/sync"): Sample(
        lambda v: v.post(
            "/settings/sync", version=version_on(v, "/settings/sync"), read=["lead", "history"]
        ),
        shows=True,
    ),
    ("POST", "/settings/sync/hours"): Sample(
        lambda v: v.post(
            "/settings/sync/hours", version=version_on(v, "/settings/sync", 1),
            days=["0", "1"], start="9", end="18", check_at="3",
        ),
        shows=True,
    ),
    ("POST", "/settings/sync/restore"): Sample(
        lambda v: put_back(v, "/settings/sync", "keeping", read="lead"),
        shows=True,
    ),
    ("GET", "/segments"): Sample(lambda v: v.get("/segments"), shows=True),
    ("GET", "/segments/builder"): Sample(lambda v: v.get(f"/segments/builder?segment={segment(v)}"), shows=True),
    ("POST", "/segments/builder/edit"): Sample(
        lambda v: v.post("/segments/builder/edit", draft=DRAFT, action="add clients related:deals:stage")
    ),
    ("POST", "/segments/builder/count"): Sample(lambda v: v.post("/segments/builder/count", draft=DRAFT)),
    ("POST", "/segments/builder/fields"): Sample(
        lambda v: v.post("/segments/builder/fields", draft=DRAFT, at="clients"), shows=True
    ),
    ("POST", "/segments/builder/values"): Sample(
        lambda v: v.post("/segments/builder/values", draft=DRAFT, at="clients.0"), shows=True
    ),
    ("POST", "/segments/builder/save"): Sample(saved, shows=True),
    ("GET", "/segments/<int:segment_id>"): Sample(lambda v: v.get(f"/segments/{segment(v)}"), shows=True),
    ("GET", "/segments/<int:segment_id>/state"): Sample(lambda v: v.get(f"/segments/{segment(v)}/state")),
    ("GET", "/segments/<int:segment_id>/sample"): Sample(
        lambda v: v.get(f"/segments/{segment(v)}/sample"), shows=True
    ),
    ("GET", "/segments/<int:segment_id>/people"): Sample(
        lambda v: v.get(f"/segments/{segment(v)}/people?search={v.contact_id}"), shows=True
    ),
    ("GET", "/segments/<int:segment_id>/moves"): Sample(lambda v: v.get(f"/segments/{segment(v)}/moves")),
    ("GET", "/segments/<int:segment_id>/overlap"): Sample(
        lambda v: v.get(f"/segments/{segment(v)}/overlap?other={segment(v)}"), shows=True
    ),
    ("GET", "/segments/<int:segment_id>/export"): Sample(lambda v: v.get(f"/segments/{segment(v)}/export")),
    ("GET", "/segments/<int:segment_id>/refused"): Sample(
        lambda v: (listed(v), v.get(f"/segments/{newest(v)}/refused"))[1]
    ),
    ("POST", "/segments/<int:segment_id>/name"): Sample(
        lambda v: v.post(f"/segments/{segment(v)}/name", name=f"{OURS} 2", version="1"), shows=True
    ),
    ("POST", "/segments/<int:segment_id>/restore"): Sample(
        lambda v: (saved(v), v.post(f"/segments/{newest(v)}/restore", number="1", version="1"))[1], shows=True
    ),
    ("POST", "/segments/<int:segment_id>/archive"): Sample(
        lambda v: (saved(v), v.post(f"/segments/{newest(v)}/archive"))[1], shows=True
    ),
    ("POST", "/segments/<int:segment_id>/freeze"): Sample(
        lambda v: v.post(f"/segments/{segment(v)}/freeze"), shows=True
    ),
    ("POST", "/segments/<int:segment_id>/put"): Sample(
        lambda v: (listed(v), v.post(f"/segments/{newest(v)}/put", card=f"contact:{v.contact_id}"))[1], shows=True
    ),
    ("POST", "/segments/<int:segment_id>/take"): Sample(
        lambda v: (listed(v), v.post(f"/segments/{newest(v)}/take", card=f"contact:{v.contact_id}"))[1], shows=True
    ),
    ("GET", "/segments/lists/new"): Sample(lambda v: v.get("/segments/lists/new")),
    ("POST", "/segments/lists/look"): Sample(lambda v: v.post("/segments/lists/look", file=some_file(v))),
    ("POST", "/segments/lists"): Sample(listed, shows=True),
    ("GET", "/segments/presets"): Sample(lambda v: v.get("/segments/presets"), shows=True),
    ("POST", "/segments/presets/<key>/count"): Sample(lambda v: v.post("/segments/presets/all_clients/count")),
    ("POST", "/segments/presets/<key>/open"): Sample(lambda v: v.post("/segments/presets/all_clients/open")),
    ("POST", "/segments/presets/<key>/save"): Sample(
        lambda v: v.post("/segments/presets/all_clients/save"), shows=True
    ),
    ("POST", "/segments/presets/<key>/field"): Sample(lambda v: v.post("/segments/presets/all_clients/field")),
    ("GET", "/segments/rfm"): Sample(lambda v: v.get("/segments/rfm")),
    ("GET", "/segments/rfm/map"): Sample(lambda v: v.get("/segments/rfm/map")),
    ("GET", "/segments/rfm/segment"): Sample(
        lambda v: v.get("/segments/rfm/segment?kind=contact&group=best")
    ),
    ("POST", "/segments/rfm/preview"): Sample(lambda v: v.post("/segments/rfm/preview", **rfm_form(v))),
    ("POST", "/segments/rfm"): Sample(lambda v: v.post("/segments/rfm", **rfm_form(v, window="90"))),
    ("GET", "/c/<token>"): Sample(
        lambda v: v.get(click_of(v.world.runtime.settings, delivery(v))), status=302
    ),
    ("GET", "/o/<token>"): Sample(picture),
    ("GET", "/u/<token>"): Sample(lambda v: v.get(way_out(v))),
    ("POST", "/u/<token>"): Sample(lambda v: v.world.browser.post(way_out(v), data={"ask": "rest"})),
    ("POST", "/receipts/email/<provider>"): Sample(returned_letter),
    ("GET", "/mailings"): Sample(lambda v: v.get("/mailings"), shows=True),
    ("GET", "/mailings/<int:mailing_id>/line"): Sample(lambda v: v.get(f"{mailing(v)}/line"), shows=True),
    ("GET", "/mailings/new"): Sample(lambda v: v.get("/mailings/new")),
    ("GET", "/mailings/audiences"): Sample(lambda v: v.get("/mailings/audiences"), shows=True),
    ("GET", "/mailings/audiences/<key>/count"): Sample(
        lambda v: v.get("/mailings/audiences/all_clients/count")
    ),
    ("POST", "/mailings"): Sample(lambda v: v.post("/mailings", audience=str(segment(v))), shows=True),
    ("GET", "/mailings/<int:mailing_id>"): Sample(lambda v: v.get(mailing(v)), shows=True),
    ("POST", "/mailings/<int:mailing_id>"): Sample(changed, shows=True),
    ("POST", "/mailings/<int:mailing_id>/delete"): Sample(
        lambda v: v.post(f"{drafted(v)}/delete"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/side"): Sample(lambda v: v.get(f"{drafted(v)}/side")),
    ("GET", "/mailings/<int:mailing_id>/thumb"): Sample(lambda v: v.get(f"{drafted(v)}/thumb")),
    ("GET", "/mailings/<int:mailing_id>/lost"): Sample(
        lambda v: v.get(f"{drafted(v)}/lost?why=no_consent"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/launch"): Sample(lambda v: v.get(f"{drafted(v)}/launch")),
    ("POST", "/mailings/<int:mailing_id>/start"): Sample(
        lambda v: v.post(f"{drafted(v)}/start", version="1"), status=422
    ),
    ("POST", "/mailings/<int:mailing_id>/pause"): Sample(
        lambda v: v.post(f"{drafted(v)}/pause"), shows=True, status=409
    ),
    ("POST", "/mailings/<int:mailing_id>/resume"): Sample(
        lambda v: v.post(f"{drafted(v)}/resume"), shows=True, status=409
    ),
    ("POST", "/mailings/<int:mailing_id>/cancel"): Sample(
        lambda v: v.post(f"{drafted(v)}/cancel"), shows=True, status=409
    ),
    ("GET", "/mailings/<int:mailing_id>/state"): Sample(lambda v: v.get(f"{mailing(v)}/state")),
    ("GET", "/settings/mailings"): Sample(lambda v: (mail_server(v), v.get("/settings/mailings"))[1], shows=True),
    ("GET", "/settings/mailings/servers/new"): Sample(lambda v: v.get("/settings/mailings/servers/new")),
    ("POST", "/settings/mailings/servers"): Sample(
        lambda v: v.post("/settings/mailings/servers", **SERVER), shows=True
    ),
    ("GET", "/settings/mailings/servers/<int:server_id>"): Sample(lambda v: v.get(mail_server(v)), shows=True),
    ("POST", "/settings/mailings/servers/<int:server_id>"): Sample(
        lambda v: v.post(mail_server(v), **SERVER), shows=True
    ),
    ("POST", "/settings/mailings/servers/<int:server_id>/check"): Sample(
        lambda v: v.post(f"{mail_server(v)}/check")
    ),
    ("POST", "/settings/mailings/servers/<int:server_id>/archive"): Sample(
        lambda v: v.post(f"{mail_server(v)}/archive")
    ),
    ("GET", "/settings/mailings/consent"): Sample(lambda v: v.get("/settings/mailings/consent"), shows=True),
    ("POST", "/settings/mailings/consent/basis"): Sample(
        lambda v: mailing_rule(v, "/settings/mailings/consent/basis", basis="consent"), shows=True
    ),
    ("POST", "/settings/mailings/consent/fields"): Sample(
        lambda v: mailing_rule(v, "/settings/mailings/consent/fields"), shows=True
    ),
    ("GET", "/settings/mailings/limits"): Sample(lambda v: v.get("/settings/mailings/limits"), shows=True),
    ("POST", "/settings/mailings/limits"): Sample(
        lambda v: mailing_rule(v, "/settings/mailings/limits", attribution_days="14"), shows=True
    ),
    ("POST", "/settings/mailings/topics"): Sample(
        lambda v: v.post("/settings/mailings/topics", name=OURS, key="ours"), shows=True
    ),
    ("POST", "/settings/mailings/topics/archive"): Sample(
        lambda v: v.post("/settings/mailings/topics/archive", key="ours")
    ),
    ("GET", "/settings/mailings/suppressed"): Sample(lambda v: v.get("/settings/mailings/suppressed")),
    ("POST", "/settings/mailings/suppressed"): Sample(
        lambda v: v.post("/settings/mailings/suppressed", address="no@example.com", note=OURS), shows=True
    ),
    ("POST", "/settings/mailings/suppressed/lift"): Sample(
        lambda v: v.post("/settings/mailings/suppressed/lift", channel="email", address="no@example.com")
    ),
    ("GET", "/settings/mailings/import"): Sample(lambda v: v.get("/settings/mailings/import")),
    ("POST", "/settings/mailings/import"): Sample(
        lambda v: v.post(
            "/settings/mailings/import", source="x", file=(io.BytesIO(b"address\nyes@example.com\n"), "c.csv")
        )
    ),
    ("GET", "/settings/mailings/proof"): Sample(
        lambda v: v.get(f"/settings/mailings/proof?address={delivery(v).address}")
    ),
    ("GET", "/settings/people"): Sample(lambda v: (given_right(v), v.get("/settings/people"))[1], shows=True),
    ("GET", "/settings/people/found"): Sample(lambda v: v.get("/settings/people/found"), shows=True),
    ("POST", "/settings/people"): Sample(given_right, shows=True),
    ("GET", "/glossary"): Sample(lambda v: v.get("/glossary")),
    ("POST", "/appearance"): Sample(lambda v: v.post("/appearance", theme="light"), status=204),
    ("POST", "/letters/pictures"): Sample(uploaded),
    ("GET", "/p/<int:portal_id>/<name>"): Sample(shown_picture),
    ("POST", "/mailings/<int:mailing_id>/copy"): Sample(lambda v: v.post(f"{mailing(v)}/copy", key="1"), shows=True),
    ("GET", "/mailings/<int:mailing_id>/result"): Sample(lambda v: v.get(f"{mailing(v)}/result"), shows=True),
    ("GET", "/mailings/<int:mailing_id>/result/card"): Sample(lambda v: v.get(f"{mailing(v)}/result/card")),
    ("GET", "/mailings/<int:mailing_id>/result/course"): Sample(lambda v: v.get(f"{mailing(v)}/result/course")),
    ("GET", "/mailings/<int:mailing_id>/recipients"): Sample(
        lambda v: v.get(f"{mailing(v)}/recipients"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/recipients/export"): Sample(
        lambda v: v.get(f"{mailing(v)}/recipients/export"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/recipients/<int:delivery_id>"): Sample(
        lambda v: v.get(f"{mailing(v)}/recipients/{delivery(v).id}"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/leads"): Sample(lambda v: v.get(f"{mailing(v)}/leads?live=1")),
    ("POST", "/mailings/<int:mailing_id>/follow-up"): Sample(
        lambda v: v.post(f"{mailing(v)}/follow-up", whom="clicked_only", key="1")
    ),
    ("GET", "/card/mailings"): Sample(lambda v: v.get("/card/mailings"), shows=True),
    ("GET", "/card/profile"): Sample(lambda v: v.get("/card/profile")),
    ("POST", "/card/todo"): Sample(lambda v: v.post("/card/todo")),
    ("POST", "/card/mailings/stop"): Sample(lambda v: v.post("/card/mailings/stop")),
    ("POST", "/card/mailings/allow"): Sample(lambda v: v.post("/card/mailings/allow")),
    ("GET", "/settings/value-field"): Sample(lambda v: v.get("/settings/value-field")),
    ("POST", "/settings/value-field"): Sample(lambda v: v.post("/settings/value-field")),
    ("GET", "/card/lists"): Sample(lambda v: (emptied(v), v.get("/card/lists"))[1], shows=True),
    ("POST", "/card/lists/put"): Sample(
        lambda v: v.post("/card/lists/put", segment=str(hand_list(v))), shows=True
    ),
    ("POST", "/card/lists/take"): Sample(
        lambda v: v.post("/card/lists/take", segment=str(hand_list(v))), shows=True
    ),
    ("POST", "/send/chosen"): Sample(
        lambda v: v.post("/send/chosen", cards=f"contact:{v.contact_id}"), shows=True
    ),
    ("GET", "/send/lists"): Sample(lambda v: (hand_list(v), v.get("/send/lists"))[1], shows=True),
    ("POST", "/send/list"): Sample(
        lambda v: v.post("/send/list", card=f"contact:{v.contact_id}", segment=str(hand_list(v))),
        shows=True,
    ),
    ("POST", "/send/list/undo"): Sample(
        lambda v: v.post(
            "/send/list/undo", card=f"contact:{v.contact_id}", entered=f"contact:{v.contact_id}",
            segment=str(hand_list(v)),
        ),
        shows=True,
    ),
    ("POST", "/send/mailing"): Sample(
        lambda v: v.post("/send/mailing", card=f"contact:{v.contact_id}", key=uuid4().hex)
    ),
    ("GET", "/health"): Sample(lambda v: v.get("/health")),
    ("GET", "/health/live"): Sample(lambda v: v.get("/health/live")),
    ("GET", "/health/calls"): Sample(lambda v: v.get("/health/calls")),
    ("POST", "/health/check"): Sample(lambda v: v.post("/health/check")),
    ("POST", "/health/compare"): Sample(lambda v: v.post("/health/compare")),
    ("POST", "/health/confirm"): Sample(lambda v: v.post("/health/confirm")),
    ("POST", "/health/retry"): Sample(lambda v: v.post("/health/retry")),
    ("POST", "/placement/<code>"): Sample(lambda v: v.placement(), shows=True),
    ("GET", "/card"): Sample(lambda v: v.get("/card"), shows=True),
    ("GET", "/card/deals"): Sample(lambda v: v.get("/card/deals?show=all"), shows=True),
}  # fmt: skip

COMMANDS = {
    "sync": ["--portal", "{portal}", "--json"],
    "sync status": ["--portal", "{portal}"],
    "reconcile": ["--portal", "{portal}", "--json"],
    "metrics": ["--portal", "{portal}", "--json"],
    "writeback": ["--portal", "{portal}", "--dry-run", "--json"],
    "sale-rule": ["--portal", "{portal}", "--pipelines", "0,1", "--contacts", "split"],
    "writing": ["--portal", "{portal}", "--map", "sales=own", "--off"],
    "sync-rule": ["--portal", "{portal}", "--skip", "activity", "--hours", "9-18", "--json"],
    "health": ["--portal", "{portal}"],
    "calls": ["--portal", "{portal}", "--json"],
    "best-client": ["--portal", "{portal}", "--json"],
    "client": ["--portal", "{portal}", "contact:1", "--json"],
    "segments presets": ["--portal", "{portal}", "--json"],
    "segments list": ["--portal", "{portal}"],
    "segments count": ["--portal", "{portal}", "all_clients", "--json"],
    "segments export": ["--portal", "{portal}", "all_clients_and_leads"],
    "segments create": ["--portal", "{portal}", "--name", "Покупатели", "--rule-file", RULE_FILE],
    "mailings list": ["--portal", "{portal}", "--json"],
    "mailings create": [
        "--portal",
        "{portal}",
        "--segment",
        "all_clients",
        "--subject",
        "S",
        "--body-file",
        RULE_FILE,
        "--json",
    ],
    "consents import": ["--portal", "{portal}", "--source", "x", CONSENTS_FILE, "--json"],
    "suppress": ["--portal", "{portal}", "nobody@example.com", "--json"],
    "export-person": ["--portal", "{portal}", "--contact", "1", "--json"],
    "erase": ["--portal", "{portal}", "--contact", "1", "--json"],
    "consents field": ["--portal", "{portal}", "--code", "UF_CRM_MAIL_CONSENT", "--json"],
}
STEERED = {
    f"mailings {word}" for word in ("start", "pause", "resume", "cancel", "stats", "deliveries")
}
FOR_ALL_PORTALS = STEERED | {
    "portals list",
    "portals add",
    "keys rotate",
    "worker",
    "ticker",
    "sender",
    "migrate",
}


@pytest.fixture
def us(pair):
    """Our administrator."""
    mark(pair[0], OURS, OUR_AMOUNT)
    return Visitor(pair[0], client_in(pair))


PORTAL_TABLES = [table.name for table in Base.metadata.sorted_tables if "portal_id" in table.c]
OF_PORTALS = re.compile(rf'(?:FROM|JOIN|UPDATE|INTO) "?({"|".join(PORTAL_TABLES)})\b')


def narrowed(statement):
    """Whether a statement names the portal: among the columns it fills, else in its condition."""
    filled, _, rest = statement.partition(")")
    if filled.startswith("INSERT INTO") and not OF_PORTALS.search(rest):
        return "portal_id" in filled
    return "portal_id" in statement.partition(" WHERE ")[2]


def routes(app):
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
            if not command.invoke_without_command:
                continue
        yield " ".join((*path, name)), command


def test_every_route_has_a_sample_here(pair):
    assert routes(pair[0].app) == set(SAMPLES)


def test_every_command_has_a_sample_here(pair):
    found = dict(commands(pair[0].app.cli))
    assert set(found) == set(COMMANDS) | FOR_ALL_PORTALS
    of_portals = {
        name for name, command in found.items()
        if any("--portal" in option.opts for option in command.params)
    }  # fmt: skip
    assert of_portals == set(COMMANDS)


@pytest.mark.parametrize("route", SAMPLES, ids=" ".join)
def test_a_route_shows_and_changes_nothing_of_the_neighbour(pair, us, route):
    them = pair[1]
    engine = them.runtime.engine
    before, calls = fingerprints(engine, them.portal_id), them.demo.counters()
    answer = SAMPLES[route].ask(us)
    text = answer.get_data(as_text=True) + str(answer.headers)
    answer.close()
    assert answer.status_code == SAMPLES[route].status, text[:300]
    if SAMPLES[route].shows:
        assert leaks(text, OURS, OUR_AMOUNT), "the sample shows nothing of its own portal either"
    assert leaks(text) == []
    assert fingerprints(engine, them.portal_id) == before
    assert them.demo.counters() == calls, "the neighbour's portal was called"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_and_changes_nothing_of_the_neighbour(pair, name):
    us, them = pair
    engine = them.runtime.engine
    before, calls = fingerprints(engine, them.portal_id), them.demo.counters()
    arguments = [part.format(portal=us.demo.domain) for part in COMMANDS[name]]
    done = us.app.test_cli_runner().invoke(args=[*name.split(), *arguments])
    assert done.exit_code == 0, done.output
    assert done.output
    assert leaks(done.output) == []
    assert fingerprints(engine, them.portal_id) == before
    assert them.demo.counters() == calls


def test_the_background_work_of_one_portal_leaves_the_other_alone(pair):
    us, them = pair
    engine = them.runtime.engine
    before, calls = fingerprints(engine, them.portal_id), them.demo.counters()
    us.switch_writing()
    us.sync(full=True)
    us.work()
    us.count()
    us.write()
    assert fingerprints(engine, them.portal_id) == before
    assert them.demo.counters() == calls


def test_a_session_of_the_neighbours_card_opens_nothing_of_ours(pair, us):
    them = Visitor(pair[1], us.contact_id)
    name = Client(ClientKind.CONTACT, us.contact_id).name
    assert leaks(them.get(f"/card?client={name}").get_data(as_text=True))
    assert leaks(us.get(f"/card?client={name}").get_data(as_text=True)) == []
    other = Client(ClientKind.CONTACT, us.contact_id + 1).name
    for path in ("/card?client=", "/card/deals?client=", "/card/profile?client="):
        assert us.get(path + other).status_code == 403


@pytest.mark.parametrize("event", ["ONCRMCONTACTUPDATE", "ONAPPUNINSTALL"])
def test_the_application_token_of_one_portal_is_worth_nothing_on_the_other(pair, event):
    us, them = pair
    before = fingerprints(us.runtime.engine)
    form = {
        "event": event,
        "data[FIELDS][ID]": "1",
        "auth[member_id]": them.member_id,
        "auth[application_token]": us.keys["application_token"],
    }
    assert us.browser.post("/events", data=form).status_code == 403
    assert fingerprints(us.runtime.engine) == before


def test_every_statement_on_a_portals_table_is_narrowed_to_the_portal(us):
    us.world.switch_writing()
    with recorded_statements(us.world.runtime.engine) as statements:
        us.world.sync()
        us.world.count()
        us.world.write()
        for route, sample in SAMPLES.items():
            if route[0] == "GET":
                sample.ask(us).close()
    touched = {text for text in statements if OF_PORTALS.search(text)}
    assert len({name for text in touched for name in OF_PORTALS.findall(text)}) >= 10
    assert [text for text in touched if not narrowed(text)] == []


def test_the_same_ids_live_in_both_portals_with_values_of_their_own(pair):
    us, them = pair
    with us.runtime.sessions() as database:
        for table in (Contact, Company, Deal):
            rows = {
                world.portal_id: dict(
                    database.execute(
                        sa.select(table.bitrix_id, table.synced_at).where(
                            table.portal_id == world.portal_id
                        )
                    ).all()
                )
                for world in pair
            }
            assert set(rows[us.portal_id]) & set(rows[them.portal_id])


def test_when_a_portal_is_erased_nothing_of_it_stays_and_nothing_of_the_other_goes(pair):
    us, them = pair
    engine = us.runtime.engine
    before = fingerprints(engine, us.portal_id)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DELETE FROM portals WHERE id = {them.portal_id}"))
        for table in Base.metadata.sorted_tables:
            if "portal_id" in table.columns:
                query = sa.select(sa.func.count()).where(table.c.portal_id == them.portal_id)
                assert connection.scalar(query) == 0, table.name
        connection.rollback()
    assert fingerprints(engine, us.portal_id) == before


def secrets_of(world):
    """Every secret of a portal that passed through our hands, past tokens included."""
    tokens = {
        text
        for entry in world.demo.control("log?limit=5000")
        for text in re.findall(r"[0-9a-f]{70}", str(entry))
    }
    with world.runtime.sessions() as database:
        vault, row = world.runtime.vault, database.get_one(PortalToken, world.portal_id)
        tokens |= {
            vault.open(world.portal_id, row.access_token_sealed),
            vault.open(world.portal_id, row.refresh_token_sealed),
        }
    body = world.frame()["body"]
    tokens |= {body["AUTH_ID"], body["REFRESH_ID"]}
    return tokens | {world.keys["client_secret"], world.keys["application_token"]}


def test_a_stolen_dump_holds_no_secret(pair):
    dump = everything(pair[0].runtime.engine)
    for world in pair:
        assert world.member_id in dump
        for secret in secrets_of(world):
            assert secret not in dump
    for key in pair[0].runtime.settings.encryption_keys:
        assert key not in dump


def test_the_log_of_a_whole_day_holds_no_secret_and_no_person(pair):
    lines = pair[0].lines
    assert lines.count("\n") >= 10
    assert "sync done" in lines
    for world in pair:
        for secret in secrets_of(world):
            assert secret not in lines
        people = world.rows("contact") + world.rows("lead")
        typed = {
            entry["VALUE"] for row in people for name in ("EMAIL", "PHONE")
            for entry in row.get(name) or () if len(entry["VALUE"]) > 6
        }  # fmt: skip
        assert len(typed) > 50
        assert [value for value in typed if value in lines] == []
        names = {row["LAST_NAME"] for row in people if len(row.get("LAST_NAME") or "") > 4}
        assert [name for name in names if name in lines] == []


def test_a_failure_shows_the_client_neither_its_trace_nor_its_words(pair, us, monkeypatch):
    secret = us.world.keys["client_secret"]

    def fail(*_arguments):
        raise RuntimeError(f"client_secret={secret} of anna@example.com")

    monkeypatch.setattr("integration.sync.runs.progress", fail)
    with recorded_lines() as lines:
        answer = us.get("/home")
    assert answer.status_code == 500
    text = answer.get_data(as_text=True)
    for word in ("Traceback", "RuntimeError", "anna", secret, "progress"):
        assert word not in text
    assert "RuntimeError" in lines.getvalue(), "the log tells what happened"
    assert secret not in lines.getvalue()
    assert "anna@" not in lines.getvalue()
