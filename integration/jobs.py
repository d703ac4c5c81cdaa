"""Queue entries of the integration: each wakes a use case up by ids; SQL knows what there is to do."""

from __future__ import annotations

from datetime import timedelta

from core.database import transaction
from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from integration import echoes, hints, installs
from integration.sync import engine, runs

SYNC_EVERY = timedelta(minutes=5)


def prepare_portal(portal_id: int) -> None:
    """Bind and create everything on the portal, then read it for the first time."""
    runtime = current()
    with bound(portal=portal_id):
        if not installs.prepare(runtime, portal_id):
            return
        with transaction(runtime.sessions) as session:
            run = runs.start(session, portal_id, full=True)
    _enqueue_slice(portal_id, run.id)


def sync_slice(portal_id: int, run_id: int) -> None:
    """Work on a run for some seconds and ask for the next slice."""
    with bound(portal=portal_id, run=run_id):
        left = engine.run_slice(current(), portal_id, run_id)
    if left.more and not left.wait:
        _enqueue_slice(portal_id, run_id)


def start_sync(portal_id: int) -> None:
    """An incremental run now, as a button asks for."""
    with transaction(current().sessions) as session:
        run = runs.start(session, portal_id, full=False)
    _enqueue_slice(portal_id, run.id)


def apply_events(portal_id: int) -> None:
    """Read what the portal's events named."""
    with bound(portal=portal_id):
        hints.apply(current(), portal_id)


def sweep() -> None:
    """Periodic: start runs that are due, and wake up whatever a lost queue forgot."""
    runtime = current()
    with transaction(runtime.sessions) as session:
        for portal_id in runs.due(session, SYNC_EVERY):
            runs.start(session, portal_id, full=False)
        waiting = runs.waiting(session)
        portal_ids = hints.with_events(session)
        echoes.forget(session)
    for portal_id, run_id in waiting:
        _enqueue_slice(portal_id, run_id)
    for portal_id in portal_ids:
        enqueue_events(portal_id)


def enqueue_prepare(portal_id: int) -> None:
    """Ask for `prepare_portal`."""
    _jobs().enqueue(Queue.INTERACTIVE, prepare_portal, portal_id, job_id=f"prepare-{portal_id}")


def enqueue_events(portal_id: int) -> None:
    """Ask for `apply_events`, once however many events came."""
    _jobs().enqueue(Queue.INTERACTIVE, apply_events, portal_id, job_id=f"events-{portal_id}")


def enqueue_sync(portal_id: int) -> None:
    """Ask for an incremental run."""
    _jobs().enqueue(Queue.SYNC, start_sync, portal_id, job_id=f"start-sync-{portal_id}")


def _enqueue_slice(portal_id: int, run_id: int) -> None:
    job_id = f"sync-{portal_id}-{run_id}"
    _jobs().enqueue(Queue.SYNC, sync_slice, portal_id, run_id, job_id=job_id)


def _jobs() -> Jobs:
    return Jobs(current().redis)
