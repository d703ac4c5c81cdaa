"""The pages of mailings as an administrator uses them, over HTTP, on a world whose base is read and counted."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from support.settings_page import plain

from core.clock import utcnow
from integration.mirror import Address
from mailings.consent import ledger
from mailings.models import Mailing, MailServer

LETTER = {
    "subject": "Скидка 10 % до пятницы",
    "preheader": "Только для своих",
    "how": "blocks",
    "blocks": [
        {"type": "heading", "text": "Здравствуйте, {{ client.name | default: 'друзья' }}!"},
        {"type": "text", "text": "Закажите до пятницы и получите скидку 10 %."},
        {"type": "button", "text": "Выбрать", "href": "https://shop.example.com/sale"},
    ],
}
DRAFT = {
    "name": "Осенняя скидка", "channel": "email", "topic": "offers", "server": "", "offer": "",
    "mode": "now", "every": "week", "weekday": "0", "monthday": "1", "at": "10:00", "zone": "portal",
    "caps": "skip",
}  # fmt: skip


class MailPages:
    """An administrator with the application open; the worker keeps up after each request."""

    def __init__(self, world: Any, user: int = 1) -> None:
        self.world, self.token = world, world.open(user).headers["X-Session"]
        self.page, self.status = "", 0

    def ask(self, method: str, path: str, *, work: bool = True, **form: Any) -> str:
        """The text of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        how = {"data": form} if method == "POST" else {"query_string": form}
        self.answer = self.world.browser.open(path, method=method, headers=headers, **how)
        self.page, self.status = self.answer.get_data(as_text=True), self.answer.status_code
        if work:
            self.world.work()
        return plain(self.page)

    def get(self, path: str, **query: Any) -> str:
        """Open a page."""
        return self.ask("GET", path, **query)

    def post(self, path: str, **form: Any) -> str:
        """Send a form."""
        return self.ask("POST", path, **form)

    def drafted(self, audience: str = "all_clients", **form: Any) -> int:
        """A new draft, made as the page makes it; its number."""
        self.post("/mailings", audience=audience, **form)
        assert self.status == 200, plain(self.page)
        return int(re.search(r'hx-post="/mailings/(\d+)"', self.page)[1])

    def change(self, mailing_id: int, version: int | None = None, **form: Any) -> str:
        """Change fields of a draft, as its form does: all of them are sent."""
        if version is None:
            version = self.row(mailing_id).version
        return self.post(f"/mailings/{mailing_id}", **DRAFT | form, version=version)

    def row(self, mailing_id: int) -> Mailing:
        """The mailing as it is stored."""
        with self.world.runtime.sessions() as session:
            return session.get_one(Mailing, (self.world.portal_id, mailing_id))

    def number(self) -> int:
        """How many mailings there are."""
        with self.world.runtime.sessions() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(Mailing)) or 0

    def write_letter(self, mailing_id: int, **changes: Any) -> None:
        """Put a letter into a draft."""
        with self.world.runtime.sessions.begin() as session:
            mailing = session.get_one(Mailing, (self.world.portal_id, mailing_id))
            mailing.content = LETTER | changes

    def agree(self, share: int = 1) -> int:
        """Let the people of every `share`-th address agree; how many addresses."""
        with self.world.runtime.sessions.begin() as session:
            query = sa.select(Address.normalised).where(
                Address.portal_id == self.world.portal_id,
                Address.kind == "email",
                Address.normalised.is_not(None),
            )
            found = sorted(set(session.scalars(query)))[::share]
            lines = [ledger.Line("email", each, True, "форма на сайте", utcnow()) for each in found]
            return ledger.record_all(session, self.world.portal_id, lines)

    def server(self, **changes: Any) -> int:
        """A mail server whose domain was checked and found good; its number."""
        facts = {
            "name": "Отдел продаж", "host": "smtp.example.com", "port": 587,
            "from_email": "sales@example.com", "from_name": "Анна, «Маяк»",
        }  # fmt: skip
        with self.world.runtime.sessions.begin() as session:
            server = MailServer(portal_id=self.world.portal_id, **facts | changes)
            session.add(server)
            session.flush()
            return server.id
