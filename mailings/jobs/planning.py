"""Queue entries of planning and permission: recipients written down, turns taken, consents followed.

Every piece of work is found again by a query, so nothing is lost with the queue.
"""

from __future__ import annotations

from core.database import transaction
from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from mailings.consent import mirroring, syncing
from mailings.planning import outstanding, steering


def enqueue_plan(portal_id: int, mailing_id: int) -> None:
    """Ask for `plan`: somebody has just thrown the switch."""
    job_id = f"mailing-plan-{mailing_id}"
    Jobs(current().redis).enqueue(Queue.INTERACTIVE, plan, portal_id, mailing_id, job_id=job_id)


def plan(portal_id: int, mailing_id: int) -> None:
    """Write the recipients of a started mailing down."""
    with bound(portal=portal_id):
        steering.plan_now(current().sessions, portal_id, mailing_id)


def due() -> None:
    """Periodic: begin what is due, and wake up planning that was lost."""
    runtime = current()
    with runtime.sessions() as session:
        waiting, to_begin = outstanding.to_plan(session), outstanding.to_begin(session)
    for portal_id, mailing_id in to_begin:
        with bound(portal=portal_id), transaction(runtime.sessions) as session:
            begun = steering.begin_due(session, portal_id, mailing_id)
        if begun is not None:
            waiting.append((portal_id, begun))
    for portal_id, mailing_id in waiting:
        enqueue_plan(portal_id, mailing_id)


def grow() -> None:
    """Periodic: newcomers of the segments of mailings that wait for them."""
    with current().sessions() as session:
        found = outstanding.growing(session)
    jobs = Jobs(current().redis)
    for portal_id, mailing_id in found:
        job_id = f"mailing-grow-{mailing_id}"
        jobs.enqueue(Queue.COMPUTE, extend, portal_id, mailing_id, job_id=job_id)


def extend(portal_id: int, mailing_id: int) -> None:
    """Add those who have entered the segment since."""
    with bound(portal=portal_id):
        steering.extend(current().sessions, portal_id, mailing_id)


def follow_consents() -> None:
    """Periodic: consents said on the portal's cards, and unsubscriptions to be said there."""
    with current().sessions() as session:
        said, marked = outstanding.with_consent_field(session), mirroring.waiting(session)
    jobs = Jobs(current().redis)
    for portal_id in said:
        job_id = f"consents-{portal_id}"
        jobs.enqueue(Queue.COMPUTE, sync_consents, portal_id, job_id=job_id)
    for portal_id in marked:
        enqueue_mirror(portal_id)


def sync_consents(portal_id: int) -> None:
    """Record what the portal's field says anew, and ask for more."""
    with bound(portal=portal_id), transaction(current().sessions) as session:
        more = syncing.sync(session, portal_id) >= syncing.SLICE
    if more:
        job_id = f"consents-{portal_id}"
        jobs = Jobs(current().redis)
        jobs.enqueue(Queue.COMPUTE, sync_consents, portal_id, job_id=job_id)


def mirror_unsubscribed(portal_id: int) -> None:
    """Write unsubscriptions to the portal's field for some seconds, and ask for more."""
    with bound(portal=portal_id):
        more = mirroring.mirror(current(), portal_id).more
    if more:
        enqueue_mirror(portal_id)


def enqueue_mirror(portal_id: int) -> None:
    """Ask for `mirror_unsubscribed`."""
    job_id = f"unsubscribed-{portal_id}"
    Jobs(current().redis).enqueue(Queue.SYNC, mirror_unsubscribed, portal_id, job_id=job_id)
