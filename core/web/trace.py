"""One log line per request, with an id that every other line of the request carries too."""

from __future__ import annotations

import logging
import secrets
import time

from flask import Flask, Response, g, request

from core.log import bind, unbind

log = logging.getLogger(__name__)

_QUIET = frozenset({"shell.static", "health.alive", "health.ready", "health.metrics"})


def register(app: Flask) -> None:
    """Trace every request of the application. Call before anything else hooks into requests."""
    app.before_request(_begin)
    app.after_request(_report)
    app.teardown_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()
    g.bound = bind(request=secrets.token_hex(6))


def _report(response: Response) -> Response:
    who = g.get("viewer") or g.get("program")
    if request.endpoint not in _QUIET:
        log.info(
            "request",
            extra={
                "method": request.method,
                "endpoint": request.endpoint,
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - g.began) * 1000),
                **({"portal": who.portal_id} if who else {}),
            },
        )
    return response


def _end(_error: BaseException | None) -> None:
    token = g.pop("bound", None)
    if token is not None:
        unbind(token)
