"""The doors recipients come through: a link of a letter, and its invisible picture.

A link leads only where the mailing's letter led when it was sent; the address is in the database, never in the request.
Being counted is never in the reader's way: too many, too odd or too early, he still gets there.
"""

from __future__ import annotations

import logging

from flask import Blueprint, Response, redirect, request
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response as AnyResponse

from core.runtime import current
from core.web import throttle
from core.web.guard import public
from mailings.receipts import following
from mailings.receipts.events import Opening
from mailings.rules import tokens
from mailings.rules.events import EventKind
from mailings.rules.tokens import BadToken, Purpose

log = logging.getLogger(__name__)

blueprint = Blueprint("mail_tracking", __name__)

# In a minute from one address: mail services fetch pictures for all their readers; guessers are few.
COUNTED_OF_ADDRESS, WRONG_OF_ADDRESS = 12_000, 300

_PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


@blueprint.get("/c/<token>")
@public("leads to an address stored with the letter; the token is signed and tells nothing more")
def click(token: str) -> AnyResponse:
    """Go where the link leads."""
    runtime = current()
    try:
        portal_id, delivery_id, number = tokens.read(
            runtime.settings.secret_key, Purpose.CLICK, token
        )
    except BadToken as error:
        throttle.limit(runtime.redis, "wrong-link", throttle.caller(), WRONG_OF_ADDRESS)
        raise NotFound from error
    with runtime.sessions() as session:
        key = runtime.settings.secret_key
        url = following.target(session, portal_id, delivery_id, number, key)
    if url is None:
        raise NotFound
    _note(portal_id, delivery_id, EventKind.CLICKED, number)
    response = redirect(url, 302)
    response.autocorrect_location_header = False
    return response


@blueprint.get("/o/<token>")
@public("the same picture for everybody; a signed token notes that a letter was opened")
def pixel(token: str) -> Response:
    """The invisible picture; whatever happens, it is shown."""
    try:
        portal_id, delivery_id, _ = tokens.read(
            current().settings.secret_key, Purpose.OPEN, token.removesuffix(".gif")
        )
        _note(portal_id, delivery_id, EventKind.OPENED)
    except BadToken:
        pass
    except Exception:
        log.exception("opening not noted")
    return Response(
        _PIXEL,
        content_type="image/gif",
        headers={"Cache-Control": "no-store, no-cache, must-revalidate, private", "Expires": "0"},
    )


def _note(portal_id: int, delivery_id: int, kind: EventKind, link: int | None = None) -> None:
    """Count it, unless it is only being looked at, or somebody runs a mill."""
    if request.method != "GET":
        return
    runtime = current()
    try:
        throttle.limit(runtime.redis, "tracked", throttle.caller(), COUNTED_OF_ADDRESS)
    except TooManyRequests:
        return
    agent = following.agent_of(request.headers.get("User-Agent"))
    following.note(runtime.sessions, portal_id, delivery_id, Opening(kind, agent, link))
