"""The sender process: claims what is due, has crews send it, keeps its leases, and ends in order.

Any number of them may run, on any number of machines: what each of them may touch is decided in SQL.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
from redis.exceptions import RedisError

from core import embedded, queue
from core.bulk import bulk_work
from core.config import Settings
from core.database import transaction
from core.runtime import Runtime
from core.witness import Witness
from mailings.sending import finishing, leases, pacing, restored, servers
from mailings.sending.composing import Composing, composer
from mailings.sending.desk import Desk

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_AWAY_SECONDS = 0.5
_BEAT_SECONDS = 10.0
_REAP_SECONDS = 1.0
_WITNESS_SECONDS = 2.0
_TIDY_SECONDS = 60.0


def run(
    settings: Settings, *, stop: threading.Event | None = None, composing: Composing = composer
) -> None:
    """Send until SIGTERM or Ctrl-C, or until `stop` is set; then end what is begun and give back the rest."""
    runtime = Runtime.build(embedded.resolve(settings))
    stop = stop or _stop_on_signals()
    witness = Witness(runtime.sessions, runtime.redis, runtime.settings.data_dir)
    desk = Desk(runtime, composing, witness)
    work = (runtime, desk, witness)
    upkeep = threading.Thread(target=_upkeep, args=work, name="upkeep", daemon=True)
    log.info("sender started")
    _surely(lambda: witness.beat(restored.hold))
    with bulk_work:
        desk.open()
        upkeep.start()
        while not stop.is_set():
            if witness.trusted:
                _surely(desk.serve)
            desk.hungry.wait(_POLL_SECONDS)
            desk.hungry.clear()
        desk.close()
    upkeep.join()
    _surely(lambda: witness.beat(restored.hold))
    runtime.engine.dispose()
    log.info("sender stopped")


def _upkeep(runtime: Runtime, desk: Desk, witness: Witness) -> None:
    """What must go on beside the sending; leases are kept until the desk is closed."""
    work: list[tuple[float, Callable[[], object]]] = [
        (_WITNESS_SECONDS, lambda: witness.beat(restored.hold)),
        (_BEAT_SECONDS, lambda: _beat(runtime, desk)),
        (_REAP_SECONDS, lambda: _reap_and_finish(runtime)),
        (_TIDY_SECONDS, lambda: _tidy(runtime)),
    ]
    next_at = [0.0] * len(work)
    while not desk.ended.is_set():
        for number, (every, do) in enumerate(work):
            if time.monotonic() >= next_at[number]:
                next_at[number] = time.monotonic() + every
                _surely(do)
        desk.ended.wait(_POLL_SECONDS)


def _beat(runtime: Runtime, desk: Desk) -> None:
    with transaction(runtime.sessions) as session:
        leases.extend(session, desk.holdings.owners())
    try:
        queue.beat(runtime.redis, "sender")
    except RedisError as error:
        log.warning("heartbeat not written", extra={"reason": str(error)})


def _reap_and_finish(runtime: Runtime) -> None:
    with transaction(runtime.sessions) as session:
        reaped = leases.reap(session)
    if reaped.returned or reaped.unknown:
        log.warning(
            "leases ran out", extra={"returned": reaped.returned, "unknown": reaped.unknown}
        )
    with transaction(runtime.sessions) as session:
        for mailing in finishing.finish(session):
            log.info("mailing finished", extra={"portal": mailing.portal_id, "mailing": mailing.id})


def _tidy(runtime: Runtime) -> None:
    with transaction(runtime.sessions) as session:
        finishing.sweep(session)
        finishing.pause_of_the_cut_off(session)
        servers.provide(session, runtime.settings)
        pacing.forget(session)


def _surely(work: Callable[[], object]) -> None:
    """A database that is away for a while must not end the process."""
    try:
        work()
    except sa.exc.OperationalError as error:
        log.warning("database away", extra={"reason": type(error.orig).__name__})
        time.sleep(_AWAY_SECONDS)
    except Exception:
        log.exception("sender stumbled")
        time.sleep(_AWAY_SECONDS)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
