"""Whom a session may look at: a client or lead the viewer was proved to be allowed to see."""

from __future__ import annotations

from flask import g, request
from werkzeug.exceptions import Forbidden

from core.web.session import Viewer
from insights import subject
from insights.subject import Subject
from segments.worth.explain import Client


def granted() -> Subject:
    """Whoever is asked for, or the card's first. Raises Forbidden."""
    viewer: Viewer = g.viewer
    if not viewer.clients:
        raise Forbidden
    name = request.values.get("client", viewer.clients[0])
    if name not in viewer.clients:
        raise Forbidden
    return subject.named(name)


def granted_client() -> Client:
    """The same where only a client will do. Raises Forbidden."""
    found = granted()
    if not isinstance(found, Client):
        raise Forbidden
    return found
