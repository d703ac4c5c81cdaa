"""Our places in the portal's pages: bound where they are missing, let go of where they are no longer wanted.

https://apidocs.bitrix24.com/api-reference/widgets/placement-bind.html
"""

from __future__ import annotations

import logging

from core.runtime import Runtime
from integration.bitrix.batch import Command
from integration.bitrix.client import Client
from integration.models import Portal
from integration.placements import BOUND, LEFT_MENU, Place, Purpose

log = logging.getLogger(__name__)

_UNKNOWN = "ERROR_PLACEMENT_NOT_FOUND"


def bind_placements(runtime: Runtime, client: Client, portal: Portal) -> None:
    """Make the portal's places those that are wanted: one request when they are."""
    handlers = {place.code: handler_of(runtime, place.code) for place in wanted(portal)}
    bound = client.call("placement.get", {}).result or []
    present = {(str(row["placement"]), str(row["handler"])) for row in bound}
    commands: dict[str, Command] = {}
    for code, handler in sorted(present):
        if code in BOUND and handlers.get(code) != handler:
            let_go = {"PLACEMENT": code, "HANDLER": handler}
            commands[f"unbind{len(commands)}"] = ("placement.unbind", let_go)
    for code, handler in handlers.items():
        if (code, handler) not in present:
            commands[code] = ("placement.bind", _binding(BOUND[code], handler))
    if not commands:
        return
    for key, error in client.batch(commands).errors.items():
        place = BOUND.get(key)
        if place is not None and place.purpose is not Purpose.TAB and error.code == _UNKNOWN:
            log.info("an older portal has no such place", extra={"placement": key})
            continue
        raise error


def wanted(portal: Portal) -> list[Place]:
    """Of the main menu only where the application has no item of its own there: two would open the same page."""
    return [
        place for place in BOUND.values() if place.code != LEFT_MENU or not portal.has_menu_item
    ]


def handler_of(runtime: Runtime, code: str) -> str:
    """The address the portal opens at a place."""
    return f"{runtime.settings.public_url}/placement/{code.lower()}"


def _binding(place: Place, handler: str) -> dict[str, object]:
    return {
        "PLACEMENT": place.code,
        "HANDLER": handler,
        "TITLE": place.titles["ru"]["TITLE"],
        "LANG_ALL": place.titles,
    }
