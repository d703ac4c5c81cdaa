"""The edge of the integration: install wizard, event receiver, session renewal."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, g, render_template, request

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web import errors, shell
from core.web.guard import admin_required, frame_entry, public
from core.web.session import LIFETIME, Viewer
from integration import frames, hints, installs, jobs, portals
from integration.bitrix.payloads import EventPost, FramePost, MalformedPayload, decode
from integration.frames import Confirmed, FrameRefused
from integration.mirror import PortalUser
from integration.models import Portal, PortalState
from integration.portals import UnknownPortal
from integration.sync import runs

log = logging.getLogger(__name__)

blueprint = Blueprint("integration", __name__, template_folder="templates")

CARD_PLACEMENTS = {
    "CRM_CONTACT_DETAIL_TAB": "contact",
    "CRM_COMPANY_DETAIL_TAB": "company",
    "CRM_DEAL_DETAIL_TAB": "deal",
}


@blueprint.app_errorhandler(FrameRefused)
def refused(error: FrameRefused) -> Response:
    """A forged or foreign frame: the reason goes to the log, a plain refusal to the sender."""
    log.warning("frame refused", extra={"reason": error.reason})
    return errors.show(errors.worded(403))


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
    confirmed = frames.confirm(current(), frame_post())
    portal = installed_portal(confirmed)
    post = confirmed.post
    entity, card_id = CARD_PLACEMENTS.get(post.placement.upper()), post.entity_id
    if entity and card_id and not frames.may_read(confirmed.client, entity, card_id):
        raise FrameRefused("the viewer may not read the card")
    open_viewer(confirmed, portal_id=portal.id, card_id=card_id if entity else None)
    return Response(status=204)


@blueprint.post("/events")
@public("genuine only with the portal's application token, which is checked")
def events() -> tuple[str, int]:
    """Event receiver: stores a hint and answers at once."""
    runtime = current()
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
        if event.event == "ONAPPUNINSTALL":
            installs.uninstall(session, portal)
            return "", 200
        wanted = hints.receive(session, portal, event)
    if wanted:
        jobs.enqueue_events(portal.id)
    return "", 200


def installed_portal(confirmed: Confirmed) -> Portal:
    """The portal of a confirmed frame, if the application is installed on it.

    An administrator who opens the application brings fresh tokens: a portal that was cut off is
    prepared anew with them.
    """
    runtime = current()
    with transaction(runtime.sessions) as session:
        portal = frames.portal_of(session, confirmed)
        if portal is None or portal.state == PortalState.UNINSTALLED:
            raise FrameRefused("the application is not installed on the portal")
        cut_off = portal.state in {PortalState.REOPEN, PortalState.BLOCKED}
        healed = cut_off and confirmed.is_admin and bool(confirmed.post.refresh_id)
        if healed:
            portal = installs.adopt(session, runtime, confirmed)
    if healed:
        jobs.enqueue_prepare(portal.id)
    return portal


def open_viewer(confirmed: Confirmed, *, portal_id: int, card_id: int | None = None) -> None:
    """Start the session of whoever opened a confirmed frame.

    `card_id`: the card of the placement, once the viewer has proved to be able to read it. The id
    in the POST is not enough: anyone may write another one there.
    """
    post = confirmed.post
    viewer = Viewer(
        portal_id=portal_id,
        user_id=confirmed.user_id,
        is_admin=confirmed.is_admin,
        lang=post.language,
        placement=post.placement,
        entity_id=card_id,
        expires_at=utcnow() + LIFETIME,
    )
    shell.open_session(viewer, confirmed.origin)


def recheck(viewer: Viewer) -> Viewer | None:
    """The viewer's session, if the application is still on the portal and the viewer not dismissed."""
    with current().sessions() as session:
        portal = session.get(Portal, viewer.portal_id)
        user = session.get(PortalUser, (viewer.portal_id, viewer.user_id))
    gone = portal is None or portal.state == PortalState.UNINSTALLED
    dismissed = user is not None and not user.active
    return None if gone or dismissed else viewer


def frame_post() -> FramePost:
    """The form that opened this frame; FrameRefused when it can't be one."""
    try:
        return FramePost.parse(request.query_string, request.get_data())
    except MalformedPayload as error:
        raise FrameRefused(str(error)) from error


def _event_in(body: bytes) -> EventPost | None:
    """The event, if the installation path was called with one instead of by a browser."""
    try:
        return EventPost.parse(body) if "event" in decode(body) else None
    except MalformedPayload as error:
        raise FrameRefused(str(error)) from error


def _install_event(event: EventPost) -> Response:
    if event.event not in {"ONAPPINSTALL", "ONAPPUPDATE"}:
        raise FrameRefused("not an install event")
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
