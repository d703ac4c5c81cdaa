"""The edge of a mailing: a draft with everything around it, the page of one that was started."""

from __future__ import annotations

import secrets
from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.words import gettext as _
from integration.rights import may_write
from mailings.models import Mailing
from mailings.planning import audiences, drafts, waterfall
from mailings.planning.drafts import BadDraft, NoSuchMailing, Overtaken
from mailings.rules.letters import BadLetter
from mailings.rules.lifecycle import IllegalTransition
from mailings.rules.states import MailingState
from mailings.web.drafts import desk as mailing_desk
from mailings.web.drafts import forms as mailing_forms
from mailings.web.drafts import list_views, suggesting
from mailings.web.drafts import listing as mailing_listing
from mailings.web.drafts import pages as mailing_pages
from mailings.web.words import mailing as mailing_words
from mailings.web.words import readiness as readiness_words
from segments.members.saving import NoSuchSegment
from segments.ready import presets

blueprint = Blueprint("mailings", __name__, template_folder="../templates")


@blueprint.get("/mailings/<int:mailing_id>/line")
@may_write
def line(mailing_id: int) -> str:
    """One row of the list with its figures."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        return list_views.line(session, mailing, mailing_listing.line(session, mailing))


@blueprint.get("/mailings/running")
@may_write
def going_out() -> str:
    """The mailings under way, as the first page shows them."""
    with current().sessions() as session:
        found, number = suggesting.running(session, g.viewer.portal_id)
    return _render("running", running=found, number=number)


@blueprint.get("/mailings/new")
@may_write
def new() -> str:
    """Whom to write to: the first question of a mailing."""
    offer = request.args.get("offer", type=int)
    return _render("new", key=secrets.token_urlsafe(12), offer_id=offer)


@blueprint.get("/mailings/audiences")
@may_write
def found_audiences() -> str:
    """Segments whose names hold what was typed."""
    typed = request.args.get("search", "").strip()
    with current().sessions() as session:
        found = mailing_pages.found(session, g.viewer.portal_id, typed)
    return _render("audiences", typed=typed, chosen=request.args.get("chosen", ""), **found)


@blueprint.get("/mailings/audiences/<key>/count")
@may_write
def count_preset(key: str) -> str:
    """How many cards a ready segment selects now, in a word."""
    if key not in presets.PRESETS:
        flask.abort(404)
    with current().sessions() as session:
        number = mailing_pages.size_of_preset(session, g.viewer.portal_id, key)
    return _("not counted") if number is None else mailing_words.cards(number)


@blueprint.post("/mailings")
@may_write
def create() -> str:
    """A new draft for a segment; a second press of the same button opens the one there is."""
    form, portal_id = request.form, g.viewer.portal_id
    with transaction(current().sessions) as session:
        try:
            audience = audiences.named(session, portal_id, form.get("audience", ""))
            made = drafts.create(
                *(session, portal_id),
                name=mailing_pages.name_for(session, portal_id, audience),
                author_id=g.viewer.user_id,
                key=f"page:{form['key']}" if form.get("key") else None,
                offer_id=form.get("offer", type=int),
                **audience,
            )
        except (NoSuchSegment, BadDraft):
            flask.abort(404)
        mailing_id = made.id
    return page(mailing_id)


@blueprint.get("/mailings/<int:mailing_id>")
@may_write
def mailing(mailing_id: int) -> str:
    """A draft to be put together, or a mailing as it goes."""
    return page(mailing_id)


@blueprint.post("/mailings/<int:mailing_id>")
@may_write
def change(mailing_id: int) -> Any:
    """Save what was changed of a draft; the page gets back what that changed around it."""
    form, portal_id = request.form, g.viewer.portal_id
    with current().sessions() as session:
        facts = mailing_pages.portal_facts(session, portal_id)
        mailing = _find(session, mailing_id)
        stored = dict(mailing.content)
        asked = _asked(facts["offset"], stored)
        if "plan" in asked.values and mailing.plan.get("priority"):
            asked.values["plan"]["priority"] = mailing.plan["priority"]  # not of this form
    anew = "audience" in form
    if not asked.wrong:
        try:
            with transaction(current().sessions) as session:
                if anew:
                    asked.values |= audiences.named(session, portal_id, form["audience"])
                made_from = form.get("version", type=int)
                drafts.change(session, portal_id, mailing_id, made_from=made_from, **asked.values)
        except Overtaken:
            return page(mailing_id, said="overtaken"), 409
        except IllegalTransition:
            return page(mailing_id, said="too_late"), 409
        except NoSuchSegment:
            flask.abort(404)
        except BadDraft as error:
            asked.wrong[error.field] = _("Give the mailing a name") if error.field == "name" else _("This can't be used")  # fmt: skip
    return _saved(mailing_id, asked.wrong, anew=anew)


@blueprint.post("/mailings/<int:mailing_id>/copy")
@may_write
def copy(mailing_id: int) -> str:
    """A new draft like this mailing; a second press of the same button opens the one there is."""
    key = request.form.get("key", "")[:40]
    with transaction(current().sessions) as session:
        like = _find(session, mailing_id)
        made = drafts.copy(
            *(session, g.viewer.portal_id, mailing_id),
            name=mailing_words.copied(like.name, drafts.NAME_LENGTH),
            author_id=g.viewer.user_id,
            key=f"copy:{mailing_id}:{key}" if key else None,
        ).id
    return page(made, said="copied")


@blueprint.post("/mailings/<int:mailing_id>/delete")
@may_write
def delete(mailing_id: int) -> tuple[str, int]:
    """Throw a draft away."""
    try:
        with transaction(current().sessions) as session:
            drafts.delete(session, g.viewer.portal_id, mailing_id)
    except NoSuchMailing:
        flask.abort(404)
    except IllegalTransition:
        return page(mailing_id, said="too_late"), 409
    return list_views.page(said="deleted"), 200


@blueprint.get("/mailings/<int:mailing_id>/side")
@may_write
def side(mailing_id: int) -> str:
    """Who gets a draft, and what stands in the way."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        beside = mailing_desk.side(session, mailing)
    return _render("side", mailing=mailing, side=beside)


