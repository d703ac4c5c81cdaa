"""The field that draws a client's value on the portal's cards: its type, which opens us, and the fields of it.

It holds nothing: the portal asks us for it whenever somebody opens such a card, which costs a request of the
portal's share each time. So it is made when an administrator wants it, and not with the installation.

https://apidocs.bitrix24.com/api-reference/widgets/user-field/userfieldtype-add.html
"""

from __future__ import annotations

import logging

from core.runtime import Runtime
from integration import installs
from integration.binding import handler_of
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.connect import connect
from integration.fields import VALUE_CODE, PortalField
from integration.models import Portal, PortalState
from integration.placements import FIELD_TYPE

log = logging.getLogger(__name__)

STEP = "value_field"
"""Under this key a portal's `install_steps` say for which address of ours it was made."""
TYPE = "rubilnikvalue"
HEIGHT = 40
ENTITIES = ("contact", "company", "deal")


def wanted(portal: Portal) -> bool:
    """Whether an administrator has had it made."""
    return STEP in portal.install_steps


def show(runtime: Runtime, portal: Portal) -> None:
    """Make what is missing of it, for an administrator who waits. Raises BitrixError."""
    handler = handler_of(runtime, FIELD_TYPE)
    _make(connect(runtime, portal, priority=Priority.INTERACTIVE), handler)
    installs.note_step(runtime, portal.id, STEP, "done", handler)


def follow(runtime: Runtime, portal_id: int) -> None:
    """Tell the portal when our address has changed; what people deleted meanwhile stays deleted."""
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
    handler = handler_of(runtime, FIELD_TYPE)
    current = portal.install_steps.get(STEP, {}).get("reason") == handler
    if not wanted(portal) or current or portal.state != PortalState.ACTIVE:
        return
    try:
        _keep_type(connect(runtime, portal), handler)
        installs.note_step(runtime, portal_id, STEP, "done", handler)
    except BitrixError as error:
        log.warning("field type not moved", extra={"portal": portal_id, "reason": error.detail})


def _make(client: Client, handler: str) -> None:
    _keep_type(client, handler)
    app_id = client.call("app.info", {}).result["ID"]
    kind = f"rest_{app_id}_{TYPE}"
    field = PortalField(VALUE_CODE, kind, "Ценность клиента", "Client's value", in_filter=False)
    installs.create_fields(client, [field], ENTITIES)


def _keep_type(client: Client, handler: str) -> None:
    known = {row["USER_TYPE_ID"]: row for row in client.call("userfieldtype.list", {}).result or []}
    facts = {
        "USER_TYPE_ID": TYPE,
        "HANDLER": handler,
        "TITLE": "Рубильник: ценность клиента",
        "DESCRIPTION": "LTV и стадия жизни клиента",
        "OPTIONS": {"height": HEIGHT},
    }
    if TYPE not in known:
        client.call("userfieldtype.add", facts)
    elif known[TYPE].get("HANDLER") != handler:
        client.call("userfieldtype.update", facts)
