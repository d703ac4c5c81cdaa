"""The application and a demo portal together, in one process and without workers.

`World` acts as everybody around the application: the portal's administrator who registers and installs
it, the browser that posts frames, the workers that take jobs (here `work`, at once).
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import rq
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from rq.serializers import JSONSerializer
from support.memory import Memory

from app import create_app
from core import embedded, log, runtime
from core.config import Settings
from core.database import transaction
from core.queue import Queue
from core.runtime import Runtime
from demo.portal.process import DemoPortal
from integration.models import Portal
from integration.portals import by_member, register
from integration.sync import engine, runs
from segments import first_run, pipeline
from segments.models import FirstRun
from segments.worth import sale_rules
from segments.writing import writeback

LOCK_SECONDS = 10.0
NOWHERE = "http://127.0.0.1:1"
"""The application's address where only the test client talks to it."""


@dataclass
class World:
    """One portal with the application registered on it, and the application itself."""

    app: Flask
    runtime: Runtime
    demo: DemoPortal
    keys: dict[str, Any]
    member_id: str = ""
    lines: str = ""
    memory: Memory | None = None

    @property
    def browser(self) -> FlaskClient:
        """A client without cookies: every page is opened by a frame's POST."""
        return self.app.test_client(use_cookies=False)

    @property
    def portal(self) -> Portal:
        """The portal's row as it is now."""
        with self.runtime.sessions() as session:
            return by_member(session, self.member_id)

    @property
    def portal_id(self) -> int:
        """Our id of the portal, asked for very often."""
        own = sa.select(Portal.id).where(Portal.member_id == self.member_id)
        with self.runtime.engine.connect() as connection:
            return connection.execute(own).scalar_one()

    def frame(self, user_id: int = 1, **how: Any) -> dict[str, Any]:
        """The form a browser would post: {url, body}."""
        return self.demo.open(self.keys["client_id"], user_id=user_id, **how)

    def post(self, frame: dict[str, Any]) -> Any:
        """Post a frame's form to the application; the response."""
        address = urlsplit(frame["url"])
        return self.browser.post(
            f"{address.path or '/'}?{address.query}",
            data=urlencode(frame["body"]),
            content_type="application/x-www-form-urlencoded",
        )

    def open(self, user_id: int = 1, **how: Any) -> Any:
        """Open a frame as this user of the portal."""
        return self.post(self.frame(user_id, **how))

    def install(self) -> None:
        """The administrator opens the install page and waits until the wizard is through."""
        response = self.open(handler=f"{self.runtime.settings.public_url}/install")
        assert response.status_code == 200, response.get_data(as_text=True)[:500]
        self.member_id = self.demo.control("")["member_id"]
        self.work(Queue.INTERACTIVE)
        assert self.portal.state == "active", self.portal.install_steps
        self.demo.control(f"apps/{self.keys['client_id']}/finish", {})
        self.lead(on=False)

    def lead(self, *, on: bool) -> None:
        """Lead the administrator through the first steps when he opens the application; most tests are past that."""
        with transaction(self.runtime.sessions) as session:
            if on:
                session.delete(session.get_one(FirstRun, self.portal_id))
            else:
                first_run.close(session, self.portal_id, user_id=1)

    def work(self, *queues: Queue) -> int:
        """Run the waiting jobs of the queues, in order; the number run."""
        done = 0
        for name in queues or tuple(Queue):
            queue = rq.Queue(name, connection=self.runtime.redis, serializer=JSONSerializer)
            while queue.count:
                job = queue.fetch_job(queue.pop_job_id())
                key = f"rubilnik:waiting:{job.meta.get('waiting')}"
                self.runtime.redis.delete(key)
                job.delete()
                call(job.func_name, *job.args)
                done += 1
        return done

    def reach(self, step: Callable[[World], object]) -> World:
        """What this step makes of a new world: done for real once, then remembered.

        Only as the first thing done: whatever was before is lost.
        """
        if self.memory is None:
            step(self)
        elif step in self.memory:
            self.memory.put_back(step)
        else:
            step(self)
            self.memory.keep(step)
        return self

    def sync(self, *, full: bool = False) -> runs.RunProgress:
        """A whole run, in this process."""
        with transaction(self.runtime.sessions) as session:
            run = runs.start(session, self.portal_id, full=full)
        while engine.run_slice(self.runtime, self.portal_id, run.id).more:
            pass
        return self.progress()

    def progress(self) -> runs.RunProgress:
        """The newest run."""
        with self.runtime.sessions() as session:
            found = runs.progress(session, self.portal_id)
        assert found is not None
        return found

    def count(self) -> None:
        """Metrics brought up to the mirror."""
        pipeline.recompute(self.runtime, self.portal_id)

    def write(self) -> writeback.Report:
        """Everything that differs, written to the portal, waiting as long as it says.

        Who was killed at it holds its lock for a moment.
        """
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            report = pipeline.write_back(self.runtime, self.portal_id)
            if report is None:
                assert time.monotonic() < deadline, "writing is off, or somebody else is at it"
                time.sleep(0.1)
            elif not report.more:
                return report
            elif report.wait:
                self.runtime.sleep(report.wait)

    def set_rule(self, **asked: Any) -> None:
        """Change the sale rule, as the settings page does."""
        with transaction(self.runtime.sessions) as session:
            sale_rules.change(session, self.portal_id, sale_rules.Asked(**asked))

    def switch_writing(self, *, on: bool = True) -> None:
        """Throw the switch of writing."""
        with transaction(self.runtime.sessions) as session:
            writeback.switch(session, self.portal_id, enabled=on, user_id=1)

    def truth(self, **rule: str) -> dict[str, Any]:
        """What the portal's rows say every client is worth."""
        asked = urlencode({"categories": "0,1", **rule})
        found: dict[str, Any] = self.demo.control(f"truth?{asked}")
        return found

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All canonical rows of the portal's table."""
        found: list[dict[str, Any]] = []
        while page := self.demo.control(
            f"rows/{table}?limit=1000&after={found[-1]['ID'] if found else 0}"
        ):
            found += page
        return found

    def call(self, method: str, **params: Any) -> Any:
        """A REST method by an administrator's webhook."""
        import requests

        url = f"{self.demo.webhook()}{method}"
        answer = requests.post(
            url, data=orjson.dumps(params), headers={"Content-Type": "application/json"}, timeout=60
        )
        return answer.json()["result"]


