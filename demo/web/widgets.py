"""Widgets of applications at one place of the pages, as the employee sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.portal.api import Context
    from demo.portal.state import Portal


STANDARD_HEIGHT = 60


def at(ctx: Context, code: str) -> list[dict[str, Any]]:
    """What is bound at a place: enough to draw the item and to open it."""
    return [
        {
            "title": title(ctx.portal, placement.lang_all, placement.title) or app.title,
            "app": app.client_id,
            "placement": code,
            "index": index,
        }
        for index, (app, placement) in enumerate(ctx.portal.placements(code, ctx.user_id))
    ]


def of_field(portal: Portal, field_type: str) -> dict[str, Any] | None:
    """The application that draws fields of a type, with the height it asked for."""
    for app in portal.apps.values():
        code = field_type.removeprefix(f"rest_{app.id}_")
        kept = app.userfield_types.get(code) if code != field_type and app.installed else None
        if kept is not None:
            options = kept["OPTIONS"] if isinstance(kept["OPTIONS"], dict) else {}
            height = int(options.get("height") or 0)
            return {
                "app": app.client_id,
                "placement": "USERFIELD_TYPE",
                "field_type": code,
                "height": height if height > 0 else STANDARD_HEIGHT,
            }
    return None


def title(portal: Portal, lang_all: dict[str, Any], given: str) -> str:
    """A widget's title in the portal's language."""
    words = lang_all.get(portal.language) if isinstance(lang_all, dict) else None
    return str((words or {}).get("TITLE") or given)
