"""From a changed mirror to figures on the portal: recompute, then write back.

Nothing tells this package that the mirror changed: it looks (`behind`), as the lower package may not
know it. The same two steps serve jobs and the command line.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import transaction
from core.locks import alone
from core.runtime import Runtime
from integration.bitrix.budgets import Priority
from integration.connect import connect
from integration.models import ChangedClient, Portal, PortalState, RunStatus, SyncRun
from integration.sync import touched
from segments.facts import keeping as facts
from segments.members import membership
from segments.models import ClientKind, MetricsRun, SaleRule, WritebackRun, WritebackSettings
from segments.scoring import scores
from segments.scoring.scored import ScoreBasis
from segments.worth import metrics, sale_rules, totals
from segments.worth.sales import rule_of
from segments.writing import writeback
from segments.writing.writeback import Report

log = logging.getLogger(__name__)

HELD = "no pipeline of the sale rule is left on the portal: writing waits until another is chosen"
PROMPT_SECONDS = 20.0
_WRITING_LOCK = 0x5752
_BATCH_LOCK = 0x5742


def behind(runtime: Runtime) -> list[int]:
    """Portals with a finished run not followed yet, or with changed clients.

    Before the end of the first run a client's deals are not all here, so nobody is counted.
    """
    with runtime.sessions() as session:
        finished = sa.select(SyncRun.portal_id).where(
            SyncRun.status == RunStatus.DONE, SyncRun.followed_at.is_(None)
        )
        changed = (
            sa.select(ChangedClient.portal_id)
            .join(Portal, Portal.id == ChangedClient.portal_id)
            .where(Portal.last_sync_at.is_not(None))
        )
        renewed = (
            sa.select(SaleRule.portal_id)
            .join(MetricsRun, MetricsRun.portal_id == SaleRule.portal_id)
            .where(MetricsRun.rule_version != SaleRule.version)
        )
        return list(session.scalars(sa.union(finished, changed, renewed)))


def is_behind(session: Session, portal_id: int) -> bool:
    """Whether the portal's figures were computed by another version of its rule."""
    return metrics.is_stale(session, portal_id)


def last_run(session: Session, portal_id: int) -> MetricsRun | None:
    """The last computation of the portal's figures."""
    return session.get(MetricsRun, portal_id)


def unwritten(runtime: Runtime) -> list[int]:
    """Portals whose figures are newer than their last write-back, or whose write-back had to wait."""
    never = WritebackRun.portal_id.is_(None)
    scored = sa.exists().where(
        ScoreBasis.portal_id == MetricsRun.portal_id,
        ScoreBasis.computed_at > WritebackRun.finished_at,
    )
    older = sa.or_(WritebackRun.finished_at < MetricsRun.computed_at, scored)
    waited = WritebackRun.resume_at < sa.func.now()
    with runtime.sessions() as session:
        query = (
            sa.select(MetricsRun.portal_id)
            .join(WritebackSettings, WritebackSettings.portal_id == MetricsRun.portal_id)
            .join(Portal, Portal.id == MetricsRun.portal_id)
            .outerjoin(WritebackRun, WritebackRun.portal_id == MetricsRun.portal_id)
            .where(
                WritebackSettings.enabled,
                Portal.state == PortalState.ACTIVE,
                sa.or_(never, older & (WritebackRun.resume_at.is_(None) | waited), waited),
            )
        )
        return list(session.scalars(query))


def recompute(runtime: Runtime, portal_id: int, *, everyone: bool = False) -> metrics.Outcome:
    """Bring the portal's metrics up to its mirror and its sale rule."""
    with transaction(runtime.sessions) as session:
        sale_rules.notice(session, portal_id)  # alone: an administrator's save must not wait for us
    with transaction(runtime.sessions) as session:
        followed = session.scalars(
            sa.update(SyncRun)
            .where(
                SyncRun.portal_id == portal_id,
                SyncRun.status == RunStatus.DONE,
                SyncRun.followed_at.is_(None),
            )
            .values(followed_at=sa.func.now())
            .returning(SyncRun.full)
        ).all()
        if everyone or any(followed) or metrics.is_stale(session, portal_id):
            outcome = metrics.compute_all(session, portal_id)
            facts.put_off(session, portal_id)
            membership.mark_stale(session, portal_id)
            scores.put_off(session, portal_id)
        else:
            outcome = metrics.compute_changed(session, portal_id)
            for kind, ids in outcome.touched.items():
                touched.note(session, portal_id, kind, ids)
            scores.compute_some(session, portal_id, outcome.touched)
            if followed:
                totals.recount_clients(session, portal_id)
    log.info("metrics computed", extra={"portal": portal_id, "changed": outcome.changed})
    return outcome


def unscored(runtime: Runtime, portal_id: int | None = None) -> list[int]:
    """Portals whose clients are to be scored anew, or this one if it is."""
    with runtime.sessions() as session:
        return scores.due(session, portal_id)


def score(runtime: Runtime, portal_id: int) -> bool:
    """Score the portal's clients, where that is due; whether it was."""
    if not unscored(runtime, portal_id):
        return False
    with transaction(runtime.sessions) as session:
        metrics.renew_activity(session, portal_id)
    with transaction(runtime.sessions) as session:
        clients = scores.compute_all(session, portal_id)
        membership.mark_stale(session, portal_id)
    log.info("clients scored", extra={"portal": portal_id, "changed": clients})
    return True


def write_back(runtime: Runtime, portal_id: int, *, seconds: float = 20.0) -> Report | None:
    """Write changed values to the portal; None when writing is off or somebody else is at it."""
    with alone(runtime.engine, _WRITING_LOCK, portal_id) as mine:
        return _write(runtime, portal_id, Priority.PATIENT, seconds) if mine else None


def write_changed(
    runtime: Runtime, portal_id: int, clients: Mapping[ClientKind, Collection[int]]
) -> Report | None:
    """Write what has just changed, between two batches of whoever writes the rest."""
    return _write(runtime, portal_id, Priority.PROMPT, PROMPT_SECONDS, clients)


def _write(
    runtime: Runtime,
    portal_id: int,
    priority: Priority,
    seconds: float,
    only: Mapping[ClientKind, Collection[int]] | None = None,
) -> Report | None:
    with runtime.sessions() as session:
        portal = session.get_one(Portal, portal_id)
        enabled = writeback.settings_of(session, portal_id).enabled
        held = rule_of(session, portal_id).counts_nothing
    if not enabled or portal.state != PortalState.ACTIVE:
        return None
    if held:  # every LTV is 0 by the portal's loss, not by anybody's wish
        return Report(reason=HELD)
    report = writeback.write_back(
        runtime.sessions,
        connect(runtime, portal, priority=priority),
        portal_id,
        turn=partial(alone, runtime.engine, _BATCH_LOCK, portal_id, wait=PROMPT_SECONDS),
        seconds=seconds,
        only=only,
    )
    log.info(
        "fields written",
        extra={"portal": portal_id, "written": report.written, "failed": report.failed},
    )
    return report
