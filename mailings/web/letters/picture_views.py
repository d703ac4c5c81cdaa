"""The edge of the letter editor where a picture comes from the author's own computer."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge

from core.database import transaction
from core.runtime import current
from core.web import throttle
from integration.rights import may_write
from mailings.content import pictures
from mailings.content.drawing import MAX_BYTES, NotAPicture
from mailings.web.words import letter as letter_words

_UPLOADS_A_MINUTE = 30
_ENVELOPE = 64 * 1024

blueprint = Blueprint("letter_pictures", __name__, template_folder="../templates")


@blueprint.post("/letters/pictures")
@may_write
def upload() -> tuple[str, int]:
    """Keep the picture; its address goes into the field it was chosen for."""
    request.max_content_length = MAX_BYTES + _ENVELOPE
    if (request.content_length or 0) > request.max_content_length:
        raise RequestEntityTooLarge  # before any of it is taken in
    portal_id = g.viewer.portal_id
    throttle.limit(current().redis, "pictures", str(portal_id), _UPLOADS_A_MINUTE)
    file = request.files.get("file")
    raw = file.stream.read(MAX_BYTES + 1) if file else b""
    try:
        with transaction(current().sessions) as session:
            found = pictures.keep(session, portal_id, raw, g.viewer.user_id)
            path = pictures.path(found)
    except NotAPicture as error:
        wrong = letter_words.picture_troubles()[error.code]
        return render_template("mailings/letter_picture.html", wrong=wrong), 422
    url = current().settings.public_url + path
    return render_template("mailings/letter_picture.html", url=url), 200
