"""The client a session may look at: one the viewer was proved to be allowed to see."""

from __future__ import annotations

from flask import g, request
from werkzeug.exceptions import Forbidden

from core.web.session import Viewer
from segments.worth.explain import Client


def granted_client() -> Client:
    """The client asked for, or the card's first. Raises Forbidden."""
    viewer: Viewer = g.viewer
    if not viewer.clients:
        raise Forbidden
    name = request.values.get("client", viewer.clients[0])
    if name not in viewer.clients:
        raise Forbidden
    return Client.named(name)
