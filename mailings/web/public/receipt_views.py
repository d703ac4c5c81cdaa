"""The door returned letters are posted to, by a mail server or a provider.

`POST /receipts/email/dsn?key=<portal id>.<signature>` with the returned message as it is (RFC 822) for a body; the
envelope's recipient in the header `X-Envelope-To` where the message's own headers don't name it. The key is made by
`mailings.receipts.secrets`: the first 32 hex digits of HMAC-SHA256 with SECRET_KEY over `receipts:<portal id>`; portal 0
is the whole installation. Answers 200 `{"taken": …}`, 403 for a wrong key, 404 for an unknown provider, 413 for too
much; after 5xx the same message may be posted again.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import Forbidden, NotFound, RequestEntityTooLarge

from core.database import transaction
from core.runtime import current
from core.web import throttle
from core.web.guard import public
from mailings.receipts import returns, secrets
from mailings.receipts.secrets import ALL_PORTALS, BadKey

blueprint = Blueprint("mail_receipts", __name__)

RETURNS_OF_ADDRESS = 6_000  # in a minute
PROVIDERS = frozenset({"dsn"})


@blueprint.post("/receipts/email/<provider>")
@public("the key is checked first; what a message does is bound to the signed label in it")
def take(provider: str) -> Response:
    """Take a returned message in."""
    runtime = current()
    throttle.limit(runtime.redis, "receipts", throttle.caller(), RETURNS_OF_ADDRESS)
    if provider not in PROVIDERS:
        raise NotFound
    try:
        portal_id = secrets.portal_of(runtime.settings, request.args.get("key", ""))
    except BadKey as error:
        raise Forbidden from error
    try:
        raw = request.get_data(cache=False, parse_form_data=False)
    except RequestEntityTooLarge:
        return Response(status=413)
    with transaction(runtime.sessions) as session:
        taken = returns.take(
            session,
            runtime.settings.secret_key,
            raw,
            recipient=request.headers.get("X-Envelope-To", ""),
            portal_id=None if portal_id == ALL_PORTALS else portal_id,
        )
    return jsonify(taken=taken.sort, delivery=taken.delivery_id, new=taken.new)
