"""Connections to one mail server and the letters on them, all carried by one thread.

A hundred threads with a letter each would spend their time taking the interpreter from one another. Here a letter says
what it waits for (`channels.base.Need`), and the thread goes on with another. Only the opening of a connection, which
blocks, has a thread of its own.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any

from mailings.channels.base import Message, Need, Outcome, SendResult, SteppedLink
from mailings.sending.crew import IDLE_SECONDS, Done, Task, composed
from mailings.sending.keeper import Keeper, Request
from mailings.sending.switchboard import READ, WRITE, Switchboard

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_MOST_AHEAD = 2_000
_EVENTS = {Need.READ: READ, Need.WRITE: WRITE}


class Line:
    """One connection. `next`: the letter after the one on it; `since`: when it began to wait for `need`."""

    def __init__(self, link: SteppedLink) -> None:
        self.link = link
        self.life: Generator[Need | None, Any, None]
        self.need: Need | None = None
        self.since = 0.0
        self.task: Task
        self.request: Request | None = None
        self.next: tuple[Task, Message] | None = None
        self.watched: socket.socket | None = None

    @property
    def passed(self) -> bool:
        """Whether the letter on it is through the gate."""
        return self.request is not None and self.request.passed

    def begin(self, task: Task) -> None:
        """Another letter."""
        self.task, self.request = task, None


class Lines:
    """At most `size` connections and the tasks they take from. `made_for`: the version of the server at their end."""

    def __init__(
        self,
        make_link: Callable[[], SteppedLink],
        keeper: Keeper,
        report: Callable[[Done], None],
        hungry: threading.Event,
    ) -> None:
        self.size = 1
        self.made_for: object = None
        self._make_link, self._keeper = make_link, keeper
        self._report, self._hungry = report, hungry
        self._inbox: deque[Task] = deque()
        self._lines: set[Line] = set()
        self._resting: list[Line] = []
        self._board: Switchboard
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._looked_at = 0.0
        self._finished = self._in_a_second = 0

    @property
    def wanted(self) -> int:
        """How many more tasks are welcome: what is sent in a second, so that the next can be fetched meanwhile."""
        waiting = len(self._inbox)
        return 0 if 2 * waiting > self._ahead or not self.size else self._ahead - waiting

    @property
    def hands(self) -> int:
        """How many connections there are."""
        return len(self._lines)

    @property
    def idle(self) -> bool:
        """Whether nobody works here any more."""
        return self._thread is None and not self._inbox

    def add(self, tasks: Sequence[Task]) -> None:
        """Have these sent."""
        self._inbox.extend(tasks)
        with self._lock:
            if self._thread is None and self._inbox and not self._stopping:
                self._board = Switchboard()
                self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
                self._thread.start()
            if self._thread is not None:
                self._board.call(self._staff)

    def drain(self) -> list[Task]:
        """Take back what nobody has begun."""
        found: list[Task] = []
        while self._inbox:
            try:
                found.append(self._inbox.popleft())
            except IndexError:
                break
        return found

    def leave(self) -> list[Task]:
        """Begin nothing more; what is under way ends. What nobody has begun is handed back."""
        self._stopping = True
        with self._lock:
            if self._thread is not None:
                self._board.call(self._staff)
        return self.drain()

    def join(self) -> list[Task]:
        """Wait until everybody has left."""
        thread = self._thread
        if thread is not None:
            thread.join()
        return self.drain()

    @property
    def _ahead(self) -> int:
        return max(2 * self.size, min(self._in_a_second, _MOST_AHEAD))

    def _run(self) -> None:
        board = self._board
        while self._at_work():
            for line in board.wait(_LOOK_SECONDS):
                if line.need in _EVENTS:
                    self._resume(line)
                else:  # the server speaks, or leaves, unasked: it will be noticed when the line goes on
                    self._unwatch(line)
            if time.monotonic() >= self._looked_at + _LOOK_SECONDS:
                self._look()
        board.close()

    def _at_work(self) -> bool:
        with self._lock:
            if not self._lines and (self._stopping or not self._inbox):
                self._thread = None
        return self._thread is not None

    def _look(self) -> None:
        """Once a second: who waits for too long, and how fast it goes."""
        now = self._looked_at = time.monotonic()
        self._in_a_second, self._finished = self._finished, 0
        for line in list(self._lines):
            if line.need in _EVENTS and now > line.since + line.link.patience:
                self._resume(line, error=TimeoutError("the server says nothing"))
            elif line.need is None and now > line.since + IDLE_SECONDS:
                self._leave(line)

    def _staff(self) -> None:
        """Have somebody take what is there to be sent."""
        while self._resting and len(self._lines) > self.size:
            self._leave(self._resting[-1])
        while self._resting and (self._inbox or self._stopping):
            self._resume(self._resting[-1])
        for _ in range(min(self.size - len(self._lines), len(self._inbox))):
            line = Line(self._make_link())
            line.life = self._life(line)
            self._lines.add(line)
            self._resume(line)

    def _life(self, line: Line) -> Generator[Need | None, Any, None]:
        """Letter after letter; None says that there is none."""
        while not self._stopping and len(self._lines) <= self.size:
            ready, line.next = line.next or self._taken(), None
            if ready is None:
                yield None
            elif (yield from self._carried(line, *ready)).outcome is Outcome.NOT_TRIED:
                return  # whoever reads the report decides how it goes on

    def _carried(
        self, line: Line, task: Task, message: Message
    ) -> Generator[Need, Any, SendResult]:
        line.begin(task)
        try:
            result = yield from line.link.steps(message, lambda: line.next and line.next[1])
        except Exception:
            log.exception("link failed", extra={"channel": task.row.channel})
            line.link.close()
            result = SendResult(Outcome.UNKNOWN if line.passed else Outcome.NOT_TRIED)
        self._finished += 1
        self._report(Done(task, result, passed=line.passed))
        return result

    def _taken(self) -> tuple[Task, Message] | None:
        """The next task and its letter; those without one are reported."""
        while self._inbox and not self._stopping:
            try:
                task = self._inbox.popleft()
            except IndexError:  # drained in this moment
                break
            if self.wanted and not self._hungry.is_set():
                self._hungry.set()
            message = composed(task)
            if not isinstance(message, Done):
                return task, message
            self._report(message)
        return None

    def _resume(self, line: Line, value: object = None, error: Exception | None = None) -> None:
        """Let it go on until it waits again."""
        if line.need is None and line in self._resting:
            self._resting.remove(line)
        try:
            life = line.life
            line.need = life.send(value) if error is None else life.throw(error)
        except StopIteration:
            self._leave(line)
            return
        except Exception:
            log.exception("line broken")
            self._leave(line)
            return
        line.since = time.monotonic()
        if line.watched is not line.link.socket:
            self._unwatch(line)
        if line.need in _EVENTS:
            self._watch(line, _EVENTS[line.need])
        elif line.need is Need.GATE:
            self._ask(line)
        elif line.need is Need.OPEN:
            threading.Thread(target=self._open, args=(line,), name="opening", daemon=True).start()
        else:
            self._resting.append(line)

    def _ask(self, line: Line) -> None:
        """To the gate; meanwhile the next letter is put together."""

        def told() -> None:
            self._board.call(lambda: self._answered(line))

        line.request = self._keeper.come(line.task.row, line.task.mailing, told)
        line.next = self._taken()

    def _answered(self, line: Line) -> None:
        request = line.request
        self._resume(line, request is not None and request.passed and request.in_time)

    def _open(self, line: Line) -> None:
        try:
            opened = line.link.open()
        except Exception as error:  # noqa: BLE001 - it is told to the letter that needs it
            problem = error
            self._board.call(lambda: self._resume(line, error=problem))
        else:
            self._board.call(lambda: self._resume(line, opened))

    def _leave(self, line: Line) -> None:
        self._unwatch(line)
        line.life.close()
        line.link.close()
        self._lines.discard(line)
        if line in self._resting:
            self._resting.remove(line)
        if line.next is not None:
            self._inbox.appendleft(line.next[0])

    def _watch(self, line: Line, event: int) -> None:
        line.watched = line.link.socket
        if line.watched is not None:
            self._board.watch(line.watched, event, line)

    def _unwatch(self, line: Line) -> None:
        if line.watched is not None:
            self._board.forget(line.watched)
            line.watched = None
