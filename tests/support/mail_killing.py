"""Senders as processes of their own, made to die at a chosen point, and what must hold whenever they do.

The points are reached by replacing functions inside the victim: the program knows nothing of them.
"""

from __future__ import annotations

import os
import random
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from support.killing import WAIT_SECONDS, _context
from support.mail_sending import Outbox, deliveries, due_now, leases_end

from core import embedded
from core.config import Settings
from core.database import SessionFactory, transaction
from demo.mail.process import MailSink
from mailings.models import Delivery, Mailing
from mailings.sending import process

LONGEST_WAIT = 6.0
FROZEN_SECONDS = (
    100.0  # a frozen process may hold a row until the database ends its transaction: a minute
)
SETTLED = {"sent", "failed", "unknown", "skipped", "cancelled"}

_END_IDLE = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND state = 'idle in transaction'"
)


class Sender:
    """One sender process."""

    def __init__(
        self, settings: Settings, point: str = "", after: int = 0, strike: str = "itself"
    ) -> None:
        self._process = _context.Process(
            target=_send, args=(settings, point, after, strike), daemon=True
        )
        self._process.start()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.join(WAIT_SECONDS)

    def stop(self) -> int | None:
        """SIGTERM, and its exit status."""
        self._process.terminate()
        self._process.join(WAIT_SECONDS)
        assert not self.alive, "it did not end"
        return self._process.exitcode

    def wait(self, seconds: float = WAIT_SECONDS) -> bool:
        """Whether it ended by itself."""
        self._process.join(seconds)
        return not self.alive

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)


