"""The edge of the letter editor: every change is kept at once; its preview, trial and check.

The page keeps no state of its own: the draft is JSON in its form, sent here with what was typed and one action.
"""

from __future__ import annotations

import re
import secrets
from http.client import CONFLICT, OK
from typing import Any

import flask
from flask import Blueprint, Response, g, make_response, render_template, request

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web import security, throttle
from core.web.guard import public
from core.web.i18n import choose_language
from integration.rights import may_write
from mailings.content import drafting, names, preview, ready
from mailings.content.checking import Person
from mailings.content.compiling import BadLetter
from mailings.content.drafting import NoSuchLetter, Overtaken
from mailings.content.preview import BadTicket
from mailings.content.rendering import RenderFailed
from mailings.jobs import letters as letter_jobs
from mailings.models import Mailing
from mailings.rules import letter_edits
from mailings.rules.letter_edits import Edited, Unreadable
from mailings.rules.letters import BLOCKS, COLOUR, PREHEADER_LENGTH, SUBJECT_LENGTH
from mailings.rules.lifecycle import IllegalTransition
from mailings.rules.offers import Offer
from mailings.sending import servers
from mailings.sending import trial as letter_trial
from mailings.web.letters import pages as letter_pages
from mailings.web.words import letter as letter_words
from segments.members import people

blueprint = Blueprint("letters", __name__, template_folder="../templates")

_TRIALS_A_MINUTE, _PREVIEWS_A_MINUTE = 10, 600
_PERSON = re.compile(r"(contact|company|lead):(\d{1,18})")
_FRAME_POLICY = (
    "default-src 'none'; img-src https: data: {pictures}; style-src 'unsafe-inline'; sandbox; "
    "frame-ancestors {ancestors}"
)


@blueprint.get("/mailings/<int:mailing_id>/letter")
@may_write
def editor(mailing_id: int) -> str:
    """The editor."""
    return _editor(mailing_id)


@blueprint.post("/mailings/<int:mailing_id>/letter")
@may_write
def edit(mailing_id: int) -> tuple[str, int]:
    """Keep what was typed and pressed; the form as it stands now."""
    try:
        edited = letter_edits.edited(
            request.form.get("draft", ""), request.form.to_dict(), request.form.get("action", "")
        )
    except Unreadable:
        flask.abort(400)
    return _kept(mailing_id, edited)


@blueprint.get("/mailings/<int:mailing_id>/letter/ready")
@may_write
def ready_ones(mailing_id: int) -> str:
    """Ready letters to begin with: for the type of the mailing's offer first."""
    with current().sessions() as session:
        desk = letter_pages.desk(session, _key(), _find(session, mailing_id))
    kind = letter_pages.kind_of(desk)
    letters = ready.letters(choose_language())
    fit = {key: each for key, each in letters.items() if each.kind is kind}
    rest = {key: each for key, each in letters.items() if each.kind is not kind}
    said = letter_pages.said(desk, choose_language())
    return _render("letter_ready", desk=desk, fit=fit, rest=rest, said=said)


@blueprint.post("/mailings/<int:mailing_id>/letter/ready")
@may_write
def take_ready(mailing_id: int) -> tuple[str, int]:
    """Begin with a ready letter: it takes the place of what there is."""
    chosen = ready.letters(choose_language()).get(request.form.get("ready", ""))
    if chosen is None:
        flask.abort(400)
    with current().sessions() as session:
        offer = letter_pages.offer_of(session, _find(session, mailing_id))
    content = chosen.content(Offer.read(offer.content) if offer else None)
    body, status = _kept(mailing_id, Edited(content))
    return (body, status) if status != OK else (_editor(mailing_id), status)


@blueprint.get("/mailings/<int:mailing_id>/letter/people")
@may_write
def find_people(mailing_id: int) -> str:
    """People the letter can be shown for."""
    typed = request.args.get("search", "").strip()
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        if typed:
            found = people.find(session, g.viewer.portal_id, typed)
            listed = [Person(each.kind.value, each.id, each.name) for each in found]
        else:
            listed = letter_pages.people(session, mailing, 8)
    return _render("letter_people", people=listed, typed=typed)


