"""Server-sent hints: which topics of a page have changed. The page then asks for its parts itself, by their own rules.

A stream holds a thread of the server, so a process has MOST of them, and each ends after LIFE: a frame that is
still open asks for the next. Who finds no room is told once what has changed, and comes again after AWAY
(docs/decisions/0015-hints-by-stream.md).
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from threading import BoundedSemaphore

from flask import Blueprint, Response, g, request, stream_with_context
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from core.runtime import current
from core.web import guard
from core.web.guard import viewer_required
from core.web.session import Viewer

MOST = 8
TOPICS = 8
LIFE, AWAY, AGAIN = 10.0, 30.0, 1.0
EVERY = 2.0
_MIME = "text/event-stream"

Look = Callable[[Session, Viewer, str], object]
"""How a topic stands now, or None where the viewer has nothing to see; the text is what follows its name."""

blueprint = Blueprint("live", __name__)
_looks: dict[str, Look] = {}
_free = BoundedSemaphore(MOST)


def topic(name: str, look: Look) -> None:
    """What pages may listen to: as `name`, or `name:` and whatever `look` understands."""
    _looks[name] = look


@blueprint.get("/live")
@viewer_required
def stream() -> Response:
    """What has changed of the topics asked for: as it comes, or once."""
    asked = request.args.getlist("on")
    topics = [each for each in asked if each.partition(":")[0] in _looks and each.isprintable()]
    if not topics:
        return Response(status=204)
    room = _free.acquire(blocking=False)
    seen = request.headers.get("Last-Event-ID", "")
    told = stream_with_context(_told(topics[:TOPICS], seen, LIFE if room else 0.0))
    response = Response(told, mimetype=_MIME, headers={"X-Accel-Buffering": "no"})
    if room:
        response.call_on_close(_free.release)
    return response


def _told(topics: Sequence[str], seen: str, life: float) -> Iterator[str]:
    """Hints as they come. An id names how everything stood: by it the next stream goes on without a gap."""
    until = time.monotonic() + life
    known: dict[str, object] | None = None
    while True:
        try:
            now = _looked(topics)
        except (HTTPException, SQLAlchemyError):
            return  # the viewer may no longer look, or nobody can: asking will tell
        stand = str(zlib.crc32(repr(now).encode()))
        if known is None:
            changed = list(topics) if seen and seen != stand else []
            yield f"retry: {(AGAIN if life else AWAY) * 1000:.0f}\n\n"
        else:
            changed = [each for each in topics if now[each] != known[each]]
        hints = "".join(f"data: {each}\n\n" for each in changed)
        yield f"id: {stand}\n{hints}" if hints else f"id: {stand}\n\n"
        known = now
        if time.monotonic() >= until:
            return
        time.sleep(EVERY)


def _looked(topics: Sequence[str]) -> dict[str, object]:
    guard.enforce()  # rights may have been withdrawn since the stream began
    found = {}
    with current().sessions() as session:
        for each in topics:
            name, _, rest = each.partition(":")
            found[each] = _looks[name](session, g.viewer, rest)
    return found
