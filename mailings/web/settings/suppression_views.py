"""The edge of addresses nobody writes to, and of consents that come from a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
from flask import Blueprint, Response, g, render_template, request, stream_with_context

from core import sheets
from core.database import transaction
from core.runtime import current
from core.web import formats
from core.web.guard import admin_required
from core.web.lists import Asked, ListKey, Outcome, Picked
from core.web.words import gettext as _
from core.web.words import plural
from integration import kept
from integration.rules import addresses
from mailings.consent import ledger, persons, suppressions, topics
from mailings.consent.suppressions import NeverLifted
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey
from mailings.web.settings import stop_list
from mailings.web.words import permission as permission_words

AT = "/settings/mailings/suppressed"
blueprint = Blueprint("suppressions", __name__, template_folder="../templates")


@blueprint.get("/settings/mailings/suppressed")
@admin_required
def listed() -> str:
    """The addresses; what is asked of them is kept in the address of the page."""
    return _list()


@blueprint.get("/settings/mailings/suppressed/file")
@admin_required
def file() -> Response:
    """All that are found, with the columns that are shown, as a file."""
    sessions, portal_id = current().sessions, g.viewer.portal_id
    with sessions() as session:
        asked = _asked(session, request.args)

    def portions() -> Iterator[bytes]:
        yield sheets.written([[_(each.label) for each in asked.shown]])
        with sessions() as session:
            for lines in stop_list.every(session, portal_id, asked):
                yield sheets.lines([_cell(line, key) for key in asked.columns] for line in lines)

    return Response(stream_with_context(portions()), content_type="text/csv; charset=utf-8")


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
    """Write to an address again, where a person may decide that; the list stays as it was."""
    chosen = Picked.read(request.form)
    channel, address = request.form.get("channel", ""), request.form.get("address", "")
    if channel not in set(ChannelKey) or not address:
        flask.abort(400)
    try:
        with transaction(current().sessions) as session:
            actor = f"user:{g.viewer.user_id}"
            suppressions.lift(session, g.viewer.portal_id, channel, address, actor=actor)
    except NeverLifted:
        problem = _("Who complained or was erased is never written to again.")
        return _list(chosen, problem=problem), 422
    return _list(chosen, said="saved"), 200


@blueprint.post("/settings/mailings/suppressed/picked/lift")
@admin_required
def lift_picked() -> str:
    """Write to the ticked addresses again, where a person may decide that."""
    chosen = Picked.read(request.form)
    with transaction(current().sessions) as session:
        done, left = stop_list.lift(session, g.viewer.portal_id, chosen, g.viewer.user_id)
    told = plural(
        done, "%(n)s address may be written to again", "%(n)s addresses may be written to again"
    )
    words = permission_words.suppressions()
    refused = [(address or _("erased"), words[reason]) for address, reason in left]
    return _list(chosen, told=(told, Outcome(done, refused)))


@blueprint.get("/settings/mailings/proof")
@admin_required
def proof() -> Response:
    """All that the ledger holds of one address, as a file: when, about what, in which words, from where."""
    typed, as_what = request.args.get("address", "").strip(), request.args.get("as", "csv")
    address = addresses.whole(typed) or typed
    if not address or as_what not in {"csv", "json"}:
        flask.abort(400)
    with current().sessions() as session:
        lines = ledger.lines_of(session, g.viewer.portal_id, [address])
        if as_what == "json":
            return Response(persons.as_json(lines), content_type="application/json; charset=utf-8")
        return Response("\ufeff" + persons.as_csv(lines), content_type="text/csv; charset=utf-8")


def _list(
    chosen: Picked | None = None, told: tuple[str, Outcome] | None = None, **said: Any
) -> str:
    """The list, or its next rows. `said`, `problem`, `wrong`, `told`: what has just happened."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        asked = _asked(session, request.args if chosen is None else chosen.query)
        rows, after = stop_list.page(session, portal_id, asked)
        facts = {"rows": rows, "after": after, "asked": asked, "at": AT, "words": permission_words}
        if asked.after:
            return render_template("mailings/settings_suppressed_rows.html", **facts)
        numbers = suppressions.numbers(session, portal_id)
        facts["number"] = stop_list.number(session, portal_id, asked)
        facts |= _record(session, addresses.whole(asked["search"]))
    names = permission_words.suppressions()
    wrong = said.get("wrong", {})
    return render_template(
        "mailings/settings_suppressed.html",
        **facts, **{"said": "", "problem": "", "wrong": wrong} | said,
        numbers=[(names[reason].capitalize(), _counted(number)) for reason, number in numbers.items()],
        told=told, most=stop_list.AT_ONCE, counted=stop_list.COUNTED,
        typed=request.form.get("address", "") if wrong else "",
        typed_note=request.form.get("note", "") if wrong else "",
    )  # fmt: skip


def _counted(number: int) -> str:
    most = suppressions.COUNTED
    return f"{formats.number(most)}+" if number > most else formats.number(number)


def _record(session: Any, address: str | None) -> dict[str, Any]:
    """What the ledger says of the address that was looked for."""
    if address is None:
        return {"address": None}
    portal_id = g.viewer.portal_id
    topic_names = {each.key: each.name for each in topics.listed(session, portal_id)}
    lines = ledger.lines_of(session, portal_id, [address])
    return {"address": address, "lines": lines, "topics": topic_names}


def _asked(session: Any, arguments: Any) -> Asked:
    whose = (g.viewer.portal_id, g.viewer.user_id, ListKey.SUPPRESSED)
    return stop_list.LISTING.asked(arguments, kept.of(session, whose))


def _cell(line: stop_list.Line, key: str) -> str:
    row = line.row
    return {
        "address": row.address or _("erased"),
        "why": permission_words.suppressions()[row.reason],
        "source": permission_words.source(row.source or ""),
        "mailing": line.mailing or "",
        "who": line.who or "",
        "since": formats.moment(row.at),
        "until": formats.moment(row.until) if row.until else "",
    }[key]
