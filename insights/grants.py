"""A signed note that the viewer of a card may see a client's figures.

A deal's card shows its company or its contact. The session token names only the deal, so which clients
the viewer was allowed to read is noted here, for this viewer on this card and for one hour.
"""

from __future__ import annotations

from datetime import datetime

from itsdangerous import BadSignature, URLSafeSerializer

from core.web.session import LIFETIME, Viewer
from segments.explain import Client
from segments.models import ClientKind

_SALT = "client-card.v1"


class NotGranted(Exception):
    """The note is damaged, out of date, or was written for somebody or something else."""


def issue(secret_key: str, viewer: Viewer, client: Client, now: datetime) -> str:
    """Note that `viewer` may see `client` on the card they have open."""
    end = int((now + LIFETIME).timestamp())
    return _serializer(secret_key).dumps([*_holder(viewer), client.kind.value, client.id, end])


def read(secret_key: str, viewer: Viewer, note: str, now: datetime) -> Client:
    """The client of a note written for this viewer on this card."""
    try:
        *holder, kind, client_id, end = _serializer(secret_key).loads(note)
        client = Client(ClientKind(kind), int(client_id))
    except (BadSignature, ValueError, TypeError) as error:
        raise NotGranted from error
    if holder != _holder(viewer) or now.timestamp() >= end:
        raise NotGranted
    return client


def _holder(viewer: Viewer) -> list[object]:
    return [viewer.portal_id, viewer.user_id, viewer.placement, viewer.entity_id]


def _serializer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt=_SALT)
