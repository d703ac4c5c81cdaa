"""An administrator of a portal in front of the application, and what he can ask it for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.world import World

from core.clock import utcnow
from core.web import session
from integration import api_tokens

OURS = "Снегирёв"
"""The name that everything a visitor's portal could show bears."""


@dataclass
class Visitor:
    """An administrator of one portal with its card of the shared contact open."""

    world: World
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

    def program(self, *, may_write=True):
        """A program with a new token of the portal."""
        return Program(self.world, self.made_token(may_write=may_write))

    def made_token(self, *, may_write=True):
        with self.world.runtime.sessions.begin() as database:
            for token in api_tokens.listed(database, self.world.portal_id)[0]:
                api_tokens.revoke(database, self.world.portal_id, token.token.id, 1)
            return api_tokens.make(
                database, self.world.portal_id, OURS, self.viewer.user_id, may_write=may_write
            )

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
class Program:
    """Software of the portal's own with a token; `ask` is a request to an address of the API."""

    world: World
    token: str

    def ask(self, method, path, body=None, **how):
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.world.app.test_client().open(
            f"/api/v1{path}", method=method, headers=headers, json=body, **how
        )


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
