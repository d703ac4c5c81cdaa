"""The call list: each message is a to-do on the client's card, for the employee who is responsible for him.

The portal knows no key that would make a repeated request harmless. So a request whose answer was lost is looked for
by its mark in the to-do's text: found, it was taken; not found, nobody knows yet (`results.call_outcomes` looks again).
https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/todo/crm-activity-todo-add.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from core.runtime import Runtime
from integration import portals
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError, OperationTimeLimit, RateLimited
from integration.connect import connect
from integration.models import Portal
from mailings.channels.base import Gate, Message, Outcome, SendResult
from mailings.rules import calls

PROVIDER = "CRM_TODO"
PATIENCE = timedelta(seconds=30)
_PASSING = (RateLimited, OperationTimeLimit)


class CallListLink:
    """A way into one portal, found at the first message."""

    def __init__(
        self, connected: Callable[[], Client], on_error: Callable[[BitrixError], object]
    ) -> None:
        self._connected, self._on_error = connected, on_error
        self._opened: Client | None = None
        self._usable = True

    @property
    def usable(self) -> bool:
        """Whether the portal lets us in, as far as we know."""
        return self._usable

    def send(self, message: Message, gate: Gate) -> SendResult:
        """Add the to-do; the gate is asked right before the only request that counts."""
        if not message.facts:
            return SendResult(Outcome.FAILED, text="nobody to be called", ours=True)
        try:
            client = self._client()
        except BitrixError as error:
            return self._after(error, message)
        if not gate():
            return SendResult(Outcome.REFUSED_AT_GATE)
        try:
            answer = client.call("crm.activity.todo.add", _todo(message, message.facts))
        except BitrixError as error:
            return self._after(error, message)
        added = answer.result.get("id") if isinstance(answer.result, dict) else None
        if not added:
            return self._found(message) or SendResult(Outcome.UNKNOWN, text="no id in the answer")
        return SendResult(Outcome.SENT, provider_id=str(added))

    def close(self) -> None:
        """Nothing is kept open."""

    def _client(self) -> Client:
        if self._opened is None:
            self._opened = self._connected()
        return self._opened

    def _after(self, error: BitrixError, message: Message) -> SendResult:
        self._on_error(error)
        status = error.code[:40] or None
        code = error.status or None
        if portals.state_after(error) is not None:  # it concerns the whole portal
            self._usable = False
        if error.executed is None:
            found = self._found(message) if self._usable else None
            return found or SendResult(Outcome.UNKNOWN, code, status, error.detail)
        if not self._usable or error.retryable or isinstance(error, _PASSING):
            wait = timedelta(seconds=error.retry_after) if error.retry_after else PATIENCE
            return SendResult(Outcome.NOT_TRIED, code, status, error.detail, wait=wait, ours=True)
        return SendResult(Outcome.FAILED, code, status, error.detail)

    def _found(self, message: Message) -> SendResult | None:
        """The to-do, should the portal have made it before the link was lost."""
        facts = message.facts or {}
        try:
            number = look_up(
                self._client(), facts["owner_type_id"], facts["owner_id"], facts["mark"]
            )
        except BitrixError:
            return None
        return SendResult(Outcome.SENT, provider_id=str(number)) if number else None


def opened(runtime: Runtime, portal_id: int) -> CallListLink:
    """A way into this portal, which keeps its own limits."""

    def connected() -> Client:
        with runtime.sessions() as session:
            portal = session.get_one(Portal, portal_id)
        return connect(runtime, portal, priority=Priority.BACKGROUND)

    return CallListLink(connected, lambda error: portals.note(runtime.sessions, portal_id, error))


def look_up(client: Client, owner_type_id: int, owner_id: int, mark: str) -> int | None:
    """The id of the to-do with this mark on a card, if there is one. Raises BitrixError."""
    params = {
        "filter": {"OWNER_TYPE_ID": owner_type_id, "OWNER_ID": owner_id, "PROVIDER_ID": PROVIDER},
        "select": ["ID", "DESCRIPTION"],
    }
    for page in client.list_all("crm.activity.list", params=params):
        for row in page.rows:
            if calls.marked(row.get("DESCRIPTION"), mark):
                return int(row["ID"])
    return None


def _todo(message: Message, facts: dict[str, Any]) -> dict[str, Any]:
    todo = {
        "ownerTypeId": facts["owner_type_id"],
        "ownerId": facts["owner_id"],
        "deadline": facts["deadline"],
        "title": message.subject,
        "description": message.text,
    }
    if facts.get("responsible_id"):
        todo["responsibleId"] = facts["responsible_id"]
    return todo
