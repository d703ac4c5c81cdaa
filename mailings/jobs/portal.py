"""Queue entries between mailings and the portal: letters into timelines, results of calls back."""

from __future__ import annotations

from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from mailings.results import call_outcomes, timeline


def tell() -> None:
    """Periodic: wake up every portal with letters that are not in its timelines yet."""
    with current().sessions() as session:
        portals = timeline.due(session)
    for portal_id in portals:
        enqueue_timeline(portal_id)


def write_timeline(portal_id: int) -> None:
    """Write timelines for some seconds, and ask for more."""
    with bound(portal=portal_id):
        more = timeline.write(current(), portal_id).more
    if more:
        enqueue_timeline(portal_id)


def ask() -> None:
    """Periodic: wake up every portal with calls nobody knows the outcome of."""
    with current().sessions() as session:
        portals = call_outcomes.due(session)
    for portal_id in portals:
        Jobs(current().redis).enqueue(
            Queue.SYNC, read_calls, portal_id, job_id=f"mailings-calls-{portal_id}"
        )


def read_calls(portal_id: int) -> None:
    """Read what became of the portal's calls."""
    with bound(portal=portal_id):
        call_outcomes.read(current(), portal_id)


def enqueue_timeline(portal_id: int) -> None:
    """Ask for `write_timeline`."""
    Jobs(current().redis).enqueue(
        Queue.SYNC, write_timeline, portal_id, job_id=f"mailings-timeline-{portal_id}"
    )
