"""The edge of the settings page about people: who may do the marketer's work beside the administrators."""

from __future__ import annotations

from functools import partial

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration import admin_rules, rights
from integration.admin_rules import Overtaken, RuleName
from integration.rights import NoSuchEmployee, Right
from segments import rights_words

blueprint = Blueprint("rights", __name__, template_folder="templates")


@blueprint.get("/settings/people")
@admin_required
def people() -> str:
    """Whom the administrators let work here."""
    return _page()


@blueprint.get("/settings/people/found")
@admin_required
def found() -> str:
    """Employees whose names hold what was typed."""
    typed = request.args.get("search", "").strip()
    with current().sessions() as session:
        version = rights.rights_of(session, g.viewer.portal_id)[0]
        listed = rights.found(session, g.viewer.portal_id, typed)
    return render_template(
        "segments/settings_people_found.html", people=listed, typed=typed, version=version
    )


@blueprint.post("/settings/people")
@admin_required
def give() -> tuple[str, int]:
    """Let an employee do the marketer's work, or no more."""
    form = request.form
    user, version = form.get("user", type=int), form.get("version", type=int)
    asked = form.get("right", "")
    if user is None or version is None or asked not in {"", *Right}:
        flask.abort(400)
    right = Right(asked) if asked else None
    try:
        with transaction(current().sessions) as session:
            rights.give(session, g.viewer.portal_id, user, right, g.viewer.user_id, version)
    except Overtaken:
        return _page("overtaken"), 422
    except NoSuchEmployee:
        return _page("nobody"), 422
    return _page("saved"), 200


def _page(said: str = "") -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        names = rights.names_of(session, portal_id)
        return render_template(
            "segments/settings_people.html",
            people=rights.chosen(session, portal_id),
            version=rights.rights_of(session, portal_id)[0],
            history=admin_rules.history(session, portal_id, RuleName.RIGHTS),
            changes=partial(rights_words.changes, names),
            words=rights_words,
            said=said,
        )
