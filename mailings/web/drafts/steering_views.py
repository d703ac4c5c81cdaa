"""The edge of steering: the last question before the start, the switch, pause, going on, cancelling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from integration.rights import may_start, may_write
from mailings.jobs import planning as jobs
from mailings.models import Mailing
from mailings.planning import drafts, steering
from mailings.planning.drafts import NoSuchMailing, Overtaken
from mailings.planning.steering import NotReady
from mailings.rules.lifecycle import IllegalTransition
from mailings.rules.states import MailingState
from mailings.sending import restored
from mailings.sending.restored import Choice
from mailings.web.drafts import desk as mailing_desk
from mailings.web.drafts import listing as mailing_listing
from mailings.web.drafts import pages as mailing_pages
from mailings.web.drafts import views as mailing_views
from mailings.web.words import mailing as mailing_words

blueprint = Blueprint("steering", __name__, template_folder="../templates")


@blueprint.get("/mailings/<int:mailing_id>/launch")
@may_start
def question(mailing_id: int) -> str:
    """The last question before the start; or what stands in the way by now."""
    with current().sessions() as session:
        mailing = _find(session, mailing_id)
        beside = mailing_desk.side(session, mailing)
        if beside.falls is None or beside.blocked:
            return _render("launch_button", mailing=mailing, side=beside)
        offset = mailing_pages.portal_facts(session, g.viewer.portal_id)["offset"]
        facts = mailing_desk.question(session, mailing, beside.falls, offset)
    return _render("launch", mailing=mailing, **facts)


@blueprint.post("/mailings/<int:mailing_id>/start")
@may_start
def start(mailing_id: int) -> tuple[str, int]:
    """Throw the switch: once, whoever presses and however often."""
    portal_id, seen = g.viewer.portal_id, request.form.get("version", type=int)
    try:
        with transaction(current().sessions) as session:
            mailing = drafts.locked(session, portal_id, mailing_id)
            _check_version(mailing, seen)
            begun = steering.start(session, portal_id, mailing_id)
            waits = mailing.state == MailingState.PLANNING
    except NoSuchMailing:
        flask.abort(404)
    except (Overtaken, IllegalTransition) as error:
        said = "overtaken" if isinstance(error, Overtaken) else "too_late"
        return mailing_views.page(mailing_id, said=said), 409
    except NotReady:
        with current().sessions() as session:
            mailing = _find(session, mailing_id)
            beside = mailing_desk.side(session, mailing)
        return _render("launch_button", mailing=mailing, side=beside, refused=True), 422
    if waits:
        jobs.enqueue_plan(portal_id, mailing_id)
    return mailing_views.page(mailing_id, said="started" if begun else "already"), 200


@blueprint.post("/mailings/<int:mailing_id>/pause")
@may_start
def pause(mailing_id: int) -> tuple[str, int]:
    """Let nothing more leave, until resumed."""
    return _steer(mailing_id, steering.pause)


@blueprint.post("/mailings/<int:mailing_id>/resume")
@may_start
def resume(mailing_id: int) -> tuple[str, int]:
    """Go on where it stopped; after the database was restored, by an administrator's choice about what may have left."""
    choice = request.args.get("sent")
    if choice not in set(Choice):
        return _steer(mailing_id, steering.resume)
    if not g.viewer.is_admin:
        flask.abort(403)
    return _steer(mailing_id, partial(restored.go_on, choice=Choice(choice)))


@blueprint.post("/mailings/<int:mailing_id>/cancel")
@may_start
def cancel(mailing_id: int) -> tuple[str, int]:
    """Let nothing more leave, ever."""
    return _steer(mailing_id, steering.cancel)


@blueprint.get("/mailings/<int:mailing_id>/state")
@may_write
def state(mailing_id: int) -> str:
    """How a started mailing stands; asks for itself while it goes on."""
    with current().sessions() as session:
        return _render("state", **mailing_listing.standing(session, _find(session, mailing_id)))


def _steer(mailing_id: int, act: Callable[..., bool]) -> tuple[str, int]:
    """The same again changes nothing."""
    portal_id = g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            act(session, portal_id, mailing_id)
            waits = _find(session, mailing_id).state == MailingState.PLANNING
    except NoSuchMailing:
        flask.abort(404)
    except IllegalTransition:
        return mailing_views.page(mailing_id, said="too_late"), 409
    except NotReady:
        return mailing_views.page(mailing_id, said="segment_first"), 409
    if waits:
        jobs.enqueue_plan(portal_id, mailing_id)
    return mailing_views.page(mailing_id), 200


def _check_version(mailing: Mailing, seen: int | None) -> None:
    """What is started is what was read before the switch was thrown."""
    if mailing.state == MailingState.DRAFT and mailing.version != seen:
        raise Overtaken


def _find(session: Any, mailing_id: int) -> Mailing:
    try:
        return drafts.find(session, g.viewer.portal_id, mailing_id)
    except NoSuchMailing:
        flask.abort(404)


def _render(template: str, **facts: Any) -> str:
    return render_template(f"mailings/{template}.html", words=mailing_words, **facts)