def read(world: World) -> None:
    """The first reading after the installation."""
    world.work()


def counted(world: World) -> None:
    """Read, and counted by the rule a portal begins with."""
    read(world)
    world.count()


def written(world: World) -> None:
    """Read, counted by two pipelines, the figures on the cards."""
    read(world)
    world.set_rule(pipelines=(0, 1))
    world.switch_writing()
    world.count()
    world.write()


def call(dotted: str, *arguments: Any) -> None:
    """Call a job by its dotted name, as a worker does."""
    module, _, function = dotted.rpartition(".")
    getattr(importlib.import_module(module), function)(*arguments)


@contextmanager
def world(
    settings: Settings,
    demo: DemoPortal,
    *,
    installed: bool = True,
    beside: tuple[DemoPortal, ...] = (),
    address: str = NOWHERE,
) -> Iterator[World]:
    """The application on the test servers, registered on the portal; by default installed too.

    `beside`: more portals, to be `joined`, whose OAuth servers are allowed as well.
    """
    settings = replace(
        embedded.resolve(settings),
        b24_oauth_urls=tuple(each.oauth_url for each in (demo, *beside)),
        b24_client_id="",
        public_url=address,
        allow_private_portals=True,
    )
    app = create_app(settings)
    current = runtime.current()
    try:
        made = joined(app, current, demo, address)
        if installed:
            made.install()
        yield made
    finally:
        current.engine.dispose()
        current.redis.close()
        log.configure("WARNING")


def joined(app: Flask, current: Runtime, demo: DemoPortal, address: str = NOWHERE) -> World:
    """The application registered on one more portal, as its administrator does it."""
    keys = demo.register(
        title="Рубильник",
        handler_url=f"{address}/",
        install_url=f"{address}/install",
        scopes=["crm", "catalog", "placement", "user_basic", "im"],
    )
    with transaction(current.sessions) as session:
        register(
            session,
            current.vault,
            domain=demo.url,
            client_id=keys["client_id"],
            client_secret=keys["client_secret"],
        )
    return World(app, current, demo, keys)
