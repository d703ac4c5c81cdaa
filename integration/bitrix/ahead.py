"""Work on the next items of an iterator in a thread while the caller is busy with the last one."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


@dataclass(frozen=True)
class _Item(Generic[T]):
    value: T


def ahead(source: Iterator[T], depth: int) -> Iterator[T]:
    """The same items and the same exception, with up to `depth` items ready or in the making.

    When the caller stops early the thread ends after the item it is working on.
    """
    ready: queue.SimpleQueue[_Item[T] | _End] = queue.SimpleQueue()
    room = threading.Semaphore(max(1, depth))
    stopped = threading.Event()
    work = contextvars.copy_context()
    thread = threading.Thread(
        target=work.run, args=(_fill, source, ready, room, stopped), name="ahead", daemon=True
    )
    thread.start()
    try:
        while isinstance(got := ready.get(), _Item):
            room.release()
            yield got.value
        if got.error is not None:
            raise got.error
    finally:
        stopped.set()
        room.release()


def _fill(
    source: Iterator[T],
    ready: queue.SimpleQueue[_Item[T] | _End],
    room: threading.Semaphore,
    stopped: threading.Event,
) -> None:
    error: BaseException | None = None
    try:
        while room.acquire() and not stopped.is_set():
            ready.put(_Item(next(source)))
    except StopIteration:
        pass
    except BaseException as raised:  # noqa: BLE001 - handed over to the caller's thread
        error = raised
    finally:
        if isinstance(source, Generator):
            source.close()
        ready.put(_End(error))
