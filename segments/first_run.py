"""How far an administrator is with the first steps after the installation: from facts where there are any.

What can only be confirmed, or was put off, is stored; so is that he is through, or does not want to be led.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from core.clock import utcnow
from core.locks import one_at_a_time
from integration.models import Portal
from segments.models import FirstRun, SaleRule
from segments.writing import writeback

_LOCK = 0x4652


class Step(StrEnum):
    """The steps in their order."""

    RIGHTS = "rights"  # what the application may do here
    PLAN = "plan"  # what is read and what is written
    READING = "reading"  # the first full reading
    RULE = "rule"  # what counts as a sale
    WRITING = "writing"  # the switch
    BASE = "base"  # the base at a glance


CONFIRMED = frozenset({Step.RIGHTS, Step.PLAN, Step.RULE, Step.WRITING})
"""Steps that a person can call done: without a change, or for later."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Which steps are done; `open`: the administrator is still being led."""

    done: frozenset[Step]
    open: bool

    def after(self, last: Step | None = None) -> Step:
        """The first step that is not done; of those after the `last` one, where there is one."""
        steps = list(Step)
        rest = steps if last is None else steps[steps.index(last) + 1 :]
        return next((step for step in rest if step not in self.done), Step.BASE)


def progress(session: Session, portal_id: int) -> Progress:
    """How far the portal is."""
    row = session.get(FirstRun, (portal_id,))
    done = {step for step in Step if row is not None and step in row.confirmed}
    facts = {
        Step.READING: session.get_one(Portal, portal_id).last_sync_at is not None,
        Step.RULE: session.get(SaleRule, portal_id) is not None,
        Step.WRITING: writeback.settings_of(session, portal_id).enabled,
        Step.BASE: row is not None and row.closed_at is not None,
    }
    done |= {step for step, holds in facts.items() if holds}
    return Progress(frozenset(done), open=Step.BASE not in done)


def is_open(session: Session, portal_id: int) -> bool:
    """Whether the administrator is still being led."""
    row = session.get(FirstRun, (portal_id,))
    return row is None or row.closed_at is None


def confirm(session: Session, portal_id: int, step: Step) -> None:
    """Call a step done that facts say nothing of."""
    if step not in CONFIRMED:
        raise ValueError(f"{step} is known from facts")
    row = _row(session, portal_id)
    if step not in row.confirmed:
        row.confirmed = [*row.confirmed, step.value]
    session.flush()


def close(session: Session, portal_id: int, user_id: int) -> None:
    """The administrator is through, or wants to be led no more: from now on the first page is the usual one."""
    row = _row(session, portal_id)
    if row.closed_at is None:
        row.closed_at, row.closed_by = utcnow(), user_id
    session.flush()


def _row(session: Session, portal_id: int) -> FirstRun:
    one_at_a_time(session, _LOCK, portal_id)
    row = session.get(FirstRun, (portal_id,), populate_existing=True)
    if row is None:
        row = FirstRun(portal_id=portal_id, confirmed=[])
        session.add(row)
        session.flush()
    return row
