"""Applications inside the pages: what opens a frame and what the portal tells it about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from demo.portal import apps
from demo.portal.api import ApiError
from demo.web import widgets

if TYPE_CHECKING:
    from demo.portal.api import Context
    from demo.portal.state import App, Portal

LINKED_PAGE = (
    "REST_APP_URI"  # /marketplace/view/<client_id>/?params[...]: one handler an application
)

FIELD = "USERFIELD_TYPE"  # of userfieldtype.add: nobody binds it


@dataclass
class Visits:
    """Who has opened which application before: FIRST_RUN is true only once."""

    seen: set[tuple[str, int]] = field(default_factory=set)

    def first(self, app: App, user_id: int) -> bool:
        """Whether this is the employee's first visit; it is not from now on."""
        key = (app.client_id, user_id)
        if key in self.seen:
            return False
        self.seen.add(key)
        return True


def app_of(portal: Portal, client_id: str) -> App:
    """An application by its code."""
    app = portal.apps.get(client_id)
    if app is None:
        raise ApiError(404, "", "Приложение не найдено: возможно, его удалили с портала")
    return app


def menu(ctx: Context) -> list[dict[str, Any]]:
    """The applications' part of the left menu."""
    items = [
        {"href": f"/marketplace/app/{app.client_id}/", "title": app.menu_title, "icon": "app"}
        for app in ctx.portal.apps.values()
        if app.menu_title
    ]
    for one in widgets.at(ctx, "LEFT_MENU"):
        href = f"/marketplace/view/{one['app']}/left-menu/{one['index']}/"
        items.append({"href": href, "title": one["title"], "icon": "app"})
    return items


def open_frame(ctx: Context, visits: Visits, asked: dict[str, Any]) -> dict[str, Any]:
    """The form to post into the iframe and the answer to its getInitData, or a notice instead."""
    portal = ctx.portal
    app = app_of(portal, str(asked.get("app", "")))
    if not app.installed and not ctx.is_admin:
        return {
            "notice": f"Приложение «{app.title}» установлено не полностью. "
            "Обратитесь к администратору портала, чтобы он завершил установку."
        }
    placement = str(asked.get("placement") or apps.MAIN_PAGE)
    options = {key: _text(value) for key, value in dict(asked.get("options") or {}).items()}
    if uri := asked.get("uri"):
        options["URI"] = str(uri)
    if placement == FIELD:
        handler = _of_field(app, str(asked.get("field_type") or ""))
    else:
        handler = _handler(ctx, app, placement, int(asked.get("index") or 0))
    frame = apps.open_frame(portal, app, ctx.user_id, placement, options, handler=handler)
    origin = urlsplit(frame.url)
    return {
        "url": frame.url,
        "body": frame.body,
        "name": frame.name,
        "sid": frame.app_sid,
        "title": app.title,
        "origin": f"{origin.scheme}://{origin.netloc}",
        "init": _init_data(ctx, app, frame, options, first=visits.first(app, ctx.user_id)),
    }


def renew(ctx: Context, app: App) -> dict[str, str]:
    """A fresh pair of tokens for the open frame."""
    token = ctx.portal.tokens.issue(app.client_id, ctx.user_id, ctx.portal.timestamp())
    seconds = str(int(token.expires - ctx.portal.timestamp()))
    return {"AUTH_ID": token.access, "REFRESH_ID": token.refresh, "AUTH_EXPIRES": seconds}


def finish(ctx: Context, app: App) -> None:
    """What installFinish does; only an administrator installs."""
    if not ctx.is_admin:
        raise ApiError(403, "", "Установку завершает администратор портала")
    apps.finish(app)


def set_option(ctx: Context, app: App, asked: dict[str, Any]) -> None:
    """Keep a value for the application: one for everybody (administrators only) or one's own."""
    if asked.get("scope") == "user":
        kept = app.user_options.setdefault(ctx.user_id, {})
    elif ctx.is_admin:
        kept = app.options
    else:
        raise ApiError(403, "", "Общие настройки приложения меняет администратор")
    kept[str(asked["name"])] = asked.get("value")


def _handler(ctx: Context, app: App, placement: str, index: int) -> str:
    if placement == apps.MAIN_PAGE:
        return ""
    bound = ctx.portal.placements(placement, ctx.user_id)
    if placement == LINKED_PAGE:
        bound = [pair for pair in bound if pair[0] is app]
    if index >= len(bound) or bound[index][0] is not app:
        raise ApiError(404, "", "Виджет больше не подключён")
    return bound[index][1].handler


def _of_field(app: App, code: str) -> str:
    kept = app.userfield_types.get(code)
    if kept is None:
        raise ApiError(404, "", "Тип поля больше не зарегистрирован")
    return str(kept["HANDLER"])


def _init_data(
    ctx: Context, app: App, frame: apps.Frame, options: dict[str, Any], *, first: bool
) -> dict[str, Any]:
    portal = ctx.portal
    return {
        "DOMAIN": portal.domain,
        "PROTOCOL": 1 if portal.scheme == "https" else 0,
        "PATH": "/rest",
        "LANG": portal.language,
        "MEMBER_ID": portal.member_id,
        "IS_ADMIN": ctx.is_admin,
        "AUTH_ID": frame.body["AUTH_ID"],
        "REFRESH_ID": frame.body["REFRESH_ID"],
        "AUTH_EXPIRES": frame.body["AUTH_EXPIRES"],
        "APP_OPTIONS": app.options,
        "USER_OPTIONS": app.user_options.get(ctx.user_id, {}),
        "PLACEMENT": frame.body["PLACEMENT"],
        "PLACEMENT_OPTIONS": options,
        "INSTALL": not app.installed,
        "FIRST_RUN": first and app.installed,
    }


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, (dict, list)) else str(value)
