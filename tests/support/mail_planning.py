"""Mailings from the throw of the switch on: workers that write recipients down, and what kills them, under one roof."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from redis.exceptions import RedisError
from support.killing import WAIT_SECONDS, _context
from support.mail_killing import POINTS, Post, Sender, _after, _before, _Blow
from support.mail_people import People

from core import embedded, runtime
from core.config import Settings
from core.database import SessionFactory, transaction
from core.embedded import process as servers
from core.queue import Queue
from core.runtime import Runtime
from demo.mail.process import MailSink
from integration.models import PortalState
from mailings.jobs import planning
from mailings.models import MailServer
from mailings.planning import steering


class Planned(Post):
    """A mailing that was just started, to people with consents; nobody is written down yet."""

    def __init__(
        self, settings: Settings, sessions: SessionFactory, sink: MailSink, number: int, connections: int = 2
    ) -> None:  # fmt: skip
        self.settings, self.sessions, self.sink = settings, sessions, sink
        self.number, self.connections, self.kills = number, connections, 0
        with transaction(sessions) as session:
            people = People(session, state=PortalState.ACTIVE)
            for each in range(number):
                people.card(f"client{each}@example.org")
            server = MailServer(
                portal_id=people.id, name="sink", host="127.0.0.1", port=sink.port, security="none",
                from_email="sales@example.com", connections=connections,
            )  # fmt: skip
            session.add(server)
            session.flush()
            self.portal_id, self.server_id = people.id, server.id
            self.mailing = people.mailing()
            self.mailing.state = "planning"


class Planner:
    """A process that writes the recipients of one mailing down, and dies at a point of it."""

    def __init__(self, post: Post, point: str, strike: str = "itself") -> None:
        arguments = (post.settings, post.portal_id, post.mailing.id, point, strike)
        self._process = _context.Process(target=_plan, args=arguments, daemon=True)
        self._process.start()

    def wait(self) -> int | None:
        """Its exit status."""
        self._process.join(WAIT_SECONDS)
        return self._process.exitcode


class Worker:
    """A worker of the interactive queue; the child that runs a job may be made to die at a point of planning."""

    def __init__(self, settings: Settings, point: str = "") -> None:
        self._process = _context.Process(target=_work, args=(settings, point))
        self._process.start()

    def kill(self) -> None:
        """kill -9: a job under way goes on without its worker."""
        self._process.kill()
        self._process.join(WAIT_SECONDS)


def tick(settings: Settings) -> None:
    """What the ticker starts every ten seconds; without Redis, nothing."""
    made = Runtime.build(settings)
    runtime.install(made)
    try:
        planning.due()
    except RedisError:
        pass
    finally:
        made.engine.dispose()
        made.redis.close()


def crash_redis(settings: Settings) -> None:
    """SIGKILL: what was not on disk is gone."""
    for victim in servers.members(settings.data_dir / "servers" / "redis"):
        os.kill(victim, signal.SIGKILL)


def havoc(
    settings: Settings, started: Callable[[], Planned], kills: int, chance: random.Random
) -> list[Planned]:
    """Mailings started one after the other while workers, senders and Redis are killed; what was started."""
    posts: list[Planned] = []
    sender, worker = Sender(settings), Worker(settings)
    try:
        for _ in range(kills):
            posts.append(started())
            tick(settings)
            time.sleep(chance.uniform(0, 0.5))
            match chance.choice(("worker", "horse", "sender", "redis")):
                case "worker":
                    worker.kill()
                    worker = Worker(settings)
                case "horse":
                    worker.kill()
                    worker = Worker(settings, chance.choice([*PLANNING]))
                case "sender":
                    sender.kill()
                    sender = Sender(settings, chance.choice(["", *POINTS]), chance.randrange(30))
                    for post in posts:
                        post.kills += 1
                case _:
                    crash_redis(settings)
                    time.sleep(chance.uniform(0, 0.5))
                    embedded.ensure(settings.data_dir)
    finally:
        sender.kill()
        worker.kill()
    for post in posts:
        post.kills += 1
    return posts


def _plan(settings: Settings, portal_id: int, mailing_id: int, point: str, strike: str) -> None:
    made = _prepared(settings, point, strike)
    steering.plan_now(made.sessions, portal_id, mailing_id)


def _work(settings: Settings, point: str) -> None:
    from core import worker

    _prepared(settings, point, "itself").engine.dispose()
    worker.run(settings, Queue.INTERACTIVE)


def _prepared(settings: Settings, point: str, strike: str) -> Runtime:
    from app import create_app

    create_app(settings)
    if point:
        PLANNING[point](_Blow(0, settings, strike))
    return runtime.current()


def _writing(blow: _Blow) -> None:
    """The statement is under way when its asker dies."""
    import threading

    from mailings.planning import plan

    _before(plan, "_write_down", lambda: threading.Timer(0.002, blow).start())


def _not_committed(blow: _Blow) -> None:
    from mailings.planning import plan

    _after(plan, "_write_down", blow)


def _summed_up(blow: _Blow) -> None:
    from mailings.planning import plan

    _after(plan, "_summary", blow)


def _committed(blow: _Blow) -> None:
    real: Any = steering.plan_now

    def wrapped(*arguments: Any) -> Any:
        found = real(*arguments)
        blow()
        return found

    steering.plan_now = wrapped


PLANNING: dict[str, Callable[[Any], None]] = {
    "F10 being written": _writing,
    "F10 written": _not_committed,
    "F10 summed up": _summed_up,
    "F10 committed": _committed,
}


def rows_and_state(post: Post) -> tuple[int, str]:
    """How many recipients are written down, and how the mailing stands."""
    with post.sessions() as session:
        count = sa.text("SELECT count(*) FROM deliveries WHERE portal_id = :p AND mailing_id = :m")
        number = session.execute(count, {"p": post.portal_id, "m": post.mailing.id}).scalar_one()
    return number, post.now().state
