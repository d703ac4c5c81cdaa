"""The edge of how many can be written to now: of a saved segment, and of one that is just being put together."""

from __future__ import annotations

import flask
from flask import Blueprint, g, render_template, request

from core.runtime import current
from integration.rights import may_write
from mailings.conditions import reachable
from segments.building import builder_forms, drafts
from segments.building.builder_forms import Unreadable
from segments.conditions.catalog import scope_of
from segments.conditions.compile import members
from segments.members import membership, saving
from segments.members.saving import NoSuchSegment

blueprint = Blueprint("reach", __name__, template_folder="../templates")


@blueprint.get("/people/reach")
@may_write
def of_segment() -> str:
    """Of those who are in a saved segment."""
    portal_id, number = g.viewer.portal_id, request.args.get("segment", type=int) or 0
    with current().sessions() as session:
        try:
            segment = saving.find(session, portal_id, number)
        except NoSuchSegment:
            flask.abort(404)
        asked = ["segment", number, str(segment.counted_at)]
        cards = membership.living(portal_id, number)
        found = reachable.count(session, current().redis, portal_id, cards, asked)
    return render_template("mailings/reach.html", found=found)


@blueprint.post("/people/reach")
@may_write
def of_draft() -> str:
    """Of those whom the builder's draft selects."""
    with current().sessions() as session:
        scope = scope_of(session, g.viewer.portal_id)
        try:
            draft = builder_forms.parsed(request.form.get("draft", ""))
        except Unreadable:
            flask.abort(400)
        question = drafts.check(draft, scope).usable
        if question is None:
            return ""
        cards = members(scope, drafts.read(question, scope))
        asked = ["draft", scope.today, scope.rule.version, question]
        found = reachable.count(session, current().redis, scope.portal_id, cards, asked)
    return render_template("mailings/reach.html", found=found)
