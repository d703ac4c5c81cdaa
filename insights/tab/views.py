"""The tab on the cards of clients, leads and deals: what the client is worth, and why."""

from __future__ import annotations

from datetime import date
from secrets import token_hex
from typing import Any

from flask import Blueprint, g, render_template, request
from werkzeug.exceptions import BadRequest

from core.runtime import current
from core.web.guard import viewer_required
from core.web.session import Viewer
from insights import subject
from insights.granted_views import granted, granted_client
from insights.rules import chart
from insights.subject import LeadCard, Subject
from insights.tab import card, lead, received, shown
from integration import cards, merged, placements
from segments.worth import explain
from segments.worth.explain import Client, Place, Totals
from segments.worth.sales import rule_of

blueprint = Blueprint("insights", __name__, template_folder="../templates")
shown.register(blueprint)

_CHART_HEIGHT = 220
_LABELS = {"wide": 12, "narrow": 4}


@blueprint.get("/card")
@viewer_required
def show() -> str:
    """The tab again: another client of the same card, or newer figures."""
    return page(granted())


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
    """The next page of what the client or lead was sent."""
    whose = granted()
    facts = _received(whose, request.args.get("after", ""))
    return render_template("insights/received_rows.html", client=whose.name, **facts)


def page(shown_one: Subject) -> str:
    """The tab of whoever the viewer was proved to be allowed to see."""
    if isinstance(shown_one, LeadCard):
        return _lead_page(shown_one)
    return _client_page(shown_one)


def _lead_page(shown_one: LeadCard) -> str:
    with current().sessions() as session:
        facts = lead.read(session, g.viewer.portal_id, shown_one)
    return render_template(
        "insights/lead.html",
        subject=shown_one,
        facts=facts,
        **_around(),
        client=shown_one.name,
        **_received(shown_one),
    )


def _around() -> dict[str, Any]:
    """Whose value the tab may show, when the card names clients and is none itself."""
    viewer: Viewer = g.viewer
    place = placements.find(viewer.placement)
    linked = place.entity if place and place.entity in cards.LINKED else None
    return {"linked": linked, "choices": [subject.named(name) for name in viewer.clients]}


def _client_page(client: Client) -> str:
    viewer: Viewer = g.viewer
    with current().sessions() as session:
        merge = merged.into(session, viewer.portal_id, client.kind.value, client.id)
        if merge is not None:  # since the tab was opened: of the winner nobody has proved anything
            return render_template("insights/merged.html", merge=merge)
        facts = card.read(session, viewer.portal_id, client)
        place = placements.find(viewer.placement)
        if place is not None and place.entity == client.kind and viewer.entity_id:
            merge = merged.into(session, viewer.portal_id, client.kind.value, viewer.entity_id)
    grain, periods = chart.periods(facts.purchases, facts.today)
    return render_template(
        "insights/card.html",
        card=facts,
        merge=merge,
        subject=client,
        **_around(),
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


def _received(client: Subject, after: str = "") -> dict[str, Any]:
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
