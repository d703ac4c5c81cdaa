"""The edge of addresses nobody writes to, and of consents that come from a file."""

from __future__ import annotations

import flask
from flask import Blueprint, Response, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from core.web.words import gettext as _
from integration.rules import addresses
from mailings.consent import ledger, persons, suppressions, topics
from mailings.consent.suppressions import NeverLifted
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey
from mailings.web.words import permission as permission_words

PAGE = 50
blueprint = Blueprint("suppressions", __name__, template_folder="../templates")


@blueprint.get("/settings/mailings/suppressed")
@admin_required
def listed() -> str:
    """The addresses, the newest first; one is found by typing it in full."""
    return _list()


@blueprint.post("/settings/mailings/suppressed")
@admin_required
def add() -> tuple[str, int]:
    """Add an address by hand, with the reason for it."""
    typed, note = request.form.get("address", "").strip(), request.form.get("note", "").strip()
    found = addresses.email(typed)
    if found.value is None:
        return _list(wrong={"address": _("This is no e-mail address")}), 422
    if not note:
        return _list(wrong={"note": _("Say why")}), 422
    with transaction(current().sessions) as session:
        suppressions.suppress(
            *(session, g.viewer.portal_id, ChannelKey.EMAIL, found.value, Reason.MANUAL),
            source=note[:200], actor=f"user:{g.viewer.user_id}",
        )  # fmt: skip
    return _list(said="saved"), 200


@blueprint.post("/settings/mailings/suppressed/lift")
@admin_required
def lift() -> tuple[str, int]:
    """Write to an address again, where a person may decide that."""
    channel, address = request.form.get("channel", ""), request.form.get("address", "")
    if channel not in set(ChannelKey) or not address:
        flask.abort(400)
    try:
        with transaction(current().sessions) as session:
            actor = f"user:{g.viewer.user_id}"
            suppressions.lift(session, g.viewer.portal_id, channel, address, actor=actor)
    except NeverLifted:
        return _list(problem=_("Who complained or was erased is never written to again.")), 422
    return _list(said="saved"), 200


@blueprint.get("/settings/mailings/proof")
@admin_required
def proof() -> Response:
    """All that the ledger holds of one address, as a file: when, about what, in which words, from where."""
    address, as_what = _normalised(request.args.get("address", "")), request.args.get("as", "csv")
    if address is None or as_what not in {"csv", "json"}:
        flask.abort(400)
    with current().sessions() as session:
        lines = ledger.lines_of(session, g.viewer.portal_id, [address])
        if as_what == "json":
            return Response(persons.as_json(lines), content_type="application/json; charset=utf-8")
        return Response("\ufeff" + persons.as_csv(lines), content_type="text/csv; charset=utf-8")


def _normalised(typed: str) -> str | None:
    typed = typed.strip()
    return (addresses.email(typed).value or typed) if typed else None


def _list(*, said: str = "", problem: str = "", wrong: dict[str, str] | None = None) -> str:
    portal_id, search = g.viewer.portal_id, request.args.get("search", "").strip()
    offset = max(request.args.get("offset", default=0, type=int), 0)
    address = _normalised(search)
    with current().sessions() as session:
        rows = suppressions.listed(
            session, portal_id, address=address, limit=PAGE + 1, offset=offset
        )
        numbers = suppressions.numbers(session, portal_id)
        said_of = ledger.lines_of(session, portal_id, [address]) if address else []
        topic_names = {each.key: each.name for each in topics.listed(session, portal_id)}
    more = f"/settings/mailings/suppressed?offset={offset + PAGE}" if len(rows) > PAGE else None
    facts = {"rows": rows[:PAGE], "more": more, "words": permission_words}
    if offset:
        return render_template("mailings/settings_suppressed_rows.html", **facts)
    names = permission_words.suppressions()
    return render_template(
        "mailings/settings_suppressed.html",
        **facts,
        numbers=[(names[reason].capitalize(), number) for reason, number in numbers.items()],
        search=search,
        address=address,
        lines=said_of,
        topics=topic_names,
        said=said,
        problem=problem,
        wrong=wrong or {},
        typed=request.form.get("address", "") if wrong else "",
        typed_note=request.form.get("note", "") if wrong else "",
    )
