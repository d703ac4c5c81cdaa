"""Pictures of letters, as mail programs and browsers ask for them."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from core.runtime import current
from core.web import throttle
from core.web.guard import public
from mailings.content import pictures

WRONG_OF_ADDRESS = 300
_FOREVER = "public, max-age=31536000, immutable"

blueprint = Blueprint("pictures", __name__)


@blueprint.get("/p/<int:portal_id>/<name>")
@public("a picture made to be seen by everybody who gets the letter; its name can't be guessed")
def picture(portal_id: int, name: str) -> Response:
    """The picture; one of this address never changes."""
    runtime = current()
    with runtime.sessions() as session:
        found = pictures.served(session, portal_id, name)
    if found is None:
        throttle.limit(runtime.redis, "wrong-picture", throttle.caller(), WRONG_OF_ADDRESS)
        raise NotFound
    content, kind = found
    response = Response(content, content_type=kind)
    response.headers["Cache-Control"] = _FOREVER
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.set_etag(name)
    response.make_conditional(request)
    return response
