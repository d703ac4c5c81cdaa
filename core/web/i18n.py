"""Language and time zone of a request, and the helpers templates speak with."""

from __future__ import annotations

from flask import Flask, g, has_request_context, request
from flask_babel import Babel, refresh
from werkzeug.exceptions import RequestEntityTooLarge

from core.web import formats, words

DEFAULT_TIME_ZONE = "Europe/Moscow"
# Bitrix24 language codes whose readers are served in Russian; every other one gets English.
_RUSSIAN = {"", "ru", "by", "kz", "ua", "uz", "az", "am", "kg", "tj"}


def register(app: Flask) -> None:
    """Give `app` its languages; `|money`, `|datetime` … and `plural()` in templates."""
    babel = Babel(
        app,
        default_locale="ru",
        default_timezone=DEFAULT_TIME_ZONE,
        locale_selector=choose_locale,
        timezone_selector=lambda: g.get("time_zone"),
    )
    babel.domain_instance = words.Catalogue()
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.filters.update(formats.FILTERS)
    app.jinja_env.globals.update(plural=words.plural, language=choose_language)


def choose_language() -> str:
    """The viewer's language; on the first POST the LANG Bitrix24 sends; else Russian.

    An htmx request whose session is over still names the language of its page.
    """
    if not has_request_context():
        return "ru"
    viewer = g.get("viewer")
    lang = viewer.lang if viewer else g.get("reader_lang") or _posted_language()
    if not lang and request.headers.get("HX-Request"):
        lang = request.headers.get("Accept-Language", "")
    return "ru" if lang.strip().lower()[:2] in _RUSSIAN else "en"


def _posted_language() -> str:
    try:
        return request.values.get("LANG", "")
    except RequestEntityTooLarge:  # the page that says so has a language as well
        return request.args.get("LANG", "")


def choose_locale() -> str:
    """The locale behind the language: English readers get 21 November and 14:05."""
    return "ru" if choose_language() == "ru" else "en_GB"


def speak(lang: str) -> None:
    """Address whoever reads a page without a session in this Bitrix24 language."""
    g.reader_lang = lang
    refresh()


def use(time_zone: str | None = None) -> None:
    """Recompute language and time zone after the viewer became known during a request."""
    if time_zone:
        g.time_zone = time_zone
    refresh()