@blueprint.get("/mailings/<int:mailing_id>/letter/check")
@may_write
def check(mailing_id: int) -> str:
    """The letter tried on fifty people of its audience."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        findings = letter_pages.checked(session, mailing)
    return _render("letter_check", findings=findings, mailing=mailing)


@blueprint.post("/mailings/<int:mailing_id>/letter/trial")
@may_write
def send_trial(mailing_id: int) -> str:
    """Send the letter to an address, to look it over."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        person = _person() or letter_pages.first_person(session, mailing)
    throttle.limit(current().redis, "letter-trial", str(portal_id), _TRIALS_A_MINUTE)
    trial = secrets.token_hex(8)
    letter_jobs.enqueue_trial(
        portal_id, mailing_id, trial, request.form.get("address", "").strip(), person
    )
    return _render("letter_trial", mailing=mailing, trial=trial, code="waiting")


@blueprint.get("/mailings/<int:mailing_id>/letter/trial/<trial>")
@may_write
def trial_state(mailing_id: int, trial: str) -> str:
    """How it stands; asks for itself while it is on its way."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
    code = letter_trial.standing(current(), g.viewer.portal_id, trial)
    if code is None:
        flask.abort(404)
    return _render("letter_trial", mailing=mailing, trial=trial, code=code)


@blueprint.get("/letters/preview/<ticket>")
@public("one rendered letter, in a sandbox; the ticket is signed, names it and soon runs out")
def show(ticket: str) -> Response:
    """The letter as its client would get it."""
    throttle.limit(current().redis, "letter-preview", throttle.caller(), _PREVIEWS_A_MINUTE)
    try:
        read = preview.read(_key(), ticket, utcnow())
    except BadTicket:
        flask.abort(404)
    with current().sessions() as session:
        origin = preview.portal_origin(session, read.portal_id)
        try:
            mailing = drafting.find(session, read.portal_id, read.mailing_id)
            html = preview.rendered(session, read, _sender(session, mailing)).html
        except NoSuchLetter:
            flask.abort(404)
        except (BadLetter, RenderFailed):
            html = _render("letter_unshown")
    response = make_response(html)
    ancestors = f"'self' {origin}" if security.is_origin(origin) else "'self'"
    pictures = current().settings.public_url
    policy = _FRAME_POLICY.format(ancestors=ancestors, pictures=pictures)
    response.headers["Content-Security-Policy"] = policy
    return response


def _editor(mailing_id: int, said: str = "") -> str:
    with current().sessions() as session:
        desk = letter_pages.desk(session, _key(), _find(session, mailing_id), _person())
    return _render("letter", **_facts(desk), said=said)


def _kept(mailing_id: int, edited: Edited) -> tuple[str, int]:
    made_from = request.form.get("version", type=int) or 0
    more: dict[str, Any] = {"focus": edited.focus}
    try:
        with transaction(current().sessions) as session:
            _find(session, mailing_id)
            drafting.save(
                session, g.viewer.portal_id, mailing_id, edited.draft, made_from=made_from
            )
    except (Overtaken, IllegalTransition):
        return _editor(mailing_id, said="overtaken"), CONFLICT
    except BadLetter as error:
        more |= {"draft": edited.draft, "problems": error.problems, "unsaved": True}
    with current().sessions() as session:
        desk = letter_pages.desk(session, _key(), _find(session, mailing_id), _person(), **more)
    return _render("letter_body", **_facts(desk)), OK


def _facts(desk: letter_pages.Desk) -> dict[str, Any]:
    return {
        "desk": desk,
        "wrong": letter_words.placed(desk.problems),
        "kinds": BLOCKS,
        "limits": {"subject": SUBJECT_LENGTH, "preheader": PREHEADER_LENGTH},
        "colour": COLOUR,
        "personal": names.PERSONAL,
        "common": names.COMMON,
    }


def _render(template: str, **facts: Any) -> str:
    return render_template(f"mailings/{template}.html", words=letter_words, **facts)


def _sender(session: Any, mailing: Mailing) -> dict[str, str]:
    server = servers.choose(session, mailing, current().settings)
    return {
        "name": (server.from_name if server else None) or "",
        "email": server.from_email if server else "",
    }


def _person() -> Person | None:
    found = _PERSON.fullmatch(request.values.get("person", ""))
    if found is None:
        return None
    with current().sessions() as session:
        person = Person(found.group(1), int(found.group(2)))
        return letter_pages.named(session, g.viewer.portal_id, [person])[0]


def _find(session: Any, mailing_id: int) -> Mailing:
    try:
        return drafting.find(session, g.viewer.portal_id, mailing_id)
    except NoSuchLetter:
        flask.abort(404)


def _key() -> str:
    return current().settings.secret_key
