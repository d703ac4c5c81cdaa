"""The edge of what people keep of lists: views saved, renamed, deleted, opened first; columns chosen.

Every list posts here; the answer sends the page to the list's new address.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, abort, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import viewer_required
from core.web.lists import ListKey
from core.web.words import gettext as _
from integration import kept
from integration.kept import Nameless, Taken, TooMany, Whose

blueprint = Blueprint("kept", __name__)

_AT = re.compile(r"(/[a-z0-9]+)+")
_COLUMN = re.compile(r"[a-z_]{1,40}")


@blueprint.post("/lists/<list_key>/keep")
@viewer_required
def keep(list_key: str) -> tuple[str, int] | Response:
    """Keep what the list shows as a view, new or of a name there is."""
    try:
        with transaction(current().sessions) as session:
            query = request.form.get("query", "")
            named = kept.keep(session, _whose(list_key), request.form.get("name", ""), query)
    except Nameless:
        return _refused(_("Give the view a name."))
    except TooMany:
        return _refused(
            _("There are %(number)s views already. Delete one first.", number=kept.MOST)
        )
    return _to({"view": named})


@blueprint.post("/lists/<list_key>/rename")
@viewer_required
def rename(list_key: str) -> tuple[str, int] | Response:
    """Give a view another name."""
    try:
        with transaction(current().sessions) as session:
            view, name = request.form.get("view", ""), request.form.get("name", "")
            named = kept.rename(session, _whose(list_key), view, name)
    except Nameless:
        return _refused(_("Give the view a name."))
    except Taken:
        return _refused(_("Another view has this name."))
    return _to({"view": named})


@blueprint.post("/lists/<list_key>/forget")
@viewer_required
def forget(list_key: str) -> Response:
    """Delete a view: the list shows everything again."""
    with transaction(current().sessions) as session:
        kept.forget(session, _whose(list_key), request.form.get("view", ""))
    return _to({"view": ""})


@blueprint.post("/lists/<list_key>/first")
@viewer_required
def first(list_key: str) -> Response:
    """Begin the list with a view, or with everything."""
    view = request.form.get("view", "")
    with transaction(current().sessions) as session:
        opened = view if request.form.get("on") == "1" else ""
        kept.open_with(session, _whose(list_key), opened)
    return _to({"view": view})


@blueprint.post("/lists/<list_key>/columns")
@viewer_required
def columns(list_key: str) -> Response:
    """Show these columns: of a view till it is saved again or left, outside of views from now on."""
    wanted = [each for each in request.form.getlist("column") if _COLUMN.fullmatch(each)]
    query = dict(parse_qsl(request.form.get("query", ""), keep_blank_values=True))
    query.pop("columns", None)
    whose = _whose(list_key)
    if query.get("view"):
        return _to(query | {"columns": ",".join(wanted)})
    with transaction(current().sessions) as session:
        kept.choose_columns(session, whose, wanted)
    return _to(query)


def _whose(list_key: str) -> Whose:
    if list_key not in set(ListKey):
        abort(404)
    return g.viewer.portal_id, g.viewer.user_id, ListKey(list_key)


def _to(query: dict[str, str]) -> Response:
    at = request.form.get("at", "")
    if not _AT.fullmatch(at):
        abort(400)
    place = {"path": f"{at}?{urlencode(query)}", "target": "#page", "push": "false"}
    return Response(headers={"HX-Location": json.dumps(place)})


def _refused(problem: str) -> tuple[str, int]:
    return render_template("list_problem.html", problem=problem), 422
