"""Queue entries of letters: one sent to somebody who looks it over."""

from __future__ import annotations

from core.log import bound
from core.queue import Jobs, Queue
from core.runtime import current
from mailings.content.checking import Person
from mailings.sending import trial as letter_trial


def send_trial(
    portal_id: int, mailing_id: int, trial: str, address: str, kind: str, client_id: int
) -> None:
    """Send it and note what came of it."""
    with bound(portal=portal_id):
        person = Person(kind, client_id)
        code = letter_trial.send(current(), portal_id, mailing_id, person, address)
        letter_trial.note(current(), portal_id, trial, code)


def enqueue_trial(
    portal_id: int, mailing_id: int, trial: str, address: str, person: Person
) -> None:
    """Ask for `send_trial`."""
    letter_trial.note(current(), portal_id, trial, "waiting")
    Jobs(current().redis).enqueue(
        Queue.INTERACTIVE, send_trial, portal_id, mailing_id, trial, address, person.kind, person.id
    )
