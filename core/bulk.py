"""Settings of the process for work on many rows at once: two of the interpreter, put back afterwards, and one of its memory."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from contextlib import suppress

_COLLECT_AFTER = (50_000, 20, 50)
_SWITCH_SECONDS = 0.001
_MMAP_THRESHOLD, _LARGE_BYTES = -3, 256 * 1024  # mallopt(3)


class _BulkWork:
    """`with bulk_work:` around threads that read and map thousands of rows while one of them stores.

    Rows hold no cycles, so looking for cycles every 700 objects is lost time: a third of a sync. And
    a thread that comes back from the database waits for the interpreter up to the switch interval,
    five milliseconds by default, at each of its statements. Both are settings of the process: the last
    block that ends puts back what the first one found.

    Answers and documents of megabytes come and go in several threads. Unless told otherwise the C library, once one of them
    was freed, takes the next from a heap that never shrinks: a third of a sync's memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._found = (gc.get_threshold(), sys.getswitchinterval())

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._found = (gc.get_threshold(), sys.getswitchinterval())
                _give_large_blocks_back()
                gc.set_threshold(*_COLLECT_AFTER)
                sys.setswitchinterval(_SWITCH_SECONDS)

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                gc.set_threshold(*self._found[0])
                sys.setswitchinterval(self._found[1])


def _give_large_blocks_back() -> None:
    """Have every large block of memory returned to the system as soon as it is freed; only glibc needs to be told."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


bulk_work = _BulkWork()
