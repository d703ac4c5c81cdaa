"""Queue entries of the integration: each wakes a use case up by ids; SQL knows what there is to do."""

from __future__ import annotations

import logging
from datetime import timedelta

from redis.exceptions import RedisError

from core.clock import utcnow
from core.database import transaction
from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from integration import (
    echoes,
    field_types,
    hints,
    installs,
    keeping,
    offline,
    portals,
    probes,
    quarantine,
    troubles,
)
from integration.models import PortalState
from integration.sync import checks, engine, reconcile, runs

log = logging.getLogger(__name__)

SYNC_EVERY = timedelta(minutes=5)


def prepare_portal(portal_id: int) -> None:
    """Bind and create everything on the portal, then read it: all at first, later what was missed."""
    runtime = current()
    with bound(portal=portal_id):
        if not installs.prepare(runtime, portal_id):
            return
        offline.settle(runtime, portal_id)
    _resume(portal_id)


def probe_portal(portal_id: int) -> None:
    """Ask a portal that has shut us out whether it lets us in again, and go on if it does."""
    with bound(portal=portal_id):
        back = probes.probe(current(), portal_id)
    if back:
        _resume(portal_id)


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


def start_full_sync(portal_id: int) -> None:
    """A full run now; when changes are being read just then, that run goes on instead."""
    with transaction(current().sessions) as session:
        run = runs.start(session, portal_id, full=True)
    _enqueue_slice(portal_id, run.id)


def retry_quarantined(portal_id: int, *named: str) -> None:
    """Read quarantined rows again: those named as contact:7, or all."""
    rows = [(entity, bitrix_id) for entity, _, bitrix_id in (each.partition(":") for each in named)]
    with bound(portal=portal_id):
        quarantine.retry(current(), portal_id, rows or None)


def watch() -> None:
    """Periodic: have each portal's health looked at."""
    with current().sessions() as session:
        portal_ids = troubles.watched(session)
    for portal_id in portal_ids:
        _jobs().enqueue(Queue.INTERACTIVE, watch_portal, portal_id, job_id=f"watch-{portal_id}")


def watch_portal(portal_id: int) -> None:
    """Look at the portal's health, and tell its administrator what is new."""
    with bound(portal=portal_id):
        troubles.watch(current(), portal_id)


def apply_events(portal_id: int) -> None:
    """Read what the portal's events named."""
    with bound(portal=portal_id):
        read = hints.apply(current(), portal_id)
        if read and hints.waits(current(), portal_id):
            enqueue_events(portal_id)


def sweep() -> None:
    """Periodic: start runs that are due, and wake up whatever a lost queue forgot."""
    runtime = current()
    with transaction(runtime.sessions) as session:
        for portal_id in runs.due(session, SYNC_EVERY):
            runs.start(session, portal_id, full=False)
        waiting = runs.waiting(session)
        portal_ids = hints.with_events(session)
        asked, unprepared = probes.due(session), probes.unprepared(session)
        echoes.forget(session)
    for portal_id in asked:
        enqueue_probe(portal_id)
    for portal_id in unprepared:
        enqueue_prepare(portal_id)
    for portal_id, run_id in waiting:
        _enqueue_slice(portal_id, run_id)
    for portal_id in portal_ids:
        enqueue_events(portal_id)


def check_slice(portal_id: int) -> None:
    """Work on the portal's checks for some seconds and ask for the next slice."""
    with bound(portal=portal_id):
        more = reconcile.run_slice(current(), portal_id)
    if more:
        enqueue_checks(portal_id)


def check() -> None:
    """Periodic: ask for the nightly checks that are due, and wake up those that wait."""
    with transaction(current().sessions) as session:
        for portal_id in checks.due(session, utcnow()):
            checks.request(session, portal_id)
        waiting = checks.waiting(session)
    for portal_id in waiting:
        enqueue_checks(portal_id)


def enqueue_checks(portal_id: int) -> None:
    """Ask for `check_slice`, after a check was asked for or confirmed."""
    _jobs().enqueue(Queue.SYNC, check_slice, portal_id, job_id=f"check-{portal_id}")


