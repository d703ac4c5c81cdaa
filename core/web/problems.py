"""What a program reads when something went wrong: a problem as RFC 9457 writes it, in place of a page."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

PREFIX = "/api/"
_OURS = ("Content-Type", "Content-Length")


def wanted() -> bool:
    """Whether a program asks, not a page."""
    return request.path.startswith(PREFIX)


def answer(status: int, detail: str, **more: Any) -> Response:
    """A problem: `detail` says what was wrong and what to do, `more` are members of its own."""
    response = jsonify(
        {"title": HTTP_STATUS_CODES[status], "status": status, "detail": detail, **more}
    )
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def of(error: HTTPException) -> Response:
    """The same of an error of HTTP, with the headers that belong to it."""
    response = answer(error.code or 500, error.description or "")
    for name, value in error.get_headers():
        if name not in _OURS:
            response.headers.add(name, value)
    return response
