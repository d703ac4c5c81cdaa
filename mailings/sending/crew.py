"""The threads that send by one way: each carries one message at a time over a connection of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from mailings.channels.base import Link, Message, Outcome, SendResult
from mailings.sending.claiming import Claimed
from mailings.sending.composing import CANT_BE_WRITTEN, Composer
from mailings.sending.keeper import Keeper, Request
from mailings.sending.running import Running

log = logging.getLogger(__name__)

UNWRITABLE = "letter"
"""The status of a delivery whose message could not be written."""

IDLE_SECONDS = 10.0
"""A thread without work for so long leaves the server."""


@dataclass(frozen=True, slots=True)
class Task:
    """One message to be sent, with all it needs but the bytes. `server_id`: 0 where the channel has none."""

    row: Claimed
    mailing: Running
    server_id: int
    composer: Composer
    facts: Any


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task. `passed`: it went through the gate; `broken`: the letter could not be put together."""

    task: Task
    result: SendResult
    passed: bool = False
    broken: bool = False


def composed(task: Task) -> Message | Done:
    """Its message; if there can be none, what becomes of it."""
    try:
        return task.composer.message(task.row, task.facts)
    except CANT_BE_WRITTEN as error:
        text = f"{type(error).__name__}: {error}"
        return Done(task, SendResult(Outcome.FAILED, status=UNWRITABLE, text=text))
    except Exception:
        log.exception("letter not put together", extra={"mailing": task.mailing.id})
        return Done(task, SendResult(Outcome.NOT_TRIED), broken=True)


class Crew:
    """At most `size` threads and the tasks they take from. `made_for`: the version of the server it talks to."""

    def __init__(
        self,
        open_link: Callable[[], Link],
        keeper: Keeper,
        report: Callable[[Done], None],
        hungry: threading.Event,
    ) -> None:
        self.size = 1
        self.made_for: object = None
        self._open, self._keeper, self._report, self._hungry = open_link, keeper, report, hungry
        self._inbox: SimpleQueue[Task | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._going: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._stopping = False

    @property
    def wanted(self) -> int:
        """How many more tasks are welcome: enough for every thread to go on while the next are fetched."""
        waiting = self._inbox.qsize()
        return 0 if waiting > self.size else 2 * self.size - waiting

    @property
    def hands(self) -> int:
        """How many threads there are, each with a connection of its own."""
        return len(self._threads)

    @property
    def idle(self) -> bool:
        """Whether nobody works here any more."""
        return not self._threads and self._inbox.empty()

    def add(self, tasks: Sequence[Task]) -> None:
        """Have these sent, by more threads if there are too few."""
        for task in tasks:
            self._inbox.put(task)
        with self._lock:
            needed = min(self.size, len(self._threads) + len(tasks)) - len(self._threads)
            for _ in range(needed):
                thread = threading.Thread(target=self._work, name="sender", daemon=True)
                self._threads.add(thread)
                thread.start()

    def drain(self) -> list[Task]:
        """Take back what nobody has begun."""
        found: list[Task] = []
        while True:
            try:
                task = self._inbox.get_nowait()
            except Empty:
                return found
            if task is not None:
                found.append(task)

    def leave(self) -> list[Task]:
        """Begin nothing more; what is under way ends. What nobody has begun is handed back."""
        self._stopping = True
        left = self.drain()
        with self._lock:
            for _ in self._threads:
                self._inbox.put(None)
        return left

    def join(self) -> list[Task]:
        """Wait until everybody has left."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        return self.drain()

    def _work(self) -> None:
        link = self._open()
        try:
            while (task := self._next()) is not None:
                if self._inbox.qsize() <= self.size:
                    self._hungry.set()
                self._report(self._carried(link, task))
        finally:
            link.close()
            with self._lock:
                self._threads.discard(threading.current_thread())
                self._going.discard(threading.current_thread())

    def _next(self) -> Task | None:
        """The next task; None: it is time to go, and the thread is not counted any more."""
        while not self._stopping and not self._too_many():
            try:
                task = self._inbox.get(timeout=IDLE_SECONDS)
            except Empty:
                task = None
            if task is not None:
                return task
            with self._lock:
                if self._inbox.empty():
                    self._threads.discard(threading.current_thread())
                    return None
        return None

    def _too_many(self) -> bool:
        """Whether this thread is to go, as the crew has become smaller."""
        with self._lock:
            surplus = len(self._threads) - len(self._going) > self.size
            if surplus:
                self._going.add(threading.current_thread())
            return surplus

    def _carried(self, link: Link, task: Task) -> Done:
        request: Request | None = None

        def gate() -> bool:
            nonlocal request
            request = self._keeper.ask(task.row, task.mailing)
            return request.passed and request.in_time

        message = composed(task)
        if isinstance(message, Done):
            return message
        try:
            result = link.send(message, gate)
        except Exception:
            log.exception("link failed", extra={"channel": task.row.channel})
            lost = request is not None and request.passed
            result = SendResult(Outcome.UNKNOWN if lost else Outcome.NOT_TRIED)
        return Done(task, result, passed=request is not None and request.passed)
