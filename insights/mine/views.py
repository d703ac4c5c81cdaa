"""The edge of an employee's own clients: the first page of whoever has no rights over the whole base."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, g, render_template, request

from core.runtime import current
from core.web.guard import viewer_required
from core.web.session import Viewer
from insights.mine import clients, words
from insights.mine.rows import Occasion
from integration.models import Portal
from integration.rights import Right

blueprint = Blueprint("mine", __name__, template_folder="../templates")


@blueprint.get("/home/mine")
@viewer_required
def show() -> str:
    """The lists of the viewer's own clients."""
    portal_id = g.viewer.portal_id
    told = words.lists()
    with current().sessions() as session:
        if not clients.known(session, portal_id):
            return render_template("insights/mine.html", lists=None)
        lists = [(told[each], _list(session, each)) for each in Occasion]
    return render_template("insights/mine.html", lists=lists)


@blueprint.get("/home/more")
@viewer_required
def rows() -> str:
    """The next part of a list."""
    asked = request.args.get("list", "")
    if asked not in set(Occasion):
        abort(404)
    with current().sessions() as session:
        facts = _list(session, Occasion(asked), request.args.get("after", ""))
    return render_template("insights/mine_rows.html", **facts)


def _list(session: Any, occasion: Occasion, after: str = "") -> dict[str, Any]:
    """Whoever may see the whole base is shown all of his own; others only those the portal lets them read."""
    viewer: Viewer = g.viewer
    among = None if viewer.may(Right.WRITE) else viewer.clients
    whose = (viewer.portal_id, viewer.user_id)
    found = clients.page(session, whose, occasion, among, after)
    return {
        "occasion": occasion.value,
        "page": found,
        "lines": [(line, words.why(occasion, line)) for line in found.lines],
        "currency": session.get_one(Portal, viewer.portal_id).base_currency or "RUB",
    }
