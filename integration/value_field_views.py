"""The edge of the field that draws a client's value: a block of the settings with one button."""

from __future__ import annotations

from flask import Blueprint, g, render_template

from core.runtime import current
from core.web.guard import admin_required
from integration import field_types
from integration.bitrix.errors import BitrixError
from integration.models import Portal

blueprint = Blueprint("value_field", __name__, template_folder="templates")


@blueprint.get("/settings/value-field")
@admin_required
def shown() -> str:
    """Whether cards have it."""
    return _block()


@blueprint.post("/settings/value-field")
@admin_required
def show() -> tuple[str, int]:
    """Put it onto the cards."""
    try:
        field_types.show(current(), _portal())
    except BitrixError as error:
        return _block(problem=error.detail), 422
    return _block(said=True), 200


def _block(**told: object) -> str:
    return render_template(
        "integration/value_field.html", wanted=field_types.wanted(_portal()), **told
    )


def _portal() -> Portal:
    with current().sessions() as session:
        return session.get_one(Portal, g.viewer.portal_id)
