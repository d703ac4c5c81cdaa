"""The page itself: no data, so whoever has the demo may look."""

from __future__ import annotations

from pathlib import Path

from flask import (
    Blueprint,
    Response,
    get_template_attribute,
    render_template,
    request,
    send_file,
)

from core.web.guard import public
from styleguide import samples
from styleguide.icons import icons
from styleguide.tokens import tokens

blueprint = Blueprint("styleguide", __name__, template_folder="templates")

THEMES = ("light", "dark", "auto")
SHEET = Path(__file__).with_name("page.css")


@blueprint.get("/styleguide")
@public("building blocks with invented contents; registered by the demo alone")
def page() -> str:
    """Everything on one page; `theme` chooses how light it is. Its list asks for its next rows alone."""
    listed = samples.shown(request.args)
    if listed["asked"].after:
        return render_template("styleguide/list_rows.html", **listed)
    asked = request.args.get("theme")
    theme = asked if asked in THEMES else THEMES[0]
    facts = {"tokens": tokens(), "icons": icons(), "theme": theme}
    return render_template("styleguide/styleguide.html", **facts, **listed)


@blueprint.post("/lists/sample/<_act>")
@public("the page's own list and tour, which keep nothing")
def tried(_act: str) -> str:
    """What would be done to the list, or answered to the tour, is only tried here."""
    told = get_template_attribute("ui.html", "alert")
    return str(told("Это пример: ничего не изменилось", "", "info", dismiss=True))


@blueprint.get("/styleguide/page.css")
@public("how the samples of the page are laid out")
def sheet() -> Response:
    """The page's own style sheet: the product has no use for it."""
    return send_file(SHEET, "text/css")
