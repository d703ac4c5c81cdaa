"""Puts the shell around the application: layout, static files, languages, access, headers, errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, g, request, send_from_directory, url_for
from werkzeug.routing import IntegerConverter, Map

from core.web import errors, guard, i18n, security, session
from core.web.guard import ProgramOf, Recheck, public

if TYPE_CHECKING:
    from core.config import Settings
    from core.web.session import Viewer

HERE = Path(__file__).parent
STATIC = HERE / "static"
_FOREVER = "public, max-age=31536000, immutable"

blueprint = Blueprint("shell", __name__, template_folder="templates")


@dataclass(frozen=True)
class Notice:
    """What stands above a page. `action`: the button; it leads to `href`, or proves the viewer anew."""

    title: str
    text: str = ""
    tone: str = "info"
    action: str = ""
    href: str = ""


class RowNumber(IntegerConverter):
    """A number in an address that a row may have; a greater one is of no row, which is all the answer needs."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=2**63 - 1)


def numbered(app: Flask) -> Flask:
    """The application with `<int:…>` in its addresses as RowNumber; before any is registered."""
    app.url_map.converters["int"] = RowNumber
    return app


def register(
    app: Flask,
    settings: Settings,
    *,
    recheck: Recheck | None = None,
    renewal_endpoint: str | None = None,
    standing: Callable[[Viewer], Notice | None] | None = None,
    askable: Callable[[Viewer], list[str]] | None = None,
    program_of: ProgramOf | None = None,
) -> None:
    """Call last in the composition root: a route without an access rule stops the start.

    Make the application with `Flask(__name__, static_folder=None)`: static files are served here.
    `recheck`, `program_of`: see guard.register. `renewal_endpoint`: a frame entry that pages post a fresh user
    token to when their session is over; it calls `open_session` and answers 204. `standing`: what
    every page says to its viewer above its content, if anything. `askable`: names of those who can
    give a viewer the rights he lacks.
    """
    app.extensions["session_renewal"] = renewal_endpoint
    app.extensions["standing"] = standing
    app.secret_key = settings.secret_key
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.json.ensure_ascii = app.json.sort_keys = False  # type: ignore[attr-defined]
    i18n.register(app)
    app.register_blueprint(blueprint)
    app.context_processor(_page_facts)
    app.jinja_env.globals["asset"] = asset
    errors.register(app, askable)
    security.register(app, https=settings.public_url.startswith("https://"))
    guard.register(app, recheck, program_of)


def open_session(viewer: Viewer, frame_origin: str, time_zone: str | None = None) -> None:
    """Start a session after a frame entry has proved who is looking and which portal shows us."""
    g.viewer = session.new_viewer(viewer)
    g.frame_origin = frame_origin.lower()
    g.session_token = g.renewed_token = session.issue(current_app.config["SECRET_KEY"], g.viewer)
    i18n.use(time_zone)


@blueprint.get("/static/<path:filename>")
@public("style sheets, scripts and icons hold no data")
def static(filename: str) -> Response:
    """One file of the shell; addresses made by `asset()` may be kept for ever."""
    response = send_from_directory(STATIC, filename)
    if request.args.get("v"):
        response.headers["Cache-Control"] = _FOREVER
    else:
        response.headers["Cache-Control"] = "no-cache"
    return response


def asset(filename: str) -> str:
    """The address of a static file, with its content in the query so that a new one is fetched."""
    return url_for("shell.static", filename=filename, v=_fingerprint(filename, _changed(filename)))


def wants_fragment() -> bool:
    """Whether htmx asks for the block alone, not for a whole document."""
    return request.headers.get("HX-Request") == "true"


def _page_facts() -> dict[str, object]:
    renewal = current_app.extensions["session_renewal"]
    return {
        "session_renewal": url_for(renewal) if renewal else None,
        "base": "fragment.html" if wants_fragment() else "layout.html",
        "viewer": g.get("viewer"),
        "page_standing": _standing,
    }


def _standing() -> Notice | None:
    """Asked for by the layout, so only whole pages pay for it."""
    standing, viewer = current_app.extensions["standing"], g.get("viewer")
    return standing(viewer) if standing and viewer else None


def _changed(filename: str) -> int:
    path = STATIC / filename
    return path.stat().st_mtime_ns if path.is_file() else 0


@cache
def _fingerprint(filename: str, changed: int) -> str:
    path = STATIC / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if changed else "missing"
