"""The tab on contact, company and deal cards: what the client is worth, and why."""

from __future__ import annotations

from datetime import date
from secrets import token_hex
from typing import Any

from flask import Blueprint, Response, g, make_response, render_template, request
from werkzeug.exceptions import BadRequest, NotFound

from core.runtime import current
from core.web.guard import frame_entry, viewer_required
from core.web.session import Viewer
from insights import card, received, shown
from insights.granted_views import granted_client
from insights.rules import chart
from integration import cards, frames, merged, portals
from integration.bitrix.payloads import FramePost
from integration.frames import FrameRefused
from integration.models import Portal
from integration.portals import UnknownPortal
from integration.views import (
    CARD_PLACEMENTS,
    frame_post,
    open_viewer,
    readable_clients,
    renewed_portal,
)
from segments.worth import explain
from segments.worth.explain import Client, Place, Totals
from segments.worth.sales import rule_of

blueprint = Blueprint("insights", __name__, template_folder="templates")
shown.register(blueprint)

_CHART_HEIGHT = 220
_LABELS = {"wide": 12, "narrow": 4}


@blueprint.post("/placement/<code>")
@frame_entry
def placement(code: str) -> str | Response:
    """The portal opens the tab."""
    entity = CARD_PLACEMENTS.get(code.upper())
    if entity is None:
        raise NotFound
    post = _frame_post(code)
    _let_portal_frame(post)
    entity_id = post.entity_id
    if entity_id is None:
        raise FrameRefused("the placement names no card")
    confirmed = frames.confirm(current(), post, cards.reads(entity, entity_id))
    g.frame_origin = confirmed.origin
    portal = renewed_portal(confirmed)
    if portal is None:
        return render_template("integration/not_installed.html")
    clients = readable_clients(confirmed, portal.id, entity, entity_id)
    if clients is None:
        return make_response(render_template("insights/no_access.html", entity=entity), 403)
    open_viewer(confirmed, portal_id=portal.id, card_id=entity_id, clients=clients)
    return (
        _page(Client.named(clients[0])) if clients else render_template("insights/no_client.html")
    )


@blueprint.get("/card")
@viewer_required
def show() -> str:
    """The tab again: another client of the same deal, or newer figures."""
    return _page(granted_client())


@blueprint.get("/card/deals")
@viewer_required
def deals() -> str:
    """The list of deals, or its next page."""
    client = granted_client()
    counted_only = request.args.get("show", "counted") == "counted"
    after = _place(request.args.get("after"))
    template = "insights/deal_rows.html" if after else "insights/deals.html"
    return render_template(template, **_deals(client, counted_only=counted_only, after=after))


@blueprint.get("/card/mailings")
@viewer_required
def mailings() -> str:
    """The next page of what the client was sent."""
    client = granted_client()
    facts = _received(client, request.args.get("after", ""))
    return render_template("insights/received_rows.html", client=client.name, **facts)


def _page(client: Client) -> str:
    viewer: Viewer = g.viewer
    with current().sessions() as session:
        merge = merged.into(session, viewer.portal_id, client.kind.value, client.id)
        if merge is not None:  # since the tab was opened: of the winner nobody has proved anything
            return render_template("insights/merged.html", merge=merge)
        facts = card.read(session, viewer.portal_id, client)
        if CARD_PLACEMENTS.get(viewer.placement.upper()) == client.kind and viewer.entity_id:
            merge = merged.into(session, viewer.portal_id, client.kind.value, viewer.entity_id)
    grain, periods = chart.periods(facts.purchases, facts.today)
    return render_template(
        "insights/card.html",
        card=facts,
        merge=merge,
        choices=[Client.named(name) for name in viewer.clients],
        render_id=token_hex(4),
        grain=grain.name.lower(),
        periods=periods,
        undated=sum(item.amount for item in facts.purchases if item.first is None),
        plot=chart.plot(periods, _CHART_HEIGHT) if periods else None,
        labels={name: chart.labels(periods, number) for name, number in _LABELS.items()},
        **_deals(client, facts.totals, counted_only=facts.totals.counted > 0),
        **_received(client),
    )


def _deals(
    client: Client,
    totals: Totals | None = None,
    *,
    counted_only: bool,
    after: Place | None = None,
) -> dict[str, Any]:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        rule = rule_of(session, portal_id)
        totals = totals or explain.totals(session, rule, client)
        page, following = explain.lines(
            session, rule, client, counted_only=counted_only, after=after
        )
    return {
        "lines": page,
        "totals": totals,
        "currency": rule.base_currency,
        "counted_only": counted_only,
        "following": f"{following.day.isoformat()},{following.deal_id}" if following else None,
        "client": client.name,
    }


def _received(client: Client, after: str = "") -> dict[str, Any]:
    with current().sessions() as session:
        found, more = received.page(session, g.viewer.portal_id, client, after)
    return {"received": found, "received_more": more}


def _place(text: str | None) -> Place | None:
    if not text:
        return None
    day, _, deal_id = text.partition(",")
    try:
        return Place(date.fromisoformat(day), int(deal_id))
    except ValueError as error:
        raise BadRequest from error


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
