"""placement.bind, unbind, get and list."""

from __future__ import annotations

from typing import Any

from demo.portal.access import allows
from demo.portal.api import ApiError, Context, Result, method
from demo.portal.state import Placement
from demo.portal.system.common import administrator, application, lowered, number, truthy

ENTITIES = ("LEAD", "DEAL", "CONTACT", "COMPANY", "QUOTE", "SMART_INVOICE")
PLACES = (
    "LIST_MENU", "LIST_TOOLBAR", "DETAIL_TAB", "DETAIL_TOOLBAR", "DETAIL_ACTIVITY",
)  # fmt: skip
CRM_CODES = [f"CRM_{entity}_{place}" for place in PLACES for entity in ENTITIES] + [
    "CRM_LEAD_ACTIVITY_TIMELINE_MENU",
    "CRM_DEAL_ACTIVITY_TIMELINE_MENU",
    "CRM_QUOTE_ACTIVITY_TIMELINE_MENU",
    "CRM_ACTIVITY_LIST_MENU",
    "CRM_ANALYTICS_MENU",
    "CRM_ANALYTICS_TOOLBAR",
    "CRM_FUNNELS_TOOLBAR",
    "CRM_LEAD_ROBOT_DESIGNER_TOOLBAR",
    "CRM_DEAL_ROBOT_DESIGNER_TOOLBAR",
]
BACKGROUND = "PAGE_BACKGROUND_WORKER"
ONLY_ONCE = (BACKGROUND, "REST_APP_URI")
CODES: dict[str, list[str]] = {
    "": ["LEFT_MENU", *ONLY_ONCE],
    "crm": CRM_CODES,
    "im": ["IM_TEXTAREA", "IM_SIDEBAR", "IM_NAVIGATION", "IM_CONTEXT_MENU"],
    "user": ["USER_PROFILE_MENU", "USER_PROFILE_TOOLBAR"],
    "task": ["TASK_LIST_CONTEXT_MENU", "TASK_VIEW_TAB"],
}


@method("placement.bind", scope="placement")
def bind(ctx: Context, params: dict[str, Any]) -> Result:
    """Register a widget."""
    app = application(ctx)
    administrator(ctx)
    given = {key.upper(): value for key, value in params.items()}
    code, handler = _text(given, "PLACEMENT").upper(), _text(given, "HANDLER")
    options = given.get("OPTIONS") if isinstance(given.get("OPTIONS"), dict) else {}
    user_id = number(given.get("USER_ID"))
    _check_place(ctx, code, options or {}, user_id)
    if not handler.startswith(("http://", "https://")):
        raise ApiError(400, "ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol")
    same = [p for p in app.placements if p.placement == code]
    if same and code in ONLY_ONCE:
        raise ApiError(200, "ERROR_PLACEMENT_MAX_COUNT", "Placement max count")
    if any((p.handler, p.user_id) == (handler, user_id) for p in same):
        description = "Unable to set placement handler: Handler already binded"
        raise ApiError(400, "ERROR_CORE", description)
    titles = given.get("LANG_ALL") if isinstance(given.get("LANG_ALL"), dict) else None
    title = str(given.get("TITLE") or _translated(titles, ctx.portal.language, "TITLE"))
    app.placements.append(
        Placement(
            placement=code,
            handler=handler,
            title=title or app.title,
            description=str(given.get("DESCRIPTION") or ""),
            group_name=str(given.get("GROUP_NAME") or ""),
            options=options or {},
            lang_all=titles or {ctx.portal.language: {"TITLE": title, "DESCRIPTION": ""}},
            user_id=user_id,
        )
    )
    return Result(True)


@method("placement.unbind", scope="placement")
def unbind(ctx: Context, params: dict[str, Any]) -> Result:
    """Remove widgets; the count grows by two with each, one found and one deleted."""
    app = application(ctx)
    administrator(ctx)
    given = {key.upper(): value for key, value in params.items()}
    code, handler = _text(given, "PLACEMENT").upper(), given.get("HANDLER")
    user_id = number(given["USER_ID"]) if "USER_ID" in given else None
    doomed = [
        p
        for p in app.placements
        if p.placement == code and handler in (None, "", p.handler) and user_id in (None, p.user_id)
    ]
    app.placements = [p for p in app.placements if p not in doomed]
    return Result({"count": 2 * len(doomed)})


@method("placement.get", scope="placement")
def get(ctx: Context, _params: dict[str, Any]) -> Result:
    """The application's widgets."""
    app = application(ctx)
    administrator(ctx)
    return Result(
        [
            {
                "placement": p.placement,
                "userId": p.user_id,
                "handler": p.handler,
                "options": p.options or [],
                "title": p.title,
                "description": p.description,
                "langAll": p.lang_all,
            }
            for p in app.placements
        ]
    )


@method("placement.list", scope="placement")
def list_(ctx: Context, params: dict[str, Any]) -> Result:
    """Codes of the places where widgets may be."""
    application(ctx)
    given = lowered(params)
    if given.get("scope"):
        return Result(CODES.get(str(given["scope"]), []))
    full = truthy(given.get("full"))
    return Result(
        [code for scope, codes in CODES.items() if full or allows(ctx.scopes, scope)
         for code in codes]
    )  # fmt: skip


def _check_place(ctx: Context, code: str, options: dict[str, Any], user_id: int) -> None:
    scope = next((scope for scope, codes in CODES.items() if code in codes), None)
    if scope is None or not allows(ctx.scopes, scope):
        raise ApiError(400, "ERROR_PLACEMENT_NOT_FOUND", "Placement not found")
    if user_id and code != BACKGROUND:
        raise ApiError(200, "ERROR_PLACEMENT_USER_MODE", "User mode is not available.")
    if code == BACKGROUND and not options.get("errorHandlerUrl"):
        raise ApiError(200, "EMPTY_ERROR_HANDLER_URL", "Set errorHandlerUrl option")


def _text(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not value:
        raise ApiError(400, "ERROR_ARGUMENT", f"Argument '{key}' is null or empty")
    if not isinstance(value, str):
        description = f"The value of an argument '{key}' must be of type string"
        raise ApiError(400, "ERROR_ARGUMENT", description)
    return value


def _translated(titles: dict[str, Any] | None, language: str, key: str) -> str:
    texts = (titles or {}).get(language)
    return str(texts.get(key) or "") if isinstance(texts, dict) else ""
