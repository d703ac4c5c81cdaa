"""How the figures of a portal stand, for its health: is a recompute due, does writing succeed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.models import ChangedClient, RunStatus, SyncRun
from integration.rules.health import Figures
from segments.models import SaleRule
from segments.worth import metrics
from segments.worth.sales import rule_of
from segments.writing import writeback, writing_rules
from segments.writing.writing_rules import Held, Why


def figures(session: Session, portal_id: int) -> Figures:
    """The facts about computing and writing."""
    settings = writeback.settings_of(session, portal_id)
    last = writeback.last_run(session, portal_id)
    due_since = _due_since(session, portal_id)
    nothing_counts = rule_of(session, portal_id).counts_nothing
    if not settings.enabled:
        return Figures(due_since=due_since, nothing_counts=nothing_counts)
    held = writing_rules.standing(session, portal_id).held
    return Figures(
        due_since=due_since,
        nothing_counts=nothing_counts,
        writing=True,
        missing=tuple(sorted({each.target.code for each in held if _ours_is_gone(each)})),
        lost=tuple(dict.fromkeys(e.target.label for e in held if not _ours_is_gone(e))),
        failed=last.failed if last else 0,
        reason=last.reason if last else None,
        resume_at=last.resume_at if last else None,
    )


def _ours_is_gone(held: Held) -> bool:
    """A field of ours that saving the settings creates again."""
    return held.target.own and held.why is Why.GONE


def _due_since(session: Session, portal_id: int) -> datetime | None:
    """The oldest thing that calls for a recompute: a run not followed, a changed client, a new rule."""
    unfollowed: sa.Select[Any] = sa.select(sa.func.min(SyncRun.finished_at)).where(
        SyncRun.portal_id == portal_id,
        SyncRun.status == RunStatus.DONE,
        SyncRun.followed_at.is_(None),
    )
    touched = sa.select(sa.func.min(ChangedClient.changed_at)).where(
        ChangedClient.portal_id == portal_id
    )
    found = [session.scalar(unfollowed), session.scalar(touched)]
    rule = session.get(SaleRule, portal_id)
    if rule is not None and metrics.is_stale(session, portal_id):
        found.append(rule.changed_at)
    return min(filter(None, found), default=None)
