"""The edge of the integration: install wizard, event receiver, session renewal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from flask import Blueprint, Response, g, render_template, request

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web import errors, shell, throttle
from core.web.guard import admin_required, frame_entry, public
from core.web.session import LIFETIME, Viewer
from integration import (
    appearance,
    cards,
    frames,
    health_words,
    hints,
    installs,
    jobs,
    own_cards,
    placements,
    portals,
    rights,
    troubles,
)
from integration.bitrix.errors import BitrixError
from integration.bitrix.payloads import EventPost, FramePost, MalformedPayload, decode
from integration.frames import Confirmed, FrameRefused
from integration.mirror import PortalUser
from integration.models import Portal, PortalState
from integration.portals import UnknownPortal
from integration.rules.health import Code, shut_out
from integration.sync import runs

log = logging.getLogger(__name__)

blueprint = Blueprint("integration", __name__, template_folder="templates")

# In a minute: an office behind one address opens cards; a portal's mass edit posts an event a card.
FRAMES_OF_ADDRESS, FRAMES_OF_PORTAL = 600, 300
EVENTS_OF_ADDRESS, EVENTS_OF_PORTAL = 30_000, 20_000


@blueprint.app_errorhandler(FrameRefused)
def refused(error: FrameRefused) -> Response:
    """A forged or foreign frame: the reason goes to the log, a plain refusal to the sender."""
    log.warning("frame refused", extra={"reason": error.reason})
    return errors.show(errors.worded(403))


@blueprint.app_errorhandler(BitrixError)
def portal_refused(error: BitrixError) -> Response:
    """A portal that answers nobody can't prove who is looking either: the page says why."""
    shut = portals.state_after(error) is PortalState.BLOCKED
    problem = shut_out(PortalState.BLOCKED, type(error).__name__, None) if shut else None
    if problem is None:
        return errors.service_error(error)
    words = health_words.worded(problem)
    text = f"{words.meaning} {words.advice}"
    return errors.show(errors.Trouble(503, words.title, text, "Clock", "warning"))


@blueprint.post("/install")
@frame_entry
def install() -> str | Response:
    """The installation path of the local application: its iframe, or the ONAPPINSTALL event."""
    if event := _event_in(request.get_data()):  # before anything parses the form and takes it
        return _install_event(event)
    runtime = current()
    confirmed = frames.confirm(runtime, frame_post())
    if not confirmed.is_admin:
        open_viewer(confirmed, portal_id=0)
        return render_template("integration/not_installed.html")
    with transaction(runtime.sessions) as session:
        portal = installs.adopt(session, runtime, confirmed)
        portal.has_menu_item = True
    jobs.enqueue_prepare(portal.id)
    open_viewer(confirmed, portal_id=portal.id)
    return render_template("integration/install.html", **_progress(portal.id))


@blueprint.get("/install/progress")
@admin_required
def install_progress() -> str:
    """The wizard's steps as they are now."""
    return render_template("integration/install.html", **_progress(g.viewer.portal_id))


@blueprint.post("/install/again")
@admin_required
def install_again() -> str:
    """Repeat the steps that failed."""
    jobs.enqueue_prepare(g.viewer.portal_id)
    return render_template("integration/install.html", **_progress(g.viewer.portal_id))


@blueprint.post("/session")
@frame_entry
def renew_session() -> Response:
    """A page that has been open for an hour proves its viewer again and gets a fresh token."""
    post = frame_post()
    card = placements.card_of(post)
    if card is None:
        confirmed = frames.confirm(current(), post)
        open_home(confirmed, portal_id=installed_portal(confirmed).id)
        return Response(status=204)
    confirmed = frames.confirm(current(), post, cards.reads(*card))
    portal = installed_portal(confirmed)
    clients = readable_clients(confirmed, portal.id, *card)
    if clients is None:
        raise FrameRefused("the viewer may not read the card")
    open_viewer(confirmed, portal_id=portal.id, card_id=card[1], clients=clients)
    return Response(status=204)


@blueprint.post("/events")
@public("genuine only with the portal's application token, which is checked")
def events() -> tuple[str, int]:
    """Event receiver: stores a hint and answers at once."""
    runtime = current()
    throttle.limit(runtime.redis, "events", throttle.caller(), EVENTS_OF_ADDRESS)
    try:
        event = EventPost.parse(request.get_data())
    except MalformedPayload:
        return "", 400
    if event.event in {"ONAPPINSTALL", "ONAPPUPDATE"}:
        _install_event(event)
        return "", 200
    with transaction(runtime.sessions) as session:
        try:
            portal = portals.by_member(session, event.auth.member_id)
        except UnknownPortal:
            return _forged(event)
        if not hints.genuine(runtime.vault, portal, event):
            return _forged(event)
        throttle.limit(runtime.redis, "events", event.auth.member_id, EVENTS_OF_PORTAL)
        removed = event.event == "ONAPPUNINSTALL"
        if removed:
            portal.removal_told_at = utcnow()
        wanted = not removed and hints.receive(session, portal, event)
    if removed:
        jobs.enqueue_probe(portal.id)
    elif wanted:
        jobs.enqueue_events(portal.id)
    return "", 200


def installed_portal(confirmed: Confirmed) -> Portal:
    """The portal of a confirmed frame, if the application is installed on it."""
    portal = renewed_portal(confirmed)
    if portal is None:
        raise FrameRefused("the application is not installed on the portal")
    return portal


