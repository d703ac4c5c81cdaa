"""A request of every route of mailings, their results and what comes back from outside."""

from __future__ import annotations

import re

import sqlalchemy as sa
from support.mail_results import click_of, pixel_of
from support.returned import dsn, verp
from support.samples.segments import DRAFT, segment
from support.visitor import OURS, Sample

from mailings.models import Delivery
from mailings.receipts.secrets import key as receipt_key
from mailings.rules import tokens
from mailings.rules.tokens import Purpose


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


def way_out(visitor):
    """The page of that message by which one leaves."""
    sent, key = delivery(visitor), visitor.world.runtime.settings.secret_key
    return f"/u/{tokens.make(key, Purpose.UNSUBSCRIBE, sent.portal_id, sent.id)}"


def picture(visitor):
    """The invisible picture of that message, without its bytes."""
    answer = visitor.get(pixel_of(visitor.world.runtime.settings, delivery(visitor)))
    answer.set_data(b"")
    return answer


def returned_letter(visitor):
    """A mail server posts a return of that message."""
    settings, sent = visitor.world.runtime.settings, delivery(visitor)
    door = f"/receipts/email/dsn?key={receipt_key(settings, sent.portal_id)}"
    return visitor.world.browser.post(door, data=dsn(verp(settings.secret_key, sent)))


def picked(visitor, act):
    """Something done to a new draft that was ticked in the list."""
    return visitor.post(f"/mailings/picked/{act}", pick=drafted(visitor).rpartition("/")[2])


def ticked(visitor, act, **form):
    """Something done to the shared contact, ticked in a list of people."""
    return visitor.post(f"/people/{act}", pick=f"contact:{visitor.contact_id}", **form)


SAMPLES = {
    ("GET", "/mailings/running"): Sample(lambda v: v.get("/mailings/running")),
    ("GET", "/c/<token>"): Sample(
        lambda v: v.get(click_of(v.world.runtime.settings, delivery(v))), status=302
    ),
    ("GET", "/o/<token>"): Sample(picture),
    ("GET", "/u/<token>"): Sample(lambda v: v.get(way_out(v))),
    ("POST", "/u/<token>"): Sample(lambda v: v.world.browser.post(way_out(v), data={"ask": "rest"})),
    ("POST", "/receipts/email/<provider>"): Sample(returned_letter),
    ("GET", "/mailings"): Sample(lambda v: v.get("/mailings"), shows=True),
    ("GET", "/mailings/file"): Sample(lambda v: v.get("/mailings/file"), shows=True),
    ("POST", "/mailings/picked/delete"): Sample(lambda v: picked(v, "delete"), shows=True),
    ("POST", "/mailings/picked/pause"): Sample(lambda v: picked(v, "pause"), shows=True),
    ("POST", "/mailings/picked/resume"): Sample(lambda v: picked(v, "resume"), shows=True),
    ("POST", "/mailings/picked/cancel"): Sample(lambda v: picked(v, "cancel"), shows=True),
    ("POST", "/people/put"): Sample(lambda v: ticked(v, "put", name=OURS), shows=True),
    ("GET", "/people/reach"): Sample(lambda v: v.get(f"/people/reach?segment={segment(v)}")),
    ("POST", "/people/reach"): Sample(lambda v: v.post("/people/reach", draft=DRAFT)),
    ("POST", "/people/stop"): Sample(lambda v: ticked(v, "stop")),
    ("POST", "/people/file"): Sample(lambda v: ticked(v, "file"), shows=True),
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
    ("GET", "/mailings/<int:mailing_id>/leads/export"): Sample(lambda v: v.get(f"{mailing(v)}/leads/export")),
    ("POST", "/mailings/<int:mailing_id>/follow-up"): Sample(
        lambda v: v.post(f"{mailing(v)}/follow-up", whom="clicked_only", key="1")
    ),
}  # fmt: skip
