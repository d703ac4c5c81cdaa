"""Where the portal opens us in its own pages: every place is proved like any frame before it shows anything."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, render_template
from werkzeug.exceptions import NotFound

from core.runtime import current
from core.web.guard import frame_entry
from insights import badge_views, send_views, subject
from insights.tab import views
from integration import cards, frames, placements, portals
from integration.bitrix.payloads import FramePost
from integration.frames import FrameRefused
from integration.models import Portal
from integration.placements import Place, Purpose
from integration.portals import UnknownPortal
from integration.views import (
    frame_post,
    open_home,
    open_viewer,
    readable_clients,
    renewed_portal,
)
from segments import views as home

blueprint = Blueprint("placements", __name__, template_folder="templates")


@blueprint.post("/placement/<code>")
@frame_entry
def placement(code: str) -> str | Response:
    """The portal opens one of our places; the card it names is read with the viewer's own token."""
    place = placements.find(code)
    if place is None:
        raise NotFound
    post = _frame_post(code)
    _let_portal_frame(post)
    named = placements.card_of(post)
    if place.aimed and named is None and place.purpose is not Purpose.BADGE:
        raise FrameRefused("the placement names no card")
    confirmed = frames.confirm(current(), post, cards.reads(*named) if named else None)
    g.frame_origin = confirmed.origin
    portal = renewed_portal(confirmed)
    if portal is None:
        return _without(place, "integration/not_installed.html")
    if place.purpose is Purpose.HOME:
        open_home(confirmed, portal_id=portal.id)
        return home.home()
    clients = readable_clients(confirmed, portal.id, *named) if named else []
    if clients is None:
        refusal = _without(place, "insights/no_access.html", entity=named and named[0])
        return make_response(refusal, 403)
    card_id = named[1] if named else None
    open_viewer(confirmed, portal_id=portal.id, card_id=card_id, clients=clients)
    return _opened(place, clients)


def _opened(place: Place, clients: list[str]) -> str:
    if place.purpose is Purpose.SEND:
        return send_views.opened(place, clients)
    if place.purpose is Purpose.BADGE:
        return badge_views.opened(clients)
    if not clients:
        return render_template("insights/no_client.html")
    return views.page(subject.named(clients[0]))


def _without(place: Place, template: str, **facts: object) -> str:
    """A page that says why there is nothing; a badge has no room for reasons."""
    if place.purpose is Purpose.BADGE:
        return badge_views.nothing()
    return render_template(template, **facts)


def _frame_post(code: str) -> FramePost:
    post = frame_post()
    if post.placement.lower() != code.lower():
        raise FrameRefused("the form was posted for another placement")
    return post


def _let_portal_frame(post: FramePost) -> None:
    """Errors before the proof hold no data, and may be seen inside a portal we know already."""
    with current().sessions() as session:
        try:
            known: Portal = portals.by_member(session, post.member_id)
        except UnknownPortal:
            return
    g.frame_origin = known.origin
