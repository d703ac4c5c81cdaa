"""The edge of results: the card, recipients one by one, what followed, the next letter."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, Response, g, render_template, request, stream_with_context

from core.database import transaction
from core.runtime import current
from integration.rights import may_write
from mailings.models import Mailing
from mailings.planning import drafts
from mailings.planning.drafts import NoSuchMailing
from mailings.results import follow_ups, leads, recipients, trail
from mailings.results.follow_ups import FollowUp, Nobody
from mailings.web.results import followed_pages
from mailings.web.results import pages as result_pages
from mailings.web.words import mailing as mailing_words
from mailings.web.words import result as result_words

blueprint = Blueprint("mail_results", __name__, template_folder="../templates")


@blueprint.get("/mailings/<int:mailing_id>/result")
@may_write
def result(mailing_id: int) -> str:
    """What the mailing came to."""
    return _result(mailing_id)


@blueprint.get("/mailings/<int:mailing_id>/result/card")
@may_write
def card(mailing_id: int) -> str:
    """The card alone; asks for itself while the mailing goes out."""
    with current().sessions() as session:
        facts = result_pages.card(session, _find(session, mailing_id))
    return _render("result_card", **facts)


@blueprint.get("/mailings/<int:mailing_id>/result/course")
@may_write
def course(mailing_id: int) -> str:
    """How it went in time, asked for after the page: all its messages are looked at."""
    with current().sessions() as session:
        facts = result_pages.went(session, _find(session, mailing_id))
    return _render("result_course", **facts)


@blueprint.get("/mailings/<int:mailing_id>/recipients")
@may_write
def listed(mailing_id: int) -> str:
    """Recipients by state, reason, reaction or name; or their next page."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        asked = result_pages.asked(session, mailing, g.viewer.user_id, request.args)
        facts = result_pages.listed(session, mailing, asked)
    return _render("recipient_rows" if asked.after else "recipients", **facts)


@blueprint.get("/mailings/<int:mailing_id>/recipients/export")
@may_write
def export(mailing_id: int) -> Response:
    """The same recipients as a file."""
    sessions = current().sessions
    with sessions() as session:
        mailing = _find(session, mailing_id)
        asked = result_pages.asked(session, mailing, g.viewer.user_id, request.args)
        which = result_pages.wanted(asked)

    def portions() -> Any:
        with sessions() as session:
            yield from result_pages.file(session, _find(session, mailing_id), which)

    return Response(stream_with_context(portions()), content_type="text/csv; charset=utf-8")


@blueprint.get("/mailings/<int:mailing_id>/recipients/<int:delivery_id>")
@may_write
def recipient(mailing_id: int, delivery_id: int) -> str:
    """Everything that happened to one message."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        found = recipients.find(session, mailing, delivery_id)
        if found is None:
            flask.abort(404)
        lines = trail.of(session, found.delivery)
    return _render("recipient", mailing=mailing, found=found, lines=lines)


@blueprint.get("/mailings/<int:mailing_id>/leads")
@may_write
def followed(mailing_id: int) -> str:
    """Leads and deals that followed, as the mirror knows them; the page then asks for them as they are now."""
    runtime = current()
    with runtime.sessions() as session:
        mailing = _find(session, mailing_id)
        asked = followed_pages.asked(session, mailing, g.viewer.user_id, request.args)
        facts = followed_pages.listed(session, mailing, asked)
        live = bool(asked.after) or request.args.get("live") == "1"
        if not live:
            return _render("leads", **facts, **followed_pages.counted(session, mailing, asked))
    facts["cards"] = leads.live(runtime, g.viewer.portal_id, facts["cards"])
    return _render("lead_rows", **facts, live=True)


@blueprint.get("/mailings/<int:mailing_id>/leads/export")
@may_write
def export_followed(mailing_id: int) -> Response:
    """The same leads and deals as a file."""
    sessions, user_id = current().sessions, g.viewer.user_id
    with sessions() as session:
        asked = followed_pages.asked(session, _find(session, mailing_id), user_id, request.args)

    def portions() -> Any:
        with sessions() as session:
            yield from followed_pages.file(session, _find(session, mailing_id), asked)

    return Response(stream_with_context(portions()), content_type="text/csv; charset=utf-8")


@blueprint.post("/mailings/<int:mailing_id>/follow-up")
@may_write
def follow_up(mailing_id: int) -> tuple[str, int]:
    """A draft to those who did not open, or clicked only; the same button again opens the same draft."""
    try:
        whom = FollowUp(request.form.get("whom", ""))
    except ValueError:
        flask.abort(400)
    try:
        with transaction(current().sessions) as session:
            mailing = _find(session, mailing_id)
            made = follow_ups.make(
                *(session, mailing, whom),
                name=result_words.follow_up_name(whom, mailing.name),
                user_id=g.viewer.user_id,
                key=request.form.get("key", "")[:40],
            )
            made_id = made.id
    except Nobody:
        return _result(mailing_id, said="nobody"), 422
    return _render("followed_up", made_id=made_id), 200


def _result(mailing_id: int, said: str = "") -> str:
    with current().sessions() as session:
        facts = result_pages.result(session, _find(session, mailing_id))
    return _render("result", **facts, said=said)


def _find(session: Any, mailing_id: int) -> Mailing:
    try:
        return drafts.find(session, g.viewer.portal_id, mailing_id)
    except NoSuchMailing:
        flask.abort(404)


def _render(template: str, **facts: Any) -> str:
    return render_template(
        f"mailings/{template}.html", words=mailing_words, said_of=result_words, **facts
    )