@blueprint.get("/mailings/<int:mailing_id>/thumb")
@may_write
def thumb(mailing_id: int) -> str:
    """The letter as somebody of its audience would get it, small."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        key = current().settings.secret_key
        ticket = mailing_pages.preview_ticket(session, mailing, key)
    return _render("thumb", ticket=ticket)


@blueprint.get("/mailings/<int:mailing_id>/lost")
@may_write
def lost(mailing_id: int) -> str:
    """The people behind a step; nothing while they can't be told."""
    why = request.args.get("why", "")
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        title = mailing_words.skips(mailing.channel).get(why) or flask.abort(404)
        people = mailing_desk.people(session, mailing, why)
    if people is None:
        return ""
    facts = {"why": why, "people": people, "more": len(people) == waterfall.PAGE}
    return _render("lost", mailing=mailing, title=title[:1].upper() + title[1:], **facts)


def page(mailing_id: int, said: str = "") -> str:
    """A mailing's page: of a draft everything that can be changed, of another how it goes."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        if mailing.state == MailingState.DRAFT:
            return _render("draft", **_draft(session, mailing), said=said)
        facts = mailing_listing.standing(session, mailing)
    return _render("mailing", **facts, said=said)


def _draft(session: Any, mailing: Mailing) -> dict[str, Any]:
    facts = mailing_pages.portal_facts(session, g.viewer.portal_id)
    return {
        **facts,
        "mailing": mailing,
        "desk": mailing_pages.desk(session, mailing, facts["offset"]),
        "given_back": readiness_words.reason(mailing.state_reason) if mailing.state_reason else "",
    }


def _saved(mailing_id: int, wrong: dict[str, str], *, anew: bool) -> Any:
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        facts = _draft(session, mailing)
    text = _render(
        "draft_saved", **facts, wrong=wrong, saved=mailing.changed_at, chosen_anew=anew,
        fields=mailing_forms.FIELDS,
    )  # fmt: skip
    if wrong:
        return text, 422
    return text, 200, {"HX-Trigger": "draft-saved"}


def _asked(offset: int, stored: dict[str, Any]) -> mailing_forms.Asked:
    try:
        return mailing_forms.read(request.form, offset, stored)
    except (KeyError, ValueError, BadLetter):
        flask.abort(400)


def _find(session: Any, mailing_id: int) -> Mailing:
    try:
        return drafts.find(session, g.viewer.portal_id, mailing_id)
    except NoSuchMailing:
        flask.abort(404)


def _render(template: str, **facts: Any) -> str:
    return render_template(
        f"mailings/{template}.html",
        words=mailing_words,
        copy_key=secrets.token_urlsafe(12),
        **facts,
    )