def renewed_portal(confirmed: Confirmed) -> Portal | None:
    """The portal of a confirmed frame with its connection renewed; None where it is not installed.

    An administrator who opens the application brings fresh tokens, proved like any other: a portal
    that was cut off, or where the employee we act as may not write, is prepared anew with them.
    """
    runtime = current()
    with transaction(runtime.sessions) as session:
        portal = frames.portal_of(session, confirmed)
        if portal is None or portal.state == PortalState.REGISTERED:
            return None
        barred = troubles.since(session, portal.id, Code.WRITING_REFUSED) is not None
        another = barred and confirmed.user_id != portal.installer_id
        wanted = another or PortalState(portal.state).cut_off
        renewed = wanted and confirmed.is_admin and bool(confirmed.post.refresh_id)
        if renewed:
            portal = installs.adopt(session, runtime, confirmed)
    if renewed:
        jobs.enqueue_prepare(portal.id)
    return None if portal.state == PortalState.UNINSTALLED else portal


def readable_clients(
    confirmed: Confirmed, portal_id: int, entity: str, card_id: int
) -> list[str] | None:
    """Clients of a card that its viewer may see, as kind:id; None when not even the card."""
    with current().sessions() as session:
        return cards.clients(session, portal_id, confirmed, entity, card_id)


def open_viewer(
    confirmed: Confirmed,
    *,
    portal_id: int,
    card_id: int | None = None,
    clients: Sequence[str] = (),
) -> None:
    """Start the session of whoever opened a confirmed frame.

    `card_id`, `clients`: the card of the placement and its clients, once the viewer has proved to be
    able to read them. The id in the POST is not enough: anyone may write another one there.
    """
    post = confirmed.post
    with current().sessions() as session:
        given = () if confirmed.is_admin else rights.of(session, portal_id, confirmed.user_id)
        chosen = appearance.of(session, portal_id, confirmed.user_id)
    viewer = Viewer(
        portal_id=portal_id,
        user_id=confirmed.user_id,
        is_admin=confirmed.is_admin,
        lang=post.language,
        placement=post.placement,
        entity_id=card_id,
        expires_at=utcnow() + LIFETIME,
        clients=tuple(clients),
        rights=given,
        theme=chosen.theme,
        toured=chosen.toured,
    )
    shell.open_session(viewer, confirmed.origin)


def open_home(confirmed: Confirmed, *, portal_id: int) -> None:
    """Start the session of whoever opened the application itself.

    Without rights over the whole base it names those of the viewer's own clients the portal lets him read.
    """
    with current().sessions() as session:
        all_of_them = confirmed.is_admin or rights.of(session, portal_id, confirmed.user_id)
        names = [] if all_of_them else own_cards.wanted(session, portal_id, confirmed.user_id)
    clients = own_cards.readable(confirmed.client, names)
    open_viewer(confirmed, portal_id=portal_id, clients=clients)


def recheck(viewer: Viewer) -> Viewer | None:
    """The viewer as known now, if the application is still on the portal and the viewer not dismissed."""
    with current().sessions() as session:
        portal = session.get(Portal, viewer.portal_id)
        user = session.get(PortalUser, (viewer.portal_id, viewer.user_id))
        given = () if viewer.is_admin else rights.of(session, viewer.portal_id, viewer.user_id)
        chosen = appearance.of(session, viewer.portal_id, viewer.user_id)
    gone = portal is None or portal.state == PortalState.UNINSTALLED
    dismissed = user is not None and not user.active
    if gone or dismissed:
        return None
    return replace(viewer, rights=given, theme=chosen.theme, toured=chosen.toured)


def askable(viewer: Viewer) -> list[str]:
    """Whom to ask for rights on the viewer's portal."""
    with current().sessions() as session:
        return rights.askable(session, viewer.portal_id)


def frame_post() -> FramePost:
    """The form that opened this frame; FrameRefused when it can't be one.

    Its portal is a claim, so that one address can only use up its own share of the portal's.
    """
    redis, address = current().redis, throttle.caller()
    throttle.limit(redis, "frames", address, FRAMES_OF_ADDRESS)
    try:
        post = FramePost.parse(request.query_string, request.get_data())
    except MalformedPayload as error:
        raise FrameRefused(str(error)) from error
    if address:
        throttle.limit(redis, "frames", f"{address}@{post.member_id[:32]}", FRAMES_OF_PORTAL)
    return post


def _event_in(body: bytes) -> EventPost | None:
    """The event, if the installation path was called with one instead of by a browser."""
    try:
        return EventPost.parse(body) if "event" in decode(body) else None
    except MalformedPayload as error:
        raise FrameRefused(str(error)) from error


def _install_event(event: EventPost) -> Response:
    if event.event not in {"ONAPPINSTALL", "ONAPPUPDATE"}:
        raise FrameRefused("not an install event")
    throttle.limit(current().redis, "frames", throttle.caller(), FRAMES_OF_ADDRESS)
    portal = installs.adopt_event(current(), event)
    jobs.enqueue_prepare(portal.id)
    return Response(status=200)


def _forged(event: EventPost) -> tuple[str, int]:
    log.warning("event refused", extra={"name_": event.event})
    return "", 403


def _progress(portal_id: int) -> dict[str, object]:
    with current().sessions() as session:
        portal = session.get_one(Portal, portal_id)
        run = runs.progress(session, portal_id)
    steps = [
        {"key": step.key, **portal.install_steps.get(step.key, {"status": "waiting", "reason": ""})}
        for step in installs.STEPS
    ]
    done = portal.state == PortalState.ACTIVE
    failed = next((step for step in steps if step["status"] == "failed"), None)
    return {"steps": steps, "done": done, "failed": failed, "run": run}
