"""The edge of where a client or lead stands and what is done about it: the block of the tab and its buttons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, make_response, render_template, request
from werkzeug.exceptions import NotFound

from core.database import transaction
from core.runtime import current
from core.web.guard import viewer_required
from core.web.words import gettext as _
from insights.granted_views import granted
from insights.subject import LeadCard, Subject
from insights.tab import actions, card, lead, profile, profile_words
from insights.tab.profile import Profile
from insights.tab.profile_words import Told
from integration.bitrix.errors import BitrixError
from integration.models import Portal
from mailings.rules.offers import Offer as Terms

blueprint = Blueprint("profile", __name__, template_folder="../templates")

CHANGED = {"HX-Trigger": "card-changed"}
"""Has the portal draw the card anew."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the block shows. `facts`: of a client its figures, of a lead its stage."""

    facts: Any
    profile: Profile
    told: Told | None


@blueprint.get("/card/profile")
@viewer_required
def show() -> str:
    """The block by itself: it is asked for after the figures, which nobody shall wait for."""
    return block(granted())


@blueprint.post("/card/todo")
@viewer_required
def remind() -> tuple[str, int] | Response:
    """The proposal as a to-do on the card, for whoever looks at it; or a call, where that is asked for."""
    subject, runtime = granted(), current()
    with runtime.sessions() as session:
        portal = session.get_one(Portal, g.viewer.portal_id)
        seen = _seen(session, subject)
    told = seen.told
    if request.values.get("about") == "call":
        told = profile_words.call(seen.facts.name, seen.profile.phones)
    if told is None:
        return block(subject, problem=_("There is nothing to propose any more.")), 422
    try:
        actions.remind(runtime, portal, subject, g.viewer.user_id, told.title, told.why)
    except BitrixError:
        return block(
            subject, problem=_("The portal did not take the to-do. Try again in a minute.")
        ), 422
    return changed(subject, said=_("The to-do is on the card, for tomorrow at ten."))


@blueprint.post("/card/mailings/stop")
@viewer_required
def stop() -> Response:
    """No mailing goes to the client any more."""
    subject = granted()
    with transaction(current().sessions) as session:
        actions.stop_mailings(session, g.viewer.portal_id, subject, g.viewer.user_id)
    return changed(subject, said=_("No mailing will go to this client."))


@blueprint.post("/card/mailings/allow")
@viewer_required
def allow() -> Response:
    """What employees stopped is taken back."""
    subject = granted()
    with transaction(current().sessions) as session:
        actions.allow_mailings(session, g.viewer.portal_id, subject, g.viewer.user_id)
    return changed(subject, said=_("Mailings may go to this client again."))


def changed(subject: Subject, **told: Any) -> Response:
    """The block after something was done; the portal's card is drawn anew too."""
    return make_response(block(subject, **told), 200, CHANGED)


def block(subject: Subject, **told: Any) -> str:
    """The block. `said`, `problem`: what is told above it; `undo`: what takes it back."""
    with current().sessions() as session:
        seen = _seen(session, subject)
        found = seen.profile
        offers = found.proposal.offers if found.proposal else ()
        return render_template(
            "insights/profile.html",
            client=subject.name,
            is_lead=isinstance(subject, LeadCard),
            today=seen.facts.today,
            profile=found,
            told=seen.told,
            offers=[(offer.name, Terms.read(offer.content)) for offer in offers],
            stage=profile_words.stage(found.scored),
            group=profile_words.group(found.scored),
            reach=[(each, profile_words.reach(each)) for each in found.reach],
            **{"said": "", "problem": "", "undo": None, **told},
        )


def _seen(session: Any, subject: Subject) -> Seen:
    portal_id = g.viewer.portal_id
    if isinstance(subject, LeadCard):
        facts = lead.read(session, portal_id, subject)
        if facts is None:
            raise NotFound
        known = profile.read_lead(session, portal_id, facts)
        return Seen(facts, known, profile_words.lead_proposal(facts, known))
    found = card.read(session, portal_id, subject)
    known = profile.read(session, portal_id, found)
    return Seen(found, known, profile_words.proposal(found, known))
