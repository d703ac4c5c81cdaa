"""The edge of an employee's own choices: how light the pages are, and that he needs no tour."""

from __future__ import annotations

from flask import Blueprint, Response, abort, g, request

from core.database import transaction
from core.runtime import current
from core.web.guard import viewer_required
from integration import appearance
from integration.appearance import Theme

blueprint = Blueprint("appearance", __name__)


@blueprint.post("/appearance")
@viewer_required
def choose() -> Response:
    """Keep the theme; the page has put it on already."""
    try:
        theme = Theme(request.form.get("theme", ""))
    except ValueError:
        abort(422)
    with transaction(current().sessions) as session:
        appearance.choose(session, g.viewer.portal_id, g.viewer.user_id, theme)
    return Response(status=204)


@blueprint.post("/tour")
@viewer_required
def answer_tour() -> Response:
    """The offer of a tour was answered: it is not made again."""
    with transaction(current().sessions) as session:
        appearance.answer_tour(session, g.viewer.portal_id, g.viewer.user_id)
    return Response(status=204)
