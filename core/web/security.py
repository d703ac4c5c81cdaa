"""Headers on every answer: who may frame it, what it may load, that nobody may keep it."""

from __future__ import annotations

import re

from flask import Flask, Response, current_app, g

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-src 'self'; object-src 'none'; "
    "frame-ancestors {ancestors}"
)
_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
    r"|\[[0-9a-f:.]+\])(?::\d{1,5})?"
)


def register(app: Flask, *, https: bool) -> None:
    """Add the headers to every answer of `app`; strict transport only where we are on https."""
    app.config["STRICT_TRANSPORT"] = https
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """Set what the view has not set itself."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", content_policy(g.get("frame_origin")))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    headers.setdefault("Cache-Control", "no-store")
    if current_app.config["STRICT_TRANSPORT"]:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if token := g.get("renewed_token"):
        headers["X-Session"] = token
    return response


def content_policy(frame_origin: str | None) -> str:
    """The policy of a page shown inside `frame_origin`, a confirmed portal, or inside nothing."""
    return _POLICY.format(ancestors=frame_origin if is_origin(frame_origin) else "'none'")


def is_origin(value: str | None) -> bool:
    """Whether `value` is exactly scheme://host[:port] in lower case, safe to put into a header."""
    return bool(value and _ORIGIN.fullmatch(value))
