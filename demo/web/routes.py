"""Addresses of the portal's pages and of the JSON endpoints behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import orjson
from aiohttp import web

from demo.portal.api import ApiError
from demo.portal.methods import todos
from demo.web import cards, frames, lists, present, widgets
from demo.web.acting import acting
from demo.web.layout import LAYOUTS

if TYPE_CHECKING:
    from demo.portal.api import Context
    from demo.portal.state import Portal

HERE = Path(__file__).parent
TITLE = "Демо-портал"
PAGES = (
    *("/", "/crm/{tail:.*}", "/marketplace/{tail:.*}", "/company/{tail:.*}"),
    "/report/analytics/",
)
KIND = "{entity:contact|company|deal|lead}"

Endpoint = Callable[["Context", web.Request, dict[str, Any]], Any]


class Pages:
    """The pages of one portal."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.search = lists.Search()
        self.visits = frames.Visits()
        loader = jinja2.FileSystemLoader(HERE / "templates")
        environment = jinja2.Environment(loader=loader, autoescape=True)
        self.html = environment.get_template("portal.html").render(title=TITLE)

    async def page(self, request: web.Request) -> web.Response:
        """Any page: a shell the scripts fill. Frames talk to the portal's own address only."""
        known = {*self.portal.old_domains, *_loopback(request)} - {self.portal.domain}
        if request.host in known:
            raise web.HTTPFound(f"{self.portal.url}{request.rel_url}")
        headers = {"Cache-Control": "no-store"}
        return web.Response(text=self.html, content_type="text/html", headers=headers)

    async def static(self, request: web.Request) -> web.StreamResponse:
        """A script or a style, checked for freshness at every use."""
        path = HERE / "static" / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    def about(self, ctx: Context, *_: object) -> dict[str, Any]:
        """What surrounds every page."""
        users = (one for one in self.portal.store.tables["user"] if self.portal.user(one["ID"]))
        crm = [
            {"href": f"/crm/{name}/list/", "title": layout.plural, "icon": layout.icon}
            for name, layout in LAYOUTS.items()
        ]
        crm.append({"href": "/report/analytics/", "title": "CRM-аналитика", "icon": "analytics"})
        groups = [{"title": "CRM", "items": crm}]
        if apps := frames.menu(ctx):
            groups.append({"title": "Приложения", "items": apps})
        return {
            "title": TITLE,
            "user": self._user(self.portal.store.tables["user"].get(ctx.user_id) or {}),
            "users": [self._user(row) for row in users],
            "menu": groups,
        }

    def analytics(self, ctx: Context, *_: object) -> dict[str, Any]:
        """The applications' part of the menu of CRM analytics."""
        return {"menu": widgets.at(ctx, "CRM_ANALYTICS_MENU")}

    def list_page(self, ctx: Context, request: web.Request, _: object) -> dict[str, Any]:
        """A page of a list."""
        entity = request.match_info["entity"]
        category = _number(request, "category")
        query = request.query.get("q", "").strip()
        before = _number(request, "before")
        answer = lists.page(ctx, self.search, entity, query=query, before=before, category=category)
        if entity == "deal" and before is None:
            pipelines = sorted(
                self.portal.store.tables["category"], key=lambda row: row.get("SORT") or 0
            )
            answer["categories"] = [{"id": row["ID"], "title": row["NAME"]} for row in pipelines]
        return answer

    def card(self, ctx: Context, request: web.Request, _: object) -> dict[str, Any]:
        """A card."""
        return cards.card(ctx, request.match_info["entity"], int(request.match_info["id"]))

    def related(self, ctx: Context, request: web.Request, _: object) -> dict[str, Any]:
        """A list inside a card."""
        where = request.match_info
        return lists.related(ctx, where["entity"], int(where["id"]), where["kind"])

    def save(self, ctx: Context, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """Change an item; the card as it is now."""
        entity, row_id = request.match_info["entity"], int(request.match_info["id"])
        cards.save(ctx, entity, row_id, dict(body.get("fields") or {}))
        return cards.card(ctx, entity, row_id)

    def finish_todo(
        self, ctx: Context, request: web.Request, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Finish a to-do with what came of it; the card as it is now."""
        entity, row_id = request.match_info["entity"], int(request.match_info["id"])
        todos.complete(ctx, int(request.match_info["todo"]), str(body.get("result") or ""))
        return cards.card(ctx, entity, row_id)

    def create(self, ctx: Context, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """Add an item."""
        entity = request.match_info["entity"]
        return {"id": cards.create(ctx, entity, dict(body.get("fields") or {}))}

    def find(self, ctx: Context, request: web.Request, _: object) -> list[dict[str, Any]]:
        """A few items for a search box."""
        kinds = request.query.get("kinds", "").split(",")
        return lists.find(ctx, self.search, request.query.get("q", "").strip(), kinds)

    def frame(self, ctx: Context, _: object, body: dict[str, Any]) -> dict[str, Any]:
        """What opens an application."""
        return frames.open_frame(ctx, self.visits, body)

    def auth(self, ctx: Context, request: web.Request, _: object) -> dict[str, str]:
        """refreshAuth."""
        return frames.renew(ctx, frames.app_of(self.portal, request.match_info["app"]))

    def finish(self, ctx: Context, request: web.Request, _: object) -> dict[str, bool]:
        """setInstallFinish."""
        frames.finish(ctx, frames.app_of(self.portal, request.match_info["app"]))
        return {"installed": True}

    def option(self, ctx: Context, request: web.Request, body: dict[str, Any]) -> dict[str, bool]:
        """setAppOption and setUserOption."""
        frames.set_option(ctx, frames.app_of(self.portal, request.match_info["app"]), body)
        return {"saved": True}

    def json(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
        """An endpoint that acts as the employee named in the query and answers in JSON."""

        async def handle(request: web.Request) -> web.Response:
            body = await request.json(loads=orjson.loads) if request.can_read_body else {}
            ctx = acting(self.portal, request.query.get("user", ""))
            try:
                status, answer = 200, endpoint(ctx, request, body)
            except ApiError as error:
                status, answer = max(error.status, 400), {"error": error.description}
            headers = {"Cache-Control": "no-store"}
            return web.Response(
                body=orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS),
                status=status,
                content_type="application/json",
                headers=headers,
            )

        return handle

    def _user(self, row: dict[str, Any]) -> dict[str, Any]:
        name = present.person_name(row)
        return {
            "id": row.get("ID"),
            "name": name,
            "admin": self.portal.is_admin(row.get("ID") or 0),
            "position": row.get("WORK_POSITION") or "Менеджер",
            **present.face(name, row.get("ID") or 0),
        }


def add_routes(app: web.Application, portal: Portal) -> None:
    """Serve the pages of a portal."""
    pages = Pages(portal)
    for path in PAGES:
        app.router.add_get(path, pages.page)
    app.router.add_get("/web/static/{name:[a-z]+[.](?:js|css)}", pages.static)
    gets: dict[str, Endpoint] = {
        "portal": pages.about,
        "search": pages.find,
        "analytics": pages.analytics,
        f"crm/{KIND}": pages.list_page,
        f"crm/{KIND}/{{id:[0-9]+}}": pages.card,
        f"crm/{KIND}/{{id:[0-9]+}}/{{kind:deal|contact}}": pages.related,
    }
    posts: dict[str, Endpoint] = {
        f"crm/{KIND}": pages.create,
        f"crm/{KIND}/{{id:[0-9]+}}": pages.save,
        f"crm/{KIND}/{{id:[0-9]+}}/todo/{{todo:[0-9]+}}": pages.finish_todo,
        "frame": pages.frame,
        "apps/{app}/auth": pages.auth,
        "apps/{app}/finish": pages.finish,
        "apps/{app}/options": pages.option,
    }
    for path, endpoint in gets.items():
        app.router.add_get(f"/web/api/{path}", pages.json(endpoint))
    for path, endpoint in posts.items():
        app.router.add_post(f"/web/api/{path}", pages.json(endpoint))


def _number(request: web.Request, name: str) -> int | None:
    value = request.query.get(name, "")
    return int(value) if value.isdigit() else None


def _loopback(request: web.Request) -> set[str]:
    """Other names of this very machine, under the port the request came to."""
    _, colon, port = request.host.rpartition(":")
    return {f"{name}{colon}{port}" for name in ("localhost", "127.0.0.1")} if colon else set()
