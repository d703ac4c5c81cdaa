"""The edge of reports about the whole base."""

from __future__ import annotations

import flask
from flask import Blueprint, g, render_template, request

from core.runtime import current
from integration.rights import may_write
from segments.models import ClientKind
from segments.worth import activity, months
from segments.worth.sales import rule_of

blueprint = Blueprint("reports", __name__, template_folder="templates")


@blueprint.get("/home/months")
@may_write
def sales_by_month() -> str:
    """What the base bought month by month: first purchases and repeat ones."""
    asked = request.args.get("kind", ClientKind.CONTACT.value)
    if asked not in list(ClientKind):
        flask.abort(404)
    with current().sessions() as session:
        rule = rule_of(session, g.viewer.portal_id)
        found = months.newest(session, rule.portal_id, ClientKind(asked), activity.today(rule))
    return render_template(
        "segments/months.html",
        kind=asked,
        months=found,
        share=months.repeat_share(found),
        currency=rule.base_currency,
    )
