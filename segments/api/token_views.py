"""The edge of the settings page about programs: tokens made and revoked; and whose token a program brings."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web import throttle
from core.web.guard import Program, admin_required
from integration import api_tokens
from integration.api_tokens import NoName, TooMany
from segments.api import views

blueprint = Blueprint("api_tokens", __name__, template_folder="../templates")

# In a minute: of a token, whatever it asks; of an address that brings tokens nobody has made.
ASKED, STRANGE = 300, 60


def program_of(token: str) -> Program | None:
    """Whose token this is. Raises TooManyRequests."""
    redis = current().redis
    with transaction(current().sessions) as session:
        found = api_tokens.find(session, token)
        if found is not None:
            program = Program(found.portal_id, found.id, found.made_by, found.may_write)
    if found is None:
        throttle.limit(redis, "api-strange", throttle.caller(), STRANGE)
        return None
    throttle.limit(redis, "api", f"{program.portal_id}-{program.token_id}", ASKED)
    return program


@blueprint.get("/settings/api")
@admin_required
def tokens() -> str:
    """The portal's tokens."""
    return _page()


@blueprint.post("/settings/api")
@admin_required
def make() -> tuple[str, int]:
    """A new token: this page is the only one that ever shows it."""
    name, may_write = request.form.get("name", ""), request.form.get("access") == "write"
    try:
        with transaction(current().sessions) as session:
            token = api_tokens.make(
                session, g.viewer.portal_id, name, g.viewer.user_id, may_write=may_write
            )
    except NoName:
        return _page(problem="name"), 422
    except TooMany:
        return _page(problem="many"), 422
    return _page(made=token), 200


@blueprint.post("/settings/api/revoke")
@admin_required
def revoke() -> str:
    """A token opens nothing any more."""
    token_id = request.form.get("token", type=int)
    if token_id is None or not 0 < token_id < 2**31:
        flask.abort(400)
    with transaction(current().sessions) as session:
        api_tokens.revoke(session, g.viewer.portal_id, token_id, g.viewer.user_id)
    return _page(revoked=True)


def _page(made: str = "", *, problem: str = "", revoked: bool = False) -> str:
    with current().sessions() as session:
        in_force, gone = api_tokens.listed(session, g.viewer.portal_id)
    facts: dict[str, Any] = {"made": made, "problem": problem, "revoked": revoked}
    return render_template(
        "segments/settings_api.html",
        tokens=in_force,
        gone=gone,
        most=api_tokens.MOST,
        name_length=api_tokens.NAME_LENGTH,
        address=current().settings.public_url + str(views.blueprint.url_prefix),
        **facts,
    )
