"""What people read when something went wrong: what happened and what to do, never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from core.errors import ConfigError, ServiceError
from core.web import problems
from core.web.words import gettext as _

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from core.web.session import Viewer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trouble:
    """A problem in words: a title, an explanation with the next step, an icon."""

    status: int
    title: str
    text: str
    icon: str = "Alert"
    tone: str = "danger"


def register(app: Flask, askable: Callable[[Viewer], list[str]] | None = None) -> None:
    """Show our own pages for every error of `app`. `askable`: who can give a viewer more rights, by name."""
    app.extensions["askable"] = askable
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ServiceError, service_error)
    app.register_error_handler(ConfigError, _config_error)
    app.register_error_handler(Exception, _unexpected)


def show(trouble: Trouble) -> Response:
    """The error page; a running page gets a message to put beside what failed, a program a problem."""
    if problems.wanted():
        return problems.answer(trouble.status, f"{trouble.title}. {trouble.text}")
    fragment = request.headers.get("HX-Request") == "true"
    template = "error_message.html" if fragment else "error.html"
    response = make_response(render_template(template, trouble=trouble), trouble.status)
    response.headers["Vary"] = "HX-Request"
    return response


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or error.code is None or error.code < 400:
        return error
    return problems.of(error) if problems.wanted() else show(worded(error.code))


def worded(status: int) -> Trouble:
    """The words for an HTTP status."""
    if status in {401, 405}:
        return Trouble(
            401,
            _("Open the application again"),
            _(
                "The page was open for too long, or not from Bitrix24. Open it from the Bitrix24 menu or the client's card."
            ),
            "Clock",
            "warning",
        )
    if status == 403:
        return Trouble(403, _("Not enough rights"), _whom_to_ask(), "LockM", "warning")
    if status == 404:
        return Trouble(
            404,
            _("Nothing here"),
            _("It may have been deleted, or the link is old."),
            "Search",
            "info",
        )
    if status == 413:
        return Trouble(413, _("The file is too large"), _("Choose a smaller file and try again."))
    if status == 429:
        return Trouble(
            429, _("Too many requests"), _("Wait a minute and try again."), "Clock", "warning"
        )
    if status >= 500:
        return _broken(status)
    return Trouble(
        status, _("The request was not understood"), _("Check what you entered and try again.")
    )


def _whom_to_ask() -> str:
    viewer = g.get("viewer")
    if viewer is None:
        return _(
            "Bitrix24 did not confirm this request. Open the application from the portal once more."
        )
    askable = current_app.extensions["askable"]
    names = askable(viewer) if askable else []
    if not names:
        return _("Only a portal administrator may do this. Ask one to help.")
    return _("An administrator can let you do this. Ask: %(names)s.", names=", ".join(names))


def _broken(status: int = 500) -> Trouble:
    return Trouble(
        status,
        _("Something broke on our side"),
        _(
            "Your data is safe. Try again in a minute; if it repeats, tell the administrator the time it happened."
        ),
    )


def service_error(error: ServiceError) -> Response:
    """A service we need failed: whether it is worth trying again."""
    log.warning("outside service failed: %s: %s", type(error).__name__, error.detail)
    if error.retryable:
        text = _(
            "It is overloaded or unreachable for a moment. Nothing is lost: try again in a minute."
        )
    else:
        text = _(
            "It refused the request. If it repeats, tell the administrator the time it happened."
        )
    return show(Trouble(502, _("An outside service did not answer"), text))


def _config_error(error: ConfigError) -> Response:
    log.error("configuration: %s", error)
    return show(
        Trouble(
            500,
            _("The application is not set up yet"),
            _(
                "The administrator has to finish its settings; the log names the one that is missing."
            ),
            "SettingsM",
        )
    )


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return show(_broken())
