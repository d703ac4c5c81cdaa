"""Queue entries of sending: authors told that their mailings have ended."""

from __future__ import annotations

from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from mailings.sending import telling


def tell() -> None:
    """Periodic: whoever waits for the end of a mailing."""
    with current().sessions() as session:
        found = telling.untold(session)
    jobs = Jobs(current().redis)
    for portal_id in sorted({portal_id for portal_id, _ in found}):
        jobs.enqueue(Queue.SYNC, tell_of, portal_id, job_id=f"mailings-finished-{portal_id}")


def tell_of(portal_id: int) -> None:
    """Tell the authors of one portal's mailings."""
    with bound(portal=portal_id):
        with current().sessions() as session:
            found = telling.untold(session, portal_id)
        for _, mailing_id in found:
            telling.tell(current(), portal_id, mailing_id)
