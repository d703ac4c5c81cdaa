"""Stage history of deals and leads: consistent with the rows, ids in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from demo.data.clients import moment
from demo.data.dealing import Deal
from demo.data.dictionaries import LEAD_STAGES, REPEAT, SALES, STAGES, stage_id
from demo.data.draws import WON
from demo.data.leads import Leads
from demo.data.plan import Plan

Row = dict[str, Any]
CREATED, MOVED, FINAL, REROUTED = 1, 2, 3, 5

# One integer an event, so that millions of them sort fast: time, owner, and a step code.
_STEP_BITS, _OWNER_BITS = 8, 28
_TIME_SHIFT = _STEP_BITS + _OWNER_BITS


def _steps(number: int, deal: Deal) -> list[tuple[int, int, int, int]]:
    """Return (moment, type, category, stage) of a deal from its creation to what it is now."""
    created, moved, _, _, _, _, _, category, stage, _ = deal
    won = WON[category]
    span = moved - created
    rerouted = category == REPEAT and number % 23 == 0 and span > 600
    steps = [(created, CREATED, SALES if rerouted else category, 0)]
    if rerouted:
        steps.append((created + span // 8, REROUTED, REPEAT, 0))
    if stage == won and number % 31 == 0 and span > 600:
        # Won too early, taken back to work, and won again.
        steps.append((created + span // 4, FINAL, category, stage))
        steps.append((created + span // 3, MOVED, category, 2))
    elif stage > 1 and number % 2:
        steps.append((created + span // 2, MOVED, category, 1))
    if stage:
        steps.append((moved, FINAL if stage >= won else MOVED, category, stage))
    return steps


def _events(plan: Plan) -> list[int]:
    events: list[int] = []
    push = events.append
    for number, deal in enumerate(plan.deals, 1):
        owner = number << _STEP_BITS
        for when, kind, category, stage in _steps(number, deal):
            push(when << _TIME_SHIFT | owner | kind << 5 | category << 3 | stage)
    events.sort()
    return events


def deal_history(plan: Plan) -> Iterator[Row]:
    """Yield the stage history of deals."""
    # What a step code (type, category, stage) means, worked out once for all rows.
    meanings = {
        kind << 5 | category << 3 | stage: (kind, category, stage_id(category, row[0]), row[2])
        for kind in (CREATED, MOVED, FINAL, REROUTED)
        for category, rows in STAGES.items()
        for stage, row in enumerate(rows)
    }
    owners, steps = (1 << _OWNER_BITS) - 1, (1 << _STEP_BITS) - 1
    from_timestamp = datetime.fromtimestamp
    for number, event in enumerate(_events(plan), 1):
        kind, category, stage, semantics = meanings[event & steps]
        yield {
            "ID": number,
            "ENTITY_TYPE_ID": 2,
            "TYPE_ID": kind,
            "OWNER_ID": event >> _STEP_BITS & owners,
            "CREATED_TIME": from_timestamp(event >> _TIME_SHIFT, UTC),
            "CATEGORY_ID": category,
            "STAGE_ID": stage,
            "STAGE_SEMANTIC_ID": "F" if semantics == "A" else semantics,
        }


def lead_history(plan: Plan, after: int) -> Iterator[Row]:
    """Yield the stage history of leads; ids go on from the given one."""
    leads = Leads(plan)
    semantics = {code: "F" if mark == "A" else mark for code, _, mark, _ in LEAD_STAGES}
    events = []
    for owner, lead in enumerate(plan.leads, 1):
        events.append((lead.created, owner, CREATED, "NEW"))
        status = leads.status(owner, lead)
        if status != "NEW":
            kind = MOVED if semantics[status] == "P" else FINAL
            events.append((leads.moved(owner, lead), owner, kind, status))
    for number, (when, owner, kind, status) in enumerate(sorted(events), after + 1):
        yield {
            "ID": number,
            "ENTITY_TYPE_ID": 1,
            "TYPE_ID": kind,
            "OWNER_ID": owner,
            "CREATED_TIME": moment(when),
            "STAGE_ID": status,
            "STAGE_SEMANTIC_ID": semantics[status],
        }


def stage_history(plan: Plan) -> Iterator[Row]:
    """Yield the history of deals, then of leads, under one sequence of ids."""
    last = 0
    for row in deal_history(plan):
        last = row["ID"]
        yield row
    yield from lead_history(plan, last)
