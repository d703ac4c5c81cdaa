"""Work on the next items of an iterator in a thread while the caller is busy with the last one."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


@dataclass(frozen=True)
class _Item(Generic[T]):
    value: T


def ahead(source: Iterator[T], depth: int) -> Iterator[T]:
    """The same items and the same exception, with up to `depth` items waiting ready.

    When the caller stops early the thread ends after the item it is working on.
    """
    ready: queue.Queue[_Item[T] | _End] = queue.Queue(maxsize=max(1, depth))
    stopped = threading.Event()
    work = contextvars.copy_context()
    thread = threading.Thread(
        target=work.run, args=(_fill, source, ready, stopped), name="ahead", daemon=True
    )
    thread.start()
    try:
        while isinstance(got := ready.get(), _Item):
            yield got.value
        if got.error is not None:
            raise got.error
    finally:
        stopped.set()


def _fill(
    source: Iterator[T], ready: queue.Queue[_Item[T] | _End], stopped: threading.Event
) -> None:
    error: BaseException | None = None
    try:
        for value in source:
            if not _put(ready, _Item(value), stopped):
                return
    except BaseException as raised:  # noqa: BLE001 - handed over to the caller's thread
        error = raised
    finally:
        if isinstance(source, Generator):
            source.close()
        _put(ready, _End(error), stopped)


def _put(
    ready: queue.Queue[_Item[T] | _End], item: _Item[T] | _End, stopped: threading.Event
) -> bool:
    while not stopped.is_set():
        try:
            ready.put(item, timeout=_POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
