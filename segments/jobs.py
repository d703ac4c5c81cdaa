"""Queue entries of segments: metrics after a sync, members after them, and their way back to the portal."""

from __future__ import annotations

from collections.abc import Iterable

from core.database import transaction
from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from segments import pipeline
from segments.members import upkeep
from segments.models import ClientKind

PROMPT_CLIENTS = 250
"""As many changed clients go ahead of other work; more than that is bulk."""


def follow() -> None:
    """Periodic: wake up every portal whose mirror changed since its metrics were computed."""
    runtime = current()
    for portal_id in pipeline.behind(runtime):
        enqueue_recompute(portal_id)
    for portal_id in upkeep.behind(runtime):
        enqueue_upkeep(portal_id)
    for portal_id in pipeline.unwritten(runtime):
        enqueue_writeback(portal_id)


def recompute(portal_id: int) -> None:
    """Metrics of the portal's changed clients, or of all when a full run or a new rule asks for it."""
    with bound(portal=portal_id):
        touched = pipeline.recompute(current(), portal_id).touched
    listed = [_listed(touched.get(kind, ())) for kind in ClientKind]
    if 0 < sum(map(len, touched.values())) <= PROMPT_CLIENTS:
        jobs = Jobs(current().redis)
        jobs.enqueue(Queue.INTERACTIVE, write_changed, portal_id, *listed)
    enqueue_upkeep(portal_id)
    enqueue_writeback(portal_id)
    if pipeline.unscored(current(), portal_id):
        enqueue_score(portal_id)


def rescore() -> None:
    """Periodic: wake up every portal whose scores are of yesterday, or of another rule or choice."""
    for portal_id in pipeline.unscored(current()):
        enqueue_score(portal_id)


def score(portal_id: int) -> None:
    """Scores and groups of all clients of the portal; segments and cards follow."""
    with bound(portal=portal_id):
        scored = pipeline.score(current(), portal_id)
    if scored:
        enqueue_upkeep(portal_id)
        enqueue_writeback(portal_id)


def keep_up(portal_id: int) -> None:
    """Bring the portal's segments up to its mirror for some seconds, and ask for more."""
    with bound(portal=portal_id):
        more = upkeep.keep_up(current(), portal_id)
    if more:
        enqueue_upkeep(portal_id)


def look() -> None:
    """Periodic: have it seen whose segments another day, another rate or a lost field has made stale."""
    jobs = Jobs(current().redis)
    for portal_id in upkeep.with_segments(current()):
        jobs.enqueue(Queue.COMPUTE, look_at, portal_id, job_id=f"segments-look-{portal_id}")


def look_at(portal_id: int) -> None:
    """See which of the portal's segments are stale."""
    with bound(portal=portal_id), transaction(current().sessions) as session:
        stale = upkeep.look_for_stale(session, portal_id)
    if stale:
        enqueue_upkeep(portal_id)


def write_changed(portal_id: int, contacts: str, companies: str) -> None:
    """Write the figures of clients somebody has just edited a deal of."""
    clients = {ClientKind.CONTACT: _ids(contacts), ClientKind.COMPANY: _ids(companies)}
    with bound(portal=portal_id):
        pipeline.write_changed(current(), portal_id, clients)


def write_back(portal_id: int) -> None:
    """Write changed values for some seconds, and ask for more."""
    with bound(portal=portal_id):
        report = pipeline.write_back(current(), portal_id)
    if report is not None and report.more and not report.wait:
        enqueue_writeback(portal_id)


def enqueue_recompute(portal_id: int) -> None:
    """Ask for `recompute`."""
    Jobs(current().redis).enqueue(
        Queue.COMPUTE, recompute, portal_id, job_id=f"recompute-{portal_id}"
    )


def enqueue_upkeep(portal_id: int) -> None:
    """Ask for `keep_up`, also after a segment was saved or its list changed."""
    Jobs(current().redis).enqueue(Queue.COMPUTE, keep_up, portal_id, job_id=f"segments-{portal_id}")


def enqueue_score(portal_id: int) -> None:
    """Ask for `score`."""
    Jobs(current().redis).enqueue(Queue.COMPUTE, score, portal_id, job_id=f"score-{portal_id}")


def enqueue_writeback(portal_id: int) -> None:
    """Ask for `write_back`."""
    Jobs(current().redis).enqueue(
        Queue.SYNC, write_back, portal_id, job_id=f"writeback-{portal_id}"
    )


def _listed(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))


def _ids(listed: str) -> list[int]:
    return [int(each) for each in listed.split(",") if each]
