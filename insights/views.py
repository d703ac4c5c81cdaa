"""The tab on contact, company and deal cards: what the client is worth, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from secrets import token_hex
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, render_template, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web.guard import frame_entry, viewer_required
from core.web.session import Viewer
from insights import card, grants, shown
from insights.grants import NotGranted
from insights.rules import chart
from integration import frames, portals
from integration.bitrix.batch import Command
from integration.bitrix.payloads import FramePost, MalformedPayload
from integration.frames import Confirmed, FrameRefused
from integration.models import Portal, PortalState
from integration.portals import UnknownPortal
from integration.views import CARD_PLACEMENTS, open_viewer
from segments import explain
from segments.explain import Client, Place, Totals
from segments.models import ClientKind
from segments.sales import rule_of

blueprint = Blueprint("insights", __name__, template_folder="templates")
shown.register(blueprint)

_CHART_HEIGHT = 220
_LABELS = {"wide": 12, "narrow": 4}


@dataclass(frozen=True, slots=True)
class Choice:
    """A client the tab may show, with the note that lets later requests show it."""

    client: Client
    note: str


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
    confirmed = frames.confirm(current(), post, _reads(entity, entity_id))
    g.frame_origin = confirmed.origin
    with transaction(current().sessions) as session:
        portal = frames.portal_of(session, confirmed)
    if portal is None or portal.state in {PortalState.UNINSTALLED, PortalState.REGISTERED}:
        return render_template("integration/not_installed.html")
    clients = _readable_clients(confirmed, entity, entity_id)
    if clients is None:
        return make_response(render_template("insights/no_access.html", entity=entity), 403)
    open_viewer(confirmed, portal_id=portal.id, card_id=entity_id)
    if not clients:
        return render_template("insights/no_client.html")
    return _page(clients[0], _choices(clients))


@blueprint.get("/card")
@viewer_required
def show() -> str:
    """The tab again: another client of the same deal, or newer figures."""
    client = _granted_client()
    others = [_granted(note) for note in request.args.getlist("also")]
    return _page(client, _choices(_in_order(client, others)))


@blueprint.get("/card/deals")
@viewer_required
def deals() -> str:
    """The list of deals, or its next page."""
    client = _granted_client()
    counted_only = request.args.get("show", "counted") == "counted"
    after = _place(request.args.get("after"))
    template = "insights/deal_rows.html" if after else "insights/deals.html"
    return render_template(template, **_deals(client, counted_only=counted_only, after=after))


def _page(client: Client, choices: list[Choice]) -> str:
    with current().sessions() as session:
        facts = card.read(session, g.viewer.portal_id, client)
    grain, periods = chart.periods(facts.purchases, facts.today)
    return render_template(
        "insights/card.html",
        card=facts,
        choices=choices,
        render_id=token_hex(4),
        grain=grain.name.lower(),
        periods=periods,
        undated=sum(item.amount for item in facts.purchases if item.first is None),
        plot=chart.plot(periods, _CHART_HEIGHT) if periods else None,
        labels={name: chart.labels(periods, number) for name, number in _LABELS.items()},
        **_deals(client, facts.totals, counted_only=facts.totals.counted > 0),
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
        "note": _note(client),
    }


def _reads(entity: str, entity_id: int) -> dict[str, Command]:
    """What the viewer must be able to read: the card, and the clients of a deal."""
    reads: dict[str, Command] = {"card": (f"crm.{entity}.get", {"id": entity_id})}
    if entity == "deal":
        reads["company"] = ("crm.company.get", {"id": "$result[card][COMPANY_ID]"})
        reads["contact"] = ("crm.contact.get", {"id": "$result[card][CONTACT_ID]"})
    return reads


def _readable_clients(confirmed: Confirmed, entity: str, entity_id: int) -> list[Client] | None:
    """Clients the viewer may see, the one to show first; None when not even the card."""
    read = frames.read_of(confirmed, "card")
    if read is None:
        return None
    if entity != "deal":
        return [Client(ClientKind(entity), entity_id)]
    found = []
    for kind in (ClientKind.COMPANY, ClientKind.CONTACT):
        client_id = str(read.get(f"{kind.value.upper()}_ID") or "")
        if not client_id.isdigit() or client_id == "0":
            continue
        client = frames.read_of(confirmed, kind.value)
        if client is not None and str(client.get("ID")) == client_id:
            found.append(Client(kind, int(client_id)))
    return found


def _choices(clients: list[Client]) -> list[Choice]:
    return [Choice(client, _note(client)) for client in clients]


def _in_order(client: Client, others: list[Client]) -> list[Client]:
    """The company before the contact, as on opening."""
    return sorted({client, *others}, key=lambda each: each.kind is not ClientKind.COMPANY)


def _note(client: Client) -> str:
    return grants.issue(current_app.config["SECRET_KEY"], g.viewer, client, utcnow())


def _granted_client() -> Client:
    """The client asked for by its note; without one, whose card the session was opened on."""
    if note := request.args.get("client"):
        return _granted(note)
    viewer: Viewer = g.viewer
    entity = CARD_PLACEMENTS.get(viewer.placement.upper())
    if entity in set(ClientKind) and viewer.entity_id is not None:
        return Client(ClientKind(entity), viewer.entity_id)
    raise Forbidden


def _granted(note: str) -> Client:
    try:
        return grants.read(current_app.config["SECRET_KEY"], g.viewer, note, utcnow())
    except NotGranted as error:
        raise Forbidden from error


def _place(text: str | None) -> Place | None:
    if not text:
        return None
    day, _, deal_id = text.partition(",")
    try:
        return Place(date.fromisoformat(day), int(deal_id))
    except ValueError as error:
        raise BadRequest from error


def _frame_post(code: str) -> FramePost:
    try:
        post = FramePost.parse(request.query_string, request.get_data())
    except MalformedPayload as error:
        raise FrameRefused(str(error)) from error
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
