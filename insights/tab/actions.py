"""What a manager does from the client's tab: a to-do on the card, mailings to the client stopped and allowed again."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

from sqlalchemy.orm import Session

from core.clock import utcnow
from core.runtime import Runtime
from insights.subject import Subject
from insights.tab import addresses
from integration.bitrix.budgets import Priority
from integration.connect import connect
from integration.models import Portal
from mailings.consent import suppressions
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey

_OWNER_TYPES = {"lead": 1, "contact": 3, "company": 4}
_AT = time(10)


def remind(
    runtime: Runtime, portal: Portal, client: Subject, user_id: int, title: str, text: str
) -> None:
    """Put a to-do on the card for tomorrow at ten by the portal's clock. Raises BitrixError.

    https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/todo/crm-activity-todo-add.html
    """
    zone = timezone(timedelta(minutes=portal.utc_offset_minutes))
    tomorrow = utcnow().astimezone(zone).date() + timedelta(days=1)
    todo = {
        "ownerTypeId": _OWNER_TYPES[client.kind.value],
        "ownerId": client.id,
        "deadline": datetime.combine(tomorrow, _AT, zone).isoformat(),
        "title": title,
        "description": text,
        "responsibleId": user_id,
    }
    connect(runtime, portal, priority=Priority.INTERACTIVE).call("crm.activity.todo.add", todo)


def stop_mailings(session: Session, portal_id: int, client: Subject, user_id: int) -> int:
    """Have no mailing go to the client's e-mail addresses; how many were stopped by it."""
    open_ones = [each for each in addresses.reach(session, portal_id, client) if not each.stopped]
    for each in open_ones:
        suppressions.suppress(
            *(session, portal_id, ChannelKey.EMAIL, each.address, Reason.MANUAL),
            source=addresses.STOPPED_HERE, actor=f"user:{user_id}",
        )  # fmt: skip
    return len(open_ones)


def allow_mailings(session: Session, portal_id: int, client: Subject, user_id: int) -> int:
    """Take back what was stopped here; what the person or an administrator said stays. How many addresses it was."""
    stopped = [each for each in addresses.reach(session, portal_id, client) if each.by_hand]
    for each in stopped:
        suppressions.lift(
            session, portal_id, ChannelKey.EMAIL, each.address, actor=f"user:{user_id}"
        )
    return len(stopped)
