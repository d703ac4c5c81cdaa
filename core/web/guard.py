"""Access rules: every view says who may call it, and a view that says nothing is never called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from flask import Flask, current_app, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from core.clock import utcnow
from core.web import session
from core.web.session import SessionInvalid, Viewer

View = TypeVar("View", bound=Callable[..., Any])
Recheck = Callable[[Viewer], Viewer | None]
ProgramOf = Callable[[str], "Program | None"]


class Rule(Enum):
    """Who may call a view."""

    PUBLIC = "anyone"
    FRAME_ENTRY = "a Bitrix24 frame: the view itself proves the POST and starts a session"
    VIEWER = "a signed-in portal user"
    RIGHT = "a signed-in portal user whom an administrator has let do it"
    ADMIN = "a signed-in portal administrator"
    PROGRAM = "a program with a token that an administrator of a portal has made for it"


@dataclass(frozen=True)
class Access:
    """The rule a view carries; `why` explains a public one, `right` is what RIGHT asks for.

    `writes`: of a view for programs, that it changes something.
    """

    rule: Rule
    why: str = ""
    right: str = ""
    writes: bool = False

    def lets(self, viewer: Viewer) -> bool:
        """Whether a signed-in viewer may call the view."""
        if self.rule is Rule.RIGHT:
            return viewer.may(self.right)
        return self.rule is Rule.VIEWER or viewer.is_admin


@dataclass(frozen=True)
class Program:
    """A program that came with a token. `user_id`: the employee who made the token and answers for its changes."""

    portal_id: int
    token_id: int
    user_id: int
    may_write: bool


class UnguardedRoute(Exception):
    """A route was registered whose view declares no access rule."""


def public(why: str) -> Callable[[View], View]:
    """Anyone may call this view; `why` says for what reason that is safe."""
    return _marker(Access(Rule.PUBLIC, why))


def frame_entry(view: View) -> View:
    """Bitrix24 opens this view by POST; it must verify the post before it shows anything."""
    return _marker(Access(Rule.FRAME_ENTRY))(view)


def viewer_required(view: View) -> View:
    """Only with a session token in `Authorization`; the view reads `g.viewer`."""
    return _marker(Access(Rule.VIEWER))(view)


def right_required(right: str) -> Callable[[View], View]:
    """As viewer_required, and an administrator has given the viewer this right, or he is one."""
    return _marker(Access(Rule.RIGHT, right=right))


def admin_required(view: View) -> View:
    """As viewer_required, and the viewer administers the portal."""
    return _marker(Access(Rule.ADMIN))(view)


def program_required(*, writes: bool = False) -> Callable[[View], View]:
    """Only with a program's token in `Authorization`, one that may change things where the view `writes`; the view reads `g.program`."""
    return _marker(Access(Rule.PROGRAM, writes=writes))


def access_of(view: Callable[..., Any]) -> Access | None:
    """The rule a view carries, if any."""
    return getattr(view, "access", None)


def register(
    app: Flask, recheck: Recheck | None = None, program_of: ProgramOf | None = None
) -> None:
    """Refuse unmarked routes, and enforce the rules on every request.

    `recheck` is asked on each signed-in request: it returns the viewer as known now (rights may
    have been withdrawn) or None when the session must end (application removed, user dismissed).
    `program_of` tells whose token a program brings; None: nobody's.
    """
    unmarked = [
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if access_of(app.view_functions[rule.endpoint]) is None
    ]
    if unmarked:
        raise UnguardedRoute("no access rule on: " + ", ".join(sorted(unmarked)))
    app.extensions["recheck_viewer"] = recheck
    app.extensions["program_of"] = program_of
    app.before_request(enforce)


def enforce() -> None:
    """Before each request: let it through, or raise 401 / 403."""
    if request.endpoint is None:
        return
    access = access_of(current_app.view_functions[request.endpoint])
    if access is None:
        raise UnguardedRoute(f"no access rule on {request.endpoint}")
    if access.rule in {Rule.PUBLIC, Rule.FRAME_ENTRY}:
        return
    if access.rule is Rule.PROGRAM:
        g.program = _program()
        if access.writes and not g.program.may_write:
            raise Forbidden("The token may only read. Make one that may also change segments.")
        return
    g.viewer = _viewer()
    if not access.lets(g.viewer):
        raise Forbidden


def _program() -> Program:
    program_of: ProgramOf | None = current_app.extensions["program_of"]
    token = _bearer()
    found = program_of(token) if program_of and token else None
    if found is None:
        raise Unauthorized(
            "Send a token of the portal as «Authorization: Bearer …». This one is missing, unknown or revoked.",
            www_authenticate=WWWAuthenticate("bearer"),
        )
    return found


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _viewer() -> Viewer:
    token = _bearer()
    if not token:
        raise Unauthorized
    secret_key, now = current_app.config["SECRET_KEY"], utcnow()
    try:
        viewer = session.read(secret_key, token, now)
        fresher = session.renewed(secret_key, token, now)
    except SessionInvalid as error:
        raise Unauthorized from error
    recheck: Recheck | None = current_app.extensions["recheck_viewer"]
    checked = recheck(viewer) if recheck else viewer
    if checked is None:
        raise Unauthorized
    if checked != viewer:
        fresher = session.issue(secret_key, checked, now)
    g.renewed_token = fresher
    return checked


def _marker(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return mark
