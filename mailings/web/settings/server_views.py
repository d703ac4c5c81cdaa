"""The edge of mail servers: entered, changed, checked, put away. A password goes in and never comes out."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from core.web.words import gettext as _
from mailings.models import MailServer
from mailings.receipts import mailbox_saving, secrets
from mailings.sending import servers
from mailings.sending.server_checks import BadServer
from mailings.sending.servers import Secrets, UnknownServer
from mailings.web.settings import server_forms
from mailings.web.words import server as server_words

blueprint = Blueprint("mail_servers", __name__, template_folder="../templates")


@blueprint.get("/settings/mailings")
@admin_required
def listed() -> str:
    """The servers letters leave by, each with what its last check found."""
    return _list()


@blueprint.get("/settings/mailings/servers/new")
@admin_required
def new() -> str:
    """The form of a new server."""
    return _form(None)


@blueprint.get("/settings/mailings/servers/<int:server_id>")
@admin_required
def server(server_id: int) -> str:
    """One server to be changed."""
    with current().sessions() as session:
        found = _find(session, server_id)
    return _form(found)


@blueprint.post("/settings/mailings/servers")
@admin_required
def create() -> tuple[str, int]:
    """Enter a server."""
    return _save(None)


@blueprint.post("/settings/mailings/servers/<int:server_id>")
@admin_required
def change(server_id: int) -> tuple[str, int]:
    """Change a server; empty passwords leave the stored ones."""
    return _save(server_id)


@blueprint.post("/settings/mailings/servers/<int:server_id>/archive")
@admin_required
def archive(server_id: int) -> tuple[str, int]:
    """Put a server away."""
    try:
        with transaction(current().sessions) as session:
            servers.archive(session, g.viewer.portal_id, server_id, g.viewer.user_id)
    except UnknownServer:
        flask.abort(404)
    return _list(said="saved"), 200


@blueprint.post("/settings/mailings/servers/<int:server_id>/check")
@admin_required
def check(server_id: int) -> str:
    """Connect to the server and look at the records of its domain; nothing is sent."""
    try:
        found = servers.examine(current(), g.viewer.portal_id, server_id)
    except UnknownServer:
        flask.abort(404)
    return render_template("mailings/settings_findings.html", **_found(found, probed=True))


def _save(server_id: int | None) -> tuple[str, int]:
    runtime, portal_id, form = current(), g.viewer.portal_id, request.form
    secret = Secrets(form.get("password", ""), form.get("dkim_key", "").strip())
    by = g.viewer.user_id
    try:
        wanted, mailbox = server_forms.wanted(form), server_forms.mailbox(form)
        with transaction(runtime.sessions) as session:
            if server_id is None:
                kept = servers.create(session, runtime, portal_id, wanted, secret, by=by)
            else:
                kept = servers.change(session, runtime, portal_id, server_id, wanted, secret, by=by)  # fmt: skip
            password = form.get("mailbox_password", "")
            mailbox_saving.save(session, runtime.vault, kept, mailbox, password)
    except UnknownServer:
        flask.abort(404)
    except BadServer as error:
        before = None
        if server_id is not None:
            with runtime.sessions() as session:
                before = _find(session, server_id)
        return _form(before, wrong={error.field: server_forms.told(error)}), 422
    return _form(kept, said="saved"), 200


def _list(said: str = "") -> str:
    with transaction(current().sessions) as session:
        found = servers.of(session, g.viewer.portal_id)
    return render_template(
        "mailings/settings_servers.html",
        servers=[(each, _found(each)) for each in found],
        said=said,
        problem="",
        words=server_words,
    )


def _form(found: MailServer | None, *, said: str = "", wrong: dict[str, str] | None = None) -> str:
    runtime, portal_id = current(), g.viewer.portal_id
    typed = {**server_forms.typed(found), **(request.form.to_dict() if wrong else {})}
    return render_template(
        "mailings/settings_server.html",
        server=found or MailServer(from_settings=False),
        typed=typed,
        wrong=wrong or {},
        said=said,
        problem=_("Look at what is marked below") if wrong else "",
        webhook=secrets.webhook_url(runtime.settings, portal_id),
        words=server_words,
        **(_found(found) if found else {}),
    )


def _found(server: MailServer, *, probed: bool = False) -> dict[str, Any]:
    return {
        "found": server_words.findings(server, probed=probed),
        "checked_at": server.checked_at,
    }


def _find(session: Any, server_id: int) -> MailServer:
    try:
        return servers.find(session, g.viewer.portal_id, server_id)
    except UnknownServer:
        flask.abort(404)
