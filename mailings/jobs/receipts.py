"""Queue entries of what comes back: mailboxes read, replies told of, leads and deals credited."""

from __future__ import annotations

from core.database import transaction
from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from mailings.receipts import mailbox
from mailings.results import attributing, reply_notes


def read_mailboxes() -> None:
    """Periodic: have every mailbox of returned letters read."""
    runtime = current()
    with runtime.sessions() as session:
        found = mailbox.with_mailboxes(session)
    for portal_id, server_id in found:
        enqueue_reading(portal_id, server_id)


def read_mailbox(portal_id: int, server_id: int) -> None:
    """Read one mailbox for some seconds, and ask for more."""
    with bound(portal=portal_id):
        reading = mailbox.read(current(), portal_id, server_id)
    if reading.more and reading.problem is None:
        enqueue_reading(portal_id, server_id)


def tell_replies() -> None:
    """Periodic: have the responsible employees told of replies."""
    runtime = current()
    with runtime.sessions() as session:
        found = reply_notes.due(session)
    jobs = Jobs(runtime.redis)
    for portal_id in found:
        jobs.enqueue(Queue.SYNC, tell_replies_of, portal_id, job_id=f"mailings-replies-{portal_id}")


def tell_replies_of(portal_id: int) -> None:
    """Tell of one portal's replies."""
    with bound(portal=portal_id):
        reply_notes.tell(current(), portal_id)


def credit() -> None:
    """Periodic: have leads and deals credited wherever somebody reacted to a message."""
    runtime = current()
    with runtime.sessions() as session:
        found = attributing.touched(session)
    jobs = Jobs(runtime.redis)
    for portal_id in found:
        jobs.enqueue(Queue.COMPUTE, credit_portal, portal_id, job_id=f"mailings-credit-{portal_id}")


def credit_portal(portal_id: int) -> None:
    """Bring the portal's attributions up to its leads and deals."""
    with bound(portal=portal_id), transaction(current().sessions) as session:
        attributing.attribute(session, portal_id, key=current().settings.secret_key)


def enqueue_reading(portal_id: int, server_id: int) -> None:
    """Ask for `read_mailbox`."""
    Jobs(current().redis).enqueue(
        Queue.SYNC, read_mailbox, portal_id, server_id, job_id=f"mailbox-{portal_id}-{server_id}"
    )
