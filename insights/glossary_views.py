"""The edge of the glossary: for everybody who opens the application."""

from __future__ import annotations

from flask import Blueprint, g, render_template

from core.runtime import current
from core.web.guard import viewer_required
from insights import glossary
from segments.scoring import scores

blueprint = Blueprint("glossary", __name__, template_folder="templates")


@blueprint.get("/glossary")
@viewer_required
def show() -> str:
    """All words, by chapter."""
    with current().sessions() as session:
        names = scores.choices_of(session, g.viewer.portal_id)[1].names
    return render_template("insights/glossary.html", chapters=glossary.chapters(names))
