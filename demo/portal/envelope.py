"""How answers look on the wire: the `time` object, success and error bodies."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from demo.portal.api import ApiError, Result
    from demo.portal.state import Portal


class Clockface:
    """Renders moments in the portal's zone; a second is formatted once."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._second = -1
        self._text = ""

    def iso(self, moment: float) -> str:
        """A unix moment as ISO text with the server's offset."""
        second = int(moment)
        if second != self._second:
            self._second = second
            zone = self._portal.time_zone
            self._text = datetime.fromtimestamp(second, zone).isoformat(timespec="seconds")
        return self._text


def time_block(
    clock: Clockface, start: float, seconds: float, operating: tuple[float, int] | None
) -> dict[str, Any]:
    """The `time` object; `operating` is None where the portal does not count it."""
    finish = start + seconds
    block: dict[str, Any] = {
        "start": start,
        "finish": finish,
        "duration": seconds,
        "processing": seconds,
        "date_start": clock.iso(start),
        "date_finish": clock.iso(finish),
    }
    if operating is not None:
        block["operating_reset_at"] = operating[1]
        block["operating"] = operating[0]
    return block


def success(result: Result, time: dict[str, Any]) -> bytes:
    """The body of a success."""
    body: dict[str, Any] = {"result": result.value}
    if result.next is not None:
        body["next"] = result.next
    if result.total is not None:
        body["total"] = result.total
    body["time"] = time
    return encode(body)


def failure(error: ApiError) -> dict[str, Any]:
    """The body of an error, also used inside a batch."""
    return {"error": error.code, "error_description": error.description}


def encode(body: dict[str, Any]) -> bytes:
    """Bytes of an answer; keys that are numbers become strings, as PHP writes them."""
    return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
