"""A request of every route of the settings of mailings."""

from __future__ import annotations

import io
import re

from support.samples.mailings import delivery
from support.visitor import OURS, Sample, version_on

SERVER = {"name": OURS, "host": "127.0.0.1", "port": "1", "from_email": "us@example.com"}


def mail_server(visitor):
    """A new mail server, at an address nobody answers at."""
    page = visitor.post("/settings/mailings/servers", **SERVER).get_data(as_text=True)
    return re.search(r'hx-post="(/settings/mailings/servers/\d+)"', page)[1]


def mailing_rule(visitor, page, **form):
    """Save a part of the rules of mailings."""
    return visitor.post(page, version=version_on(visitor, "/settings/mailings/consent"), **form)


SAMPLES = {
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
    ("POST", "/settings/mailings/suppressed/picked/lift"): Sample(
        lambda v: v.post("/settings/mailings/suppressed/picked/lift", every="1", query="reason=manual")
    ),
    ("GET", "/settings/mailings/suppressed/file"): Sample(lambda v: v.get("/settings/mailings/suppressed/file")),
    ("GET", "/settings/mailings/import"): Sample(lambda v: v.get("/settings/mailings/import")),
    ("POST", "/settings/mailings/import"): Sample(
        lambda v: v.post(
            "/settings/mailings/import", source="x", file=(io.BytesIO(b"address\nyes@example.com\n"), "c.csv")
        )
    ),
    ("GET", "/settings/mailings/proof"): Sample(
        lambda v: v.get(f"/settings/mailings/proof?address={delivery(v).address}")
    ),
}  # fmt: skip
