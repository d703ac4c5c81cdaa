"""The edge of the notice above every page: what it says now, for whoever looks."""

from __future__ import annotations

from flask import Blueprint, render_template_string

from core.runtime import current
from core.web.guard import viewer_required
from core.web.session import Viewer
from core.web.shell import Notice
from integration import standing

blueprint = Blueprint("standing", __name__)


@blueprint.get("/standing")
@viewer_required
def show() -> str:
    """The notice alone: it asks for itself while there is one."""
    return render_template_string("{% import 'ui.html' as ui %}{{ ui.standing(page_standing()) }}")


def of(viewer: Viewer) -> Notice | None:
    """What the viewer's page says above its content."""
    with current().sessions() as session:
        return standing.notice(session, viewer.portal_id, is_admin=viewer.is_admin)
