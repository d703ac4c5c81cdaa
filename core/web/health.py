"""Whether the program is alive and ready: for load balancers, monitoring and people at night."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa
from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from redis.exceptions import RedisError

from core import queue
from core.clock import utcnow
from core.queue import Queue
from core.runtime import Runtime, current
from core.web.guard import public

blueprint = Blueprint("health", __name__)

SILENT_AFTER = timedelta(seconds=60)


@blueprint.get("/healthz")
@public("says only that the process answers")
def alive() -> Response:
    """This process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public("names parts of the program, no data")
def ready() -> tuple[Response, int]:
    """Every part of the program answers; 503 with the names of those that don't."""
    failing = [name for name, works in _parts(current()).items() if not works]
    if failing:
        return jsonify(status="failing", failing=failing), 503
    return jsonify(status="ok", failing=[]), 200


@blueprint.get("/metrics")
@public("counts of jobs and processes, no data of portals")
def metrics() -> Response:
    """Queue lengths and heartbeats for Prometheus."""
    registry = CollectorRegistry()
    up = Gauge("rubilnik_up", "Whether the part answers", ["part"], registry=registry)
    for name, works in _parts(current()).items():
        up.labels(name).set(works)
    waiting = Gauge("rubilnik_queue_jobs", "Jobs that wait", ["queue"], registry=registry)
    for name in Queue:
        try:
            waiting.labels(name.value).set(queue.length(current().redis, name))
        except RedisError:
            continue
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _parts(runtime: Runtime) -> dict[str, bool]:
    heard = _heard(runtime)
    return {
        "database": _answers(lambda: _select_one(runtime)),
        "queue": _answers(runtime.redis.ping),
        "ticker": "ticker" in heard,
        "sender": "sender" in heard,
        **{f"worker-{name}": f"worker-{name}" in heard for name in Queue},
    }


def _heard(runtime: Runtime) -> set[str]:
    try:
        beats = queue.beats(runtime.redis)
    except RedisError:
        return set()
    return {name for name, at in beats.items() if utcnow() - at < SILENT_AFTER}


def _select_one(runtime: Runtime) -> None:
    with runtime.engine.connect() as connection:
        connection.execute(sa.select(1))


def _answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except (RedisError, sa.exc.SQLAlchemyError):
        return False
    return True
