"""The door out of every letter: a page with a button, and the one-click POST mail programs send (RFC 8058).

Looking changes nothing: programs that check links open them all. What is asked is written down once, however
often it is sent, and neither cookies nor a session are needed: the signed token in the address is enough.
"""

from __future__ import annotations

import flask
from flask import Blueprint, Response, render_template, request
from werkzeug.exceptions import NotFound

from core.database import transaction
from core.runtime import current
from core.web import i18n, throttle
from core.web.guard import public
from integration.models import Portal
from mailings.consent import unsubscribing
from mailings.consent.unsubscribing import Letter, Trace
from mailings.receipts import events
from mailings.receipts.events import Event
from mailings.rules import tokens
from mailings.rules.events import EventKind
from mailings.rules.tokens import BadToken, Purpose

blueprint = Blueprint("unsubscribing", __name__, template_folder="../templates")

# In a minute from one address: mail services press the button for all their readers; guessers are few.
ASKED_OF_ADDRESS, WRONG_OF_ADDRESS = 3_000, 60
_AGENT_LENGTH = 300
_SAID = {"stop", "rest", "topics"}


@blueprint.get("/u/<token>")
@public("shows a button and the topics of a letter; the token is signed, and nothing is changed")
def look(token: str) -> str:
    """The page of a letter."""
    return _page(_letter(token))


@blueprint.post("/u/<token>")
@public("the token is signed and stands for one letter; all that can be asked is to get less")
def ask(token: str) -> str | Response:
    """Do what is asked; a mail program's one click is answered without a page."""
    letter = _letter(token)
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    said = "stop" if one_click else request.form.get("ask", "")
    if said not in _SAID:
        flask.abort(400)
    _do(letter, said, one_click=one_click)
    if one_click:
        return Response("", 200, content_type="text/plain; charset=utf-8")
    return _page(letter, said)


def _letter(token: str) -> Letter:
    runtime = current()
    throttle.limit(runtime.redis, "unsubscribing", throttle.caller(), ASKED_OF_ADDRESS)
    try:
        portal_id, delivery_id, _ = tokens.read(
            runtime.settings.secret_key, Purpose.UNSUBSCRIBE, token
        )
    except BadToken as error:
        throttle.limit(runtime.redis, "wrong-link", throttle.caller(), WRONG_OF_ADDRESS)
        raise NotFound from error
    with runtime.sessions() as session:
        letter = unsubscribing.letter_of(session, portal_id, delivery_id)
    if letter is None:
        raise NotFound
    return letter


def _do(letter: Letter, said: str, *, one_click: bool) -> None:
    source = "one click in the mail program" if one_click else "the page of the letter"
    trace = Trace(source, throttle.caller() or None, request.user_agent.string[:_AGENT_LENGTH])
    with transaction(current().sessions) as session:
        if said == "rest":
            unsubscribing.rest(session, letter, trace)
            return
        if said == "stop":
            news = unsubscribing.stop(session, letter, trace)
        else:
            shown = {topic.key for topic, _ in unsubscribing.standing(session, letter).topics}
            unticked = shown - set(request.form.getlist("topic"))
            news = unsubscribing.leave(session, letter, unticked, trace)
        if news:
            left = Event(EventKind.UNSUBSCRIBED)
            events.record(session, letter.portal_id, letter.delivery_id, left)


def _page(letter: Letter, said: str = "") -> str:
    with current().sessions() as session:
        standing = unsubscribing.standing(session, letter)
        i18n.speak(session.get_one(Portal, letter.portal_id).language)
    return render_template("mailings/unsubscribe.html", standing=standing, said=said)