def enqueue_prepare(portal_id: int) -> None:
    """Ask for `prepare_portal`."""
    _jobs().enqueue(Queue.INTERACTIVE, prepare_portal, portal_id, job_id=f"prepare-{portal_id}")


def enqueue_probe(portal_id: int) -> None:
    """Ask for `probe_portal`; `sweep` asks again if Redis is away."""
    try:
        _jobs().enqueue(Queue.INTERACTIVE, probe_portal, portal_id, job_id=f"probe-{portal_id}")
    except RedisError as error:
        log.warning("a probe waits for the sweep", extra={"reason": type(error).__name__})


def enqueue_events(portal_id: int) -> None:
    """Ask for `apply_events`, once however many events came; `sweep` asks again if Redis is away."""
    try:
        _jobs().enqueue(Queue.INTERACTIVE, apply_events, portal_id, job_id=f"events-{portal_id}")
    except RedisError as error:
        log.warning("events wait for the sweep", extra={"reason": type(error).__name__})


def bind() -> None:
    """Periodic: bind what active portals lack, as after a new version of ours."""
    with current().sessions() as session:
        known = portals.listed(session)
    for portal in known:
        if portal.state == PortalState.ACTIVE:
            _jobs().enqueue(Queue.SYNC, bind_events, portal.id, job_id=f"bind-{portal.id}")


def bind_events(portal_id: int) -> None:
    """Bind the events and places the portal lacks, and have its field follow our address."""
    with bound(portal=portal_id):
        installs.rebind(current(), portal_id)
        offline.settle(current(), portal_id)
        field_types.follow(current(), portal_id)


def pull() -> None:
    """Periodic: look into the queues portals keep for us."""
    with current().sessions() as session:
        portal_ids = offline.with_queue(session)
    for portal_id in portal_ids:
        _jobs().enqueue(Queue.INTERACTIVE, pull_events, portal_id, job_id=f"pull-{portal_id}")


def pull_events(portal_id: int) -> None:
    """Take the portal's queue over as hints, and act on them."""
    with bound(portal=portal_id):
        if offline.pull(current(), portal_id):
            enqueue_events(portal_id)


def forget() -> None:
    """Periodic: drop events handled long ago, and what is not kept any more."""
    with transaction(current().sessions) as session:
        hints.forget(session)
        portal_ids = keeping.with_something_left_out(session)
    for portal_id in portal_ids:
        enqueue_clear(portal_id)


def clear(portal_id: int) -> None:
    """Remove some rows and values that are not kept any more, and ask for the next."""
    with bound(portal=portal_id), transaction(current().sessions) as session:
        more = keeping.clear(session, portal_id)
    if more:
        enqueue_clear(portal_id)


def enqueue_clear(portal_id: int) -> None:
    """Ask for `clear`."""
    _jobs().enqueue(Queue.SYNC, clear, portal_id, job_id=f"clear-{portal_id}")


def enqueue_sync(portal_id: int) -> None:
    """Ask for an incremental run."""
    _jobs().enqueue(Queue.SYNC, start_sync, portal_id, job_id=f"start-sync-{portal_id}")


def enqueue_full_sync(portal_id: int) -> None:
    """Ask for a full run."""
    _jobs().enqueue(Queue.SYNC, start_full_sync, portal_id, job_id=f"start-full-{portal_id}")


def enqueue_retry(portal_id: int, *named: str) -> None:
    """Ask for `retry_quarantined`."""
    _jobs().enqueue(Queue.INTERACTIVE, retry_quarantined, portal_id, *named)


def _resume(portal_id: int) -> None:
    with transaction(current().sessions) as session:
        run_id = probes.resume(session, portal_id)
    _enqueue_slice(portal_id, run_id)
    enqueue_checks(portal_id)


def _enqueue_slice(portal_id: int, run_id: int) -> None:
    job_id = f"sync-{portal_id}-{run_id}"
    _jobs().enqueue(Queue.SYNC, sync_slice, portal_id, run_id, job_id=job_id)


def _jobs() -> Jobs:
    return Jobs(current().redis)
