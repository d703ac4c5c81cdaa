"""The edge of where a client stands and what is done about it: the block of the tab and its buttons."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template

from core.database import transaction
from core.runtime import current
from core.web.guard import viewer_required
from core.web.words import gettext as _
from insights import actions, card, profile, profile_words
from insights.granted_views import granted_client
from integration.bitrix.errors import BitrixError
from integration.models import Portal
from mailings.rules.offers import Offer as Terms
from segments.worth.explain import Client

blueprint = Blueprint("profile", __name__, template_folder="templates")


@blueprint.get("/card/profile")
@viewer_required
def show() -> str:
    """The block by itself: it is asked for after the figures, which nobody shall wait for."""
    return _block(granted_client())


@blueprint.post("/card/todo")
@viewer_required
def remind() -> tuple[str, int]:
    """The proposal as a to-do on the client's card, for whoever looks at it."""
    client, runtime = granted_client(), current()
    with runtime.sessions() as session:
        portal = session.get_one(Portal, g.viewer.portal_id)
        told = profile_words.proposal(*_read(session, client))
    if told is None:
        return _block(client, problem=_("There is nothing to propose any more.")), 409
    try:
        actions.remind(runtime, portal, client, g.viewer.user_id, told.title, told.why)
    except BitrixError:
        return _block(
            client, problem=_("The portal did not take the to-do. Try again in a minute.")
        ), 502
    return _block(client, said=_("The to-do is on the card, for tomorrow at ten.")), 200


@blueprint.post("/card/mailings/stop")
@viewer_required
def stop() -> str:
    """No mailing goes to the client any more."""
    client = granted_client()
    with transaction(current().sessions) as session:
        actions.stop_mailings(session, g.viewer.portal_id, client, g.viewer.user_id)
    return _block(client, said=_("No mailing will go to this client."))


@blueprint.post("/card/mailings/allow")
@viewer_required
def allow() -> str:
    """What employees stopped is taken back."""
    client = granted_client()
    with transaction(current().sessions) as session:
        actions.allow_mailings(session, g.viewer.portal_id, client, g.viewer.user_id)
    return _block(client, said=_("Mailings may go to this client again."))


def _read(session: Any, client: Client) -> tuple[card.Card, profile.Profile]:
    found = card.read(session, g.viewer.portal_id, client)
    return found, profile.read(session, g.viewer.portal_id, found)


def _block(client: Client, *, said: str = "", problem: str = "") -> str:
    with current().sessions() as session:
        found, known = _read(session, client)
        offers = known.proposal.offers if known.proposal else ()
        return render_template(
            "insights/profile.html",
            card=found,
            profile=known,
            told=profile_words.proposal(found, known),
            offers=[(offer.name, Terms.read(offer.content)) for offer in offers],
            stage=profile_words.stage(known.scored),
            group=profile_words.group(known.scored),
            reach=[(each, profile_words.reach(each)) for each in known.reach],
            said=said,
            problem=problem,
        )
