"""The edge of «send to»: whom the portal's list or card names, into a list of ours or a mailing to them.

Whoever may write may put any card of the portal into a list, as on the list's own page. What a placement names is
proved with the viewer's own token all the same, before it is shown.
"""

from __future__ import annotations

import secrets
from typing import Any

import flask
from flask import Blueprint, Response, g, make_response, render_template, request
from werkzeug.exceptions import Forbidden

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web import formats
from core.web.words import gettext as _
from core.web.words import plural
from insights import sending
from insights.sending import BadChoice, Put
from insights.tab.profile_views import CHANGED
from integration.placements import Place
from integration.rights import Right, may_write
from mailings.web.drafts import views as draft_pages
from segments import jobs
from segments.conditions.definitions import InvalidCondition
from segments.members import choosing, lists
from segments.members.lists import Card, NotStatic
from segments.members.saving import NoSuchSegment

blueprint = Blueprint("send", __name__, template_folder="templates")

DOOR = {"search": "/send/lists", "put": "/send/list", "include": "#people", "target": "#page"}


def opened(place: Place, clients: list[str]) -> str:
    """The page as the portal opens it: of a lead the lead itself, of a deal its clients."""
    if not g.viewer.may(Right.WRITE):
        raise Forbidden
    own = clients[-1:] if place.entity == "lead" else clients
    return _page(sending.read(own), place=place)


@blueprint.post("/send/chosen")
@may_write
def chosen() -> str:
    """The page for cards that were chosen in the portal's dialog."""
    return _page(_cards(request.form.get("cards", "").split()))


@blueprint.get("/send/lists")
@may_write
def found() -> str:
    """Lists to put them into, by name."""
    typed = " ".join(request.args.get("search", "").split())
    with current().sessions() as session:
        listed = choosing.found(session, g.viewer.portal_id, typed)
    return render_template("insights/list_found.html", typed=typed, found=listed, door=DOOR)


@blueprint.post("/send/list")
@may_write
def put() -> Response:
    """Put the cards into a list, or into a new one of this name."""
    cards, viewer = _cards(request.form.getlist("card")), g.viewer
    if not cards:
        return _said(cards, problem=_("Nobody is ticked."))
    try:
        with transaction(current().sessions) as session:
            number = request.form.get("segment", type=int)
            name = request.form.get("name", "")
            if number is None:
                number = sending.new_list(session, viewer.portal_id, name, viewer.user_id)
            done = sending.put(session, viewer.portal_id, _fitting(number), cards, viewer.user_id)
    except (NoSuchSegment, NotStatic):
        flask.abort(404)
    except InvalidCondition:
        return _said(cards, problem=_("Give the list a name."))
    jobs.enqueue_upkeep(viewer.portal_id)
    return _said(cards, done=done)


@blueprint.post("/send/list/undo")
@may_write
def undo() -> Response:
    """Take those out again who entered."""
    cards, viewer = _cards(request.form.getlist("card")), g.viewer
    entered = _cards(request.form.get("entered", "").split())
    number = _fitting(request.form.get("segment", type=int))
    try:
        with transaction(current().sessions) as session:
            lists.take_out(session, viewer.portal_id, number, entered, viewer.user_id)
    except (NoSuchSegment, NotStatic):
        flask.abort(404)
    jobs.enqueue_upkeep(viewer.portal_id)
    return _said(cards, said=_("Taken out of the list again."))


@blueprint.post("/send/mailing")
@may_write
def mailing() -> str | Response:
    """A mailing to them as a draft: nothing is sent by that."""
    cards, viewer = _cards(request.form.getlist("card")), g.viewer
    if not cards:
        return _said(cards, problem=_("Nobody is ticked."))
    name = _("Chosen by hand, %(day)s", day=formats.day(utcnow()))
    key = f"send:{request.form.get('key', '')[:40]}"
    with transaction(current().sessions) as session:
        made = sending.mailing(session, viewer.portal_id, cards, name, viewer.user_id, key)
    jobs.enqueue_upkeep(viewer.portal_id)
    return draft_pages.page(made)


def _said(
    cards: list[Card], *, done: Put | None = None, said: str = "", problem: str = ""
) -> Response:
    if done is not None:
        said = _told(done)
    page = _page(cards, done=done, said=said, problem=problem)
    return make_response(page, 422 if problem else 200, {} if problem else CHANGED)


def _told(done: Put) -> str:
    if not done.entered:
        return _("All of them are in the list “%(name)s” already.", name=done.name)
    return plural(
        len(done.entered),
        "%(n)s card was added to the list “%(name)s”.",
        "%(n)s cards were added to the list “%(name)s”.",
        name=done.name,
    )


def _page(cards: list[Card], *, place: Place | None = None, **told: Any) -> str:
    with current().sessions() as session:
        people = sending.people(session, g.viewer.portal_id, cards)
        listed = choosing.found(session, g.viewer.portal_id) if people else []
    return render_template(
        "insights/send.html",
        people=[(sending.written((each.kind, each.id)), each) for each in people],
        place=place,
        found=listed,
        typed="",
        door=DOOR,
        key=secrets.token_urlsafe(12),
        **{"done": None, "said": "", "problem": "", **told},
    )


def _cards(names: list[str]) -> list[Card]:
    try:
        return sending.read(names)
    except BadChoice:
        flask.abort(400)


def _fitting(number: int | None) -> int:
    """A number no list can have is that of none."""
    return number if number and 0 < number < 2**31 else 0