class Post:
    """A mailing under fire, and its ledger: what the mail server took against what the tables say."""

    def __init__(
        self, settings: Settings, sessions: SessionFactory, sink: MailSink, number: int,
        *, connections: int = 4, **mailing: Any,
    ) -> None:  # fmt: skip
        self.settings, self.sessions, self.sink = settings, sessions, sink
        self.number, self.connections, self.kills = number, connections, 0
        with transaction(sessions) as session:
            outbox = Outbox(session, sink.port, connections=connections)
            self.mailing: Mailing = outbox.mailing(number, **mailing)
            self.portal_id, self.server_id = outbox.id, outbox.server.id

    def sender(self, point: str = "", after: int = 0, strike: str = "itself") -> Sender:
        return Sender(self.settings, point, after, strike)

    def rows(self) -> list[Delivery]:
        with self.sessions() as session:
            return deliveries(session, self.mailing)

    def states(self) -> Counter[str]:
        of_mailing = (
            Delivery.portal_id == self.portal_id, Delivery.mailing_id == self.mailing.id,
        )  # fmt: skip
        query = sa.select(Delivery.state, sa.func.count()).where(*of_mailing)
        with self.sessions() as session:
            return Counter(
                dict(tuple(row) for row in session.execute(query.group_by(Delivery.state)))
            )

    def now(self) -> Mailing:
        with self.sessions() as session:
            return session.get_one(Mailing, (self.portal_id, self.mailing.id))

    def set(self, **values: Any) -> None:
        """Change the mailing as a person would."""
        with transaction(self.sessions) as session:
            session.execute(
                sa.update(Mailing)
                .where(Mailing.portal_id == self.portal_id, Mailing.id == self.mailing.id)
                .values(**values)
            )

    def leases_end(self) -> None:
        """Time goes by: nobody can know any more whether the dead still live."""
        with transaction(self.sessions) as session:
            leases_end(session)
            due_now(session)

    def transactions_end(self) -> None:
        """As the database ends by itself, after a minute, what a stopped process has left open."""
        with transaction(self.sessions) as session:
            session.execute(_END_IDLE)

    def until(self, ready: Callable[[], Any], seconds: float = 45.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < deadline, f"it never came: {self.states()}"
            time.sleep(0.05)
        return found

    def finish(self) -> None:
        """A sender nobody disturbs brings it to its end."""
        self.leases_end()
        with sending(self.settings):
            self.until(lambda: self.now().state == "finished", FROZEN_SECONDS)

    def accepted(self) -> list[int]:
        """Ids of the deliveries whose letters the server took."""
        mark = f"<m{self.mailing.id}.{self.portal_id}."
        return [int(name.split(".")[2]) for name in self.sink.accepted() if name.startswith(mark)]

    def check(self, *, most_unknown: int | None = None) -> Counter[str]:
        """Invariants I1 to I5."""
        taken, rows = Counter(self.accepted()), self.rows()
        twice = [number for number, times in taken.items() if times > 1]
        assert twice == [], "I1: nobody gets it twice"
        states = Counter(row.state for row in rows)
        assert states.total() == self.number, "I2: every recipient is accounted for"
        state_of = {row.id: row.state for row in rows}
        lost = {n: state_of[n] for n in taken if state_of[n] not in {"sent", "unknown"}}
        assert lost == {}, "I3: what was taken is known as sent, or as unknown"
        assert [r.id for r in rows if r.state == "sent" and r.id not in taken] == [], "I4"
        bound = self.kills * self.connections if most_unknown is None else most_unknown
        assert states["unknown"] <= bound, f"I5: {states['unknown']} unknown, at most {bound}"
        if self.now().state == "finished":
            assert set(states) <= SETTLED
        return states

    def run_again(self) -> None:
        """I6: whoever starts it once more sends nothing."""
        before = len(self.sink.taken())
        self.set(state="running", finished_at=None)
        with sending(self.settings):
            self.until(lambda: self.now().state == "finished")
        assert len(self.sink.taken()) == before


@contextmanager
def sending(settings: Settings) -> Iterator[None]:
    """A sender in a thread of this process."""
    stop = threading.Event()
    thread = threading.Thread(
        target=process.run, args=(settings,), kwargs={"stop": stop}, daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive(), "the sender did not end"


def crash_database(settings: Settings) -> None:
    """SIGKILL every process of PostgreSQL at once: what was not on disk is gone."""
    folder = settings.data_dir / "servers" / "postgres"
    try:
        pid = int((folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return  # it is dead already
    for victim in (pid, *map(int, children)):
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue


def revive_database(settings: Settings) -> None:
    embedded.ensure(settings.data_dir)


def _send(settings: Settings, point: str, after: int, strike: str) -> None:
    if point:
        blow = _Blow(after, settings, strike)
        POINTS[point](blow)
    process.run(settings)


class _Blow:
    """Falls the n-th time it is called."""

    def __init__(self, after: int, settings: Settings, strike: str) -> None:
        self._left, self._settings, self._strike = after, settings, strike

    def __call__(self) -> None:
        self._left -= 1
        if self._left >= 0 or self._strike == "spent":
            return
        if self._strike == "itself":
            os.kill(os.getpid(), signal.SIGKILL)
        self._strike = "spent"
        crash_database(self._settings)


def _after(
    module: Any, name: str, blow: _Blow, when: Callable[..., bool] = lambda *_: True
) -> None:
    real = getattr(module, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        found = real(*arguments, **options)
        if when(*arguments):
            blow()
        return found

    setattr(module, name, wrapped)


def _before(
    module: Any, name: str, blow: _Blow, when: Callable[..., bool] = lambda *_: True
) -> None:
    real = getattr(module, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if when(*arguments):
            blow()
        return real(*arguments, **options)

    setattr(module, name, wrapped)


def _claimed(blow: _Blow) -> None:
    from mailings.sending.desk import Desk

    _before(Desk, "_composer", blow)


def _recipient_named(blow: _Blow) -> None:
    from mailings.channels.smtp import GateSMTP

    real = GateSMTP._dialogue

    def named(self: Any, *arguments: Any, **options: Any) -> Any:
        found = yield from real(self, *arguments, **options)
        blow()
        return found

    GateSMTP._dialogue = named  # type: ignore[method-assign]


def _in_the_body(blow: _Blow) -> None:
    from mailings.channels.smtp import GateSMTP

    real = GateSMTP._write

    def half(self: Any, data: bytes) -> Any:
        if len(data) > 500:
            yield from real(self, data[: len(data) // 2])
            blow()
            data = data[len(data) // 2 :]
        yield from real(self, data)

    GateSMTP._write = half  # type: ignore[method-assign]


def _gate_not_committed(blow: _Blow) -> None:
    from mailings.sending import gating

    real = gating.let_through

    def done(said: Any, *arguments: Any) -> Any:
        found = real(said, *arguments)
        server = said._driver.pgconn
        server.send_flush_request()
        server.flush()
        assert select.select([server.socket], [], [], 10)[
            0
        ]  # the UPDATE is done and waits for its commit
        blow()
        return found

    gating.let_through = done


def _gate_passed(blow: _Blow) -> None:
    from mailings.channels.smtp import GateSMTP

    _before(GateSMTP, "_verdict", blow)


def _dot_said(blow: _Blow) -> None:
    from mailings.channels.smtp import DOT_SECONDS, GateSMTP

    _before(GateSMTP, "_reply", blow, lambda smtp: smtp.patience == DOT_SECONDS)


def _answered(blow: _Blow) -> None:
    from mailings.sending.keeper import Keeper

    _before(Keeper, "tell", blow)


def _written(blow: _Blow) -> None:
    from mailings.sending.keeper import Keeper

    _before(Keeper, "_tell_written", blow, lambda _, ended: bool(ended))


def _reaping(blow: _Blow) -> None:
    from mailings.sending import leases

    _after(leases, "reap", blow)


POINTS: dict[str, Callable[[_Blow], None]] = {
    "F1 claimed": _claimed,
    "F2 recipient named": _recipient_named,
    "F3 in the body": _in_the_body,
    "F4 gate not committed": _gate_not_committed,
    "F5 gate passed": _gate_passed,
    "F6 dot said": _dot_said,
    "F7 answered": _answered,
    "F8 outcome written": _written,
    "F9 reaping": _reaping,
}


def rounds(post: Post, kills: int, chance: random.Random, *, database: int = 0) -> None:
    """So many random kills of the sender, some of them of the database instead."""
    of_database = set(chance.sample(range(kills), database))
    for number in range(kills):
        if post.states().keys() <= SETTLED:
            return
        point = chance.choice(["", *POINTS])
        strike = "database" if number in of_database else "itself"
        sender = post.sender(point, chance.randrange(30), strike)
        before, deadline = len(post.sink.taken()), time.monotonic() + LONGEST_WAIT
        while sender.alive and time.monotonic() < deadline and len(post.sink.taken()) <= before + 3:
            time.sleep(0.02)
        sender.wait(chance.uniform(0, 0.3))
        if number in of_database:
            crash_database(post.settings)
            sender.wait(0.2)
        sender.kill()
        post.kills += 1
        if number in of_database:
            revive_database(post.settings)
        post.leases_end()
