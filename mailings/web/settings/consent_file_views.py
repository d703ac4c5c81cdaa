"""The edge of consents from a file: their source is declared, and what was not taken is given back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from core.web.words import gettext as _
from mailings.consent import importing
from mailings.consent.importing import BadFile, NoSource
from mailings.rules import consent_files
from mailings.rules.consent_files import Row
from mailings.rules.states import ChannelKey
from mailings.web.settings import pages as mailing_settings_pages
from mailings.web.words import permission as permission_words

LARGEST = 16 * 1024 * 1024
SOURCE_LENGTH = 200
blueprint = Blueprint("consent_files", __name__, template_folder="../templates")


@blueprint.get("/settings/mailings/import")
@admin_required
def form() -> str:
    """The form."""
    return _page()


@blueprint.post("/settings/mailings/import")
@admin_required
def take() -> tuple[str, int]:
    """Record what the file says, row by row; rows that can't be taken are told with the reason."""
    request.max_content_length = LARGEST
    file, source = request.files.get("file"), request.form.get("source", "").strip()
    if wrong := _wrong(source, file):
        return _page(wrong=wrong), 422
    try:
        with transaction(current().sessions) as session:
            imported = importing.import_rows(
                *(session, g.viewer.portal_id, ChannelKey.EMAIL, source[:SOURCE_LENGTH]),
                _filled(consent_files.rows(file.read() if file else b"")),
                actor=f"user:{g.viewer.user_id}",
            )
    except BadFile as error:
        return _page(wrong={"file": permission_words.bad_file(error.code)}), 422
    except NoSource:
        return _page(wrong={"source": _("Say where these people agreed")}), 422
    return _page(imported=imported), 200


def _filled(rows: Iterator[Row]) -> Iterator[Row]:
    """What the file doesn't say of itself, the form says for all rows."""
    meant = {"topic": request.form.get("topic", ""), "happened_at": request.form.get("day", "")}
    for row in rows:
        own = {name: value for name, value in row.cells.items() if value}
        yield replace(row, cells={**meant, **own})


def _wrong(source: str, file: Any) -> dict[str, str]:
    wrong = {}
    if not source:
        wrong["source"] = _("Say where these people agreed")
    if file is None or not file.filename:
        wrong["file"] = _("Choose a file")
    try:
        date.fromisoformat(request.form.get("day") or "2000-01-01")
    except ValueError:
        wrong["day"] = _("Enter a day")
    return wrong


def _page(*, imported: Any = None, wrong: dict[str, str] | None = None) -> str:
    with current().sessions() as session:
        topics = mailing_settings_pages.named_topics(session, g.viewer.portal_id)
    return render_template(
        "mailings/settings_import.html",
        topic_options=[(each.key, each.name) for each in topics],
        imported=imported,
        refused_file=permission_words.refused_file(imported.refused) if imported else "",
        words=permission_words,
        wrong=wrong or {},
        problem=_("Look at what is marked below") if wrong else "",
        typed=request.form if wrong else {},
    )
