"""The edge of lists on the tab: whoever may write puts the card into one, or takes it out, and back again."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, Response, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.words import gettext as _
from insights import sending
from insights.granted_views import granted
from insights.subject import Subject
from insights.tab import profile_views
from integration.rights import may_write
from segments import jobs
from segments.conditions.definitions import InvalidCondition
from segments.members import choosing, lists, saving
from segments.members.lists import NotStatic
from segments.members.saving import NoSuchSegment
from segments.rules.tree import Kind
from segments.saved import How

blueprint = Blueprint("card_lists", __name__, template_folder="../templates")


@blueprint.get("/card/lists")
@may_write
def choose() -> str:
    """Lists the card is not in, by name."""
    subject, portal_id = granted(), g.viewer.portal_id
    typed = " ".join(request.args.get("search", "").split())
    with current().sessions() as session:
        stays = lists.of_card(session, portal_id, Kind(subject.kind.value), subject.id)
        inside = [stay.segment_id for stay in stays if stay.how == How.STATIC]
        found = choosing.found(session, portal_id, typed, without=inside)
    template = "list_found" if "search" in request.args else "list_choice"
    return render_template(
        f"insights/{template}.html", typed=typed, found=found, door=_door(subject)
    )


@blueprint.post("/card/lists/put")
@may_write
def put() -> Response:
    """Put the card into a list, or into a new one of this name."""
    number, name = request.values.get("segment", type=int), request.values.get("name", "")
    if number is None:
        try:
            with transaction(current().sessions) as session:
                number = sending.new_list(session, g.viewer.portal_id, name, g.viewer.user_id)
        except InvalidCondition:
            flask.abort(400)
    return _moved(lists.put_in, number, "/card/lists/take", _("Added to the list “%(list)s”."))


@blueprint.post("/card/lists/take")
@may_write
def take() -> Response:
    """Take the card out of a list."""
    number = request.values.get("segment", 0, type=int)
    return _moved(lists.take_out, number, "/card/lists/put", _("Taken out of the list “%(list)s”."))


def _moved(work: Any, number: int, back: str, said: str) -> Response:
    subject, portal_id = granted(), g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            segment = saving.find(session, portal_id, number if 0 < number < 2**31 else 0)
            card = (Kind(subject.kind.value), subject.id)
            work(session, portal_id, segment.id, [card], g.viewer.user_id)
            told = said % {"list": segment.name}
    except (NoSuchSegment, NotStatic):
        flask.abort(404)
    jobs.enqueue_upkeep(portal_id)
    return profile_views.changed(subject, said=told, undo=(back, number))


def _door(subject: Subject) -> dict[str, str]:
    whose = f"client={subject.name}"
    return {
        "search": f"/card/lists?{whose}", "put": f"/card/lists/put?{whose}",
        "include": "", "target": "#profile",
    }  # fmt: skip
