"""Reading the mailbox returned letters come to: what a message changes is stored first, then the message goes.

A reader that dies in between reads again from the same place, and what was taken already changes nothing. Returns,
complaints and unsubscribing letters are removed; what a person may want to read stays, and stays unread.
"""

from __future__ import annotations

import logging
import ssl
import time
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.locks import alone
from core.runtime import Runtime
from mailings.models import MailServer
from mailings.receipts import imap, returns
from mailings.receipts.imap import Account, Mailbox, MailboxTrouble
from mailings.rules.bounces import Sort

log = logging.getLogger(__name__)

AT_ONCE = 200
SLICE_SECONDS = 20.0
_LOCK = 0x494D
_GONE_AFTER = {
    Sort.HARD,
    Sort.SOFT,
    Sort.BLOCKED,
    Sort.DELAYED,
    Sort.COMPLAINT,
    Sort.UNSUBSCRIBE,
}


@dataclass(slots=True)
class Reading:
    """What one reading came to."""

    taken: dict[str, int] = field(default_factory=dict)
    more: bool = False
    problem: str | None = None


def with_mailboxes(session: Session) -> list[tuple[int, int]]:
    """(portal, server) of every mailbox that is to be read."""
    query = sa.select(MailServer.portal_id, MailServer.id).where(
        MailServer.mailbox.is_not(None), MailServer.archived_at.is_(None)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def read(
    runtime: Runtime, portal_id: int, server_id: int, *, context: ssl.SSLContext | None = None
) -> Reading:
    """Read what has come to a server's mailbox since it was last read, for some seconds."""
    reading = Reading()
    with alone(runtime.engine, _LOCK, server_id) as mine:
        if not mine:
            return reading
        with transaction(runtime.sessions) as session:
            server = session.get(MailServer, (portal_id, server_id))
            if server is None or not server.mailbox or server.archived_at is not None:
                return reading
            stored, sealed = dict(server.mailbox), server.mailbox_password_sealed
        password = runtime.vault.open(portal_id, sealed) if sealed else ""
        private = runtime.settings.allow_private_portals
        place = stored.get("read_to") or {}
        try:
            account = Account.of(stored, password)
            with imap.opened(account, allow_private=private, context=context) as box:
                same = place.get("validity") == box.validity
                last = _read(runtime, portal_id, box, place["uid"] if same else 0, reading)
                place = {"validity": box.validity, "uid": last}
        except MailboxTrouble as trouble:
            reading.problem = trouble.code
            log.warning("mailbox not read", extra={"server": server_id, "reason": trouble.code})
        _remember(runtime, portal_id, server_id, place, reading.problem)
    return reading


def _read(runtime: Runtime, portal_id: int, box: Mailbox, uid: int, reading: Reading) -> int:
    """Take messages in and remove those that are done with; the number of the last one."""
    began, done, number = time.monotonic(), list[int](), 0
    for letter in box.after(uid, AT_ONCE):
        with transaction(runtime.sessions) as session:
            taken = returns.take(
                session, runtime.settings.secret_key, letter.raw, portal_id=portal_id
            )
        if taken.delivery_id is not None and taken.sort in _GONE_AFTER:
            done.append(letter.uid)
        name = taken.sort.value if taken.delivery_id is not None else Sort.FOREIGN.value
        reading.taken[name] = reading.taken.get(name, 0) + 1
        uid, number = letter.uid, number + 1
        if time.monotonic() - began > SLICE_SECONDS:
            reading.more = True
            break
    box.remove(done)
    reading.more = reading.more or number == AT_ONCE
    return uid


def _remember(
    runtime: Runtime, portal_id: int, server_id: int, place: object, problem: str | None
) -> None:
    with transaction(runtime.sessions) as session:
        server = session.get(MailServer, (portal_id, server_id), with_for_update=True)
        if server is None or server.mailbox is None:
            return
        server.mailbox = {**server.mailbox, "read_to": place}
        server.mailbox_problem = problem
        if problem is None:
            server.mailbox_read_at = utcnow()
