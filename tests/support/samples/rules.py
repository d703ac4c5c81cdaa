"""A request of every route of the first page, the first steps and the rules of a portal."""

from __future__ import annotations

import re

from support.settings_page import DEFAULT
from support.visitor import Sample, version_on

from integration import rights


def put_back(visitor, path, rule, **change):
    """Save a change of a rule, then put its first version back."""
    assert visitor.post(path, version=version_on(visitor, path), **change).status_code == 200
    version = version_on(visitor, path)
    return visitor.post(f"{path}/restore", rule=rule, number="1", version=version)


def rule_form(visitor, **choices):
    """The form of the sale rule, made from the version in force."""
    page = visitor.get("/settings").get_data(as_text=True)
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    own = {"version": version, "pipelines": ["0", "1"]}
    return {**DEFAULT, **own, **choices}


def given_right(visitor):
    """An employee who may write."""
    with visitor.world.runtime.sessions() as database:
        version = rights.rights_of(database, visitor.world.portal_id)[0]
    return visitor.post("/settings/people", user="2", right="write", version=str(version))


SAMPLES = {
    ("POST", "/"): Sample(lambda v: v.frame("/"), shows=True),
    ("GET", "/home"): Sample(lambda v: v.get("/home"), shows=True),
    ("GET", "/home/figures"): Sample(lambda v: v.get("/home/figures"), shows=True),
    ("GET", "/home/sync"): Sample(lambda v: v.get("/home/sync")),
    ("POST", "/home/sync"): Sample(lambda v: v.post("/home/sync")),
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
    ("GET", "/settings/people"): Sample(lambda v: (given_right(v), v.get("/settings/people"))[1], shows=True),
    ("GET", "/settings/people/found"): Sample(lambda v: v.get("/settings/people/found"), shows=True),
    ("POST", "/settings/people"): Sample(given_right, shows=True),
}  # fmt: skip
