"""Rows of activities: calls (in, out, missed), letters, meetings, to-dos."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from demo.data.clients import moment
from demo.data.draws import DAY
from demo.data.plan import Plan
from demo.data.staff import owner

Row = dict[str, Any]

LEAD, DEAL, CONTACT, COMPANY = 1, 2, 3, 4
INCOMING, OUTGOING = 1, 2

# percent, type, provider, provider type, direction, subject
_KINDS = (
    (20, 2, "VOXIMPLANT_CALL", "CALL", INCOMING, "Входящий звонок"),
    (28, 2, "VOXIMPLANT_CALL", "CALL", OUTGOING, "Исходящий звонок"),
    (8, 2, "VOXIMPLANT_CALL", "CALL", INCOMING, "Пропущенный звонок"),
    (14, 4, "CRM_EMAIL", "EMAIL", OUTGOING, "Коммерческое предложение"),
    (10, 4, "CRM_EMAIL", "EMAIL", INCOMING, "Re: Коммерческое предложение"),
    (8, 1, "CRM_MEETING", "MEETING", OUTGOING, "Встреча на объекте"),
    (12, 6, "CRM_TODO", "TODO", OUTGOING, "Связаться и уточнить сроки"),
)
_ANY_KIND = tuple(kind[1:] for kind in _KINDS for _ in range(kind[0]))


def _occasions(plan: Plan, rng: Random) -> list[tuple[int, int, int, int]]:
    """Return (moment, owner type, owner id, contact) in the order of time."""
    owners = ((DEAL, plan.deals), (CONTACT, plan.contacts), (LEAD, plan.leads))
    found = []
    for _ in range(plan.sizes.activities):
        draw = rng.random()
        kind, rows = owners[0 if draw < 0.65 else 1 if draw < 0.85 else 2]
        if not rows:
            continue
        number = 1 + int(rng.random() * len(rows))
        contact = 0
        if kind == DEAL:
            deal = plan.deals[number - 1]
            since, until, contact = deal.created, deal.moved, deal.contact
        elif kind == CONTACT:
            since, until, contact = plan.contacts[number - 1], plan.now, number
        else:
            lead = plan.leads[number - 1]
            since, until, contact = (
                lead.created,
                min(lead.created + 9 * DAY, plan.now),
                lead.contact,
            )
        found.append((since + int((until - since) * rng.random()), kind, number, contact))
    found.sort()
    return found


def activities(plan: Plan) -> Iterator[Row]:
    """Yield all activities."""
    rng = Random(f"{plan.seed}/activities")
    for number, (when, owner_type, owner_id, contact) in enumerate(_occasions(plan, rng), 1):
        kind = _ANY_KIND[int(rng.random() * len(_ANY_KIND))]
        type_id, provider, provider_type, direction, subject = kind
        missed = subject.startswith("Пропущенный")
        user = owner(rng)
        started = moment(when)
        planned = type_id == 6 and plan.now - when < 20 * DAY
        ended = moment(when + 60 + int(rng.random() * 1800))
        bindings = [{"OWNER_TYPE_ID": owner_type, "OWNER_ID": owner_id}]
        if contact and owner_type != CONTACT:
            bindings.append({"OWNER_TYPE_ID": CONTACT, "OWNER_ID": contact})
        yield {
            "ID": number,
            "OWNER_TYPE_ID": owner_type,
            "OWNER_ID": owner_id,
            "TYPE_ID": type_id,
            "PROVIDER_ID": provider,
            "PROVIDER_TYPE_ID": provider_type,
            "DIRECTION": direction,
            "SUBJECT": subject,
            "DESCRIPTION": "",
            "PRIORITY": 2,
            "COMPLETED": "N" if planned or missed else "Y",
            "STATUS": 1 if planned or missed else 2,
            "RESPONSIBLE_ID": user,
            "AUTHOR_ID": user,
            "EDITOR_ID": user,
            "CREATED": started,
            "LAST_UPDATED": ended,
            "START_TIME": started,
            "END_TIME": started if missed else ended,
            "DEADLINE": moment(when + 2 * DAY) if type_id == 6 else started,
            "SETTINGS": {"MISSED_CALL": True} if missed else {},
            "BINDINGS": bindings,
        }
