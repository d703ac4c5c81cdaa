"""The pages of the mail server: letters newest first, one letter as its recipient sees it."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from aiohttp import web

if TYPE_CHECKING:
    from demo.mail.acting import Life
    from demo.mail.letters import Letter
    from demo.mail.server import Server

HERE = Path(__file__).parent
PAGE = 50
_SHELL_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'"
)
_BODY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
_SHOWN_HEADERS = (
    *("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Unsubscribe"),
    *("List-Unsubscribe-Post", "List-Id", "Feedback-ID", "Precedence"),
)
_LINK = re.compile(r'<a\b[^>]*?\bhref="(https?://[^"]+)"[^>]*>(.*?)</a>', re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^>]+>")
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_BASE = '<base target="_blank">'


class Pages:
    """The letters of one server."""

    def __init__(self, server: Server, life: Life | None) -> None:
        self.letters, self.life = server.desk.letters, life
        loader = jinja2.FileSystemLoader(HERE / "templates")
        self._templates = jinja2.Environment(loader=loader, autoescape=True)

    async def listed(self, request: web.Request) -> web.Response:
        """A page of the list; `part`: only its rows, for the script that keeps them fresh."""
        query, before = request.query.get("q", "").strip(), _number(request.query.get("before"))
        found = self.letters.newest(query, before, PAGE + 1)
        facts = {
            "rows": [self._row(letter) for letter in found[:PAGE]],
            "query": query,
            "next": found[PAGE - 1].number if len(found) > PAGE else 0,
            "first": not before,
            "taken": self.letters.taken,
            "done": dict(self.life.counted) if self.life else {},
        }
        name = "rows.html" if "part" in request.query else "list.html"
        return self._page(name, _SHELL_POLICY, **facts)

    async def letter(self, request: web.Request) -> web.Response:
        """One letter: envelope, headers, both parts, links, what its recipient did."""
        letter = self._asked(request)
        html = letter.part("html")
        headers = [(k, str(v)) for k in _SHOWN_HEADERS for v in letter.parsed.get_all(k, [])]
        return self._page(
            "letter.html",
            _SHELL_POLICY,
            **self._row(letter),
            sender=letter.sender or "<>",
            headers=headers,
            has_html=bool(html),
            text=letter.part("plain"),
            links=_links(html),
            done=[(_moment(at), words) for at, words in self._done(letter)],
            defects=letter.defects,
            size=f"{len(letter.raw) / 1024:.1f}".replace(".", ","),
        )

    async def body(self, request: web.Request) -> web.Response:
        """The HTML part alone: it runs nothing and fetches nothing, its links open elsewhere."""
        html = self._asked(request).part("html")
        head = _HEAD.search(html)
        at = head.end() if head else 0
        headers = {"Content-Security-Policy": _BODY_POLICY, "Cache-Control": "no-store"}
        text = html[:at] + _BASE + html[at:]
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def source(self, request: web.Request) -> web.Response:
        """The letter as it came."""
        raw = self._asked(request).raw
        return web.Response(body=raw, content_type="text/plain", charset="utf-8")

    async def static(self, request: web.Request) -> web.StreamResponse:
        """The style and the script."""
        path = HERE / "static" / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    def _asked(self, request: web.Request) -> Letter:
        letter = self.letters.kept.get(int(request.match_info["number"]))
        if letter is None:
            raise web.HTTPNotFound(text="Такого письма нет.")
        return letter

    def _row(self, letter: Letter) -> dict[str, Any]:
        done = self._done(letter)
        return {
            "number": letter.number,
            "at": _moment(letter.at),
            "to": ", ".join(letter.recipients),
            "from_": str(letter.parsed["From"] or letter.sender),
            "subject": letter.subject or "Без темы",
            "last": done[-1][1] if done else "",
        }

    def _done(self, letter: Letter) -> list[tuple[datetime, str]]:
        return self.life.done.get(letter.number, []) if self.life else []

    def _page(self, name: str, policy: str, **facts: Any) -> web.Response:
        text = self._templates.get_template(name).render(**facts)
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)


def add_pages(app: web.Application, server: Server, life: Life | None) -> None:
    """Serve the pages."""
    pages = Pages(server, life)
    app.router.add_get("/", pages.listed)
    app.router.add_get("/letters/{number:[0-9]+}", pages.letter)
    app.router.add_get("/letters/{number:[0-9]+}/body", pages.body)
    app.router.add_get("/letters/{number:[0-9]+}/source", pages.source)
    app.router.add_get("/static/{name:[a-z]+[.](?:js|css)}", pages.static)


def _links(html: str) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for url, words in _LINK.findall(html):
        text = " ".join(unescape(_TAGS.sub(" ", words)).split())
        found.setdefault(unescape(url), text or "картинка")
    return list(found.items())


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%d.%m %H:%M:%S}"


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
