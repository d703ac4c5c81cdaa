"""The edge of rows set aside: the list, a file of it, and many of them read again at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, g, render_template, request, stream_with_context

from core import sheets
from core.runtime import current
from core.web import formats
from core.web.guard import admin_required
from core.web.lists import Asked, ListKey, Picked
from core.web.words import gettext as _
from integration import entity_words, jobs, kept, misfit_words, quarantine, set_aside
from integration.health_rows import SetAside
from integration.set_aside import Reasons

blueprint = Blueprint("set_aside", __name__, template_folder="templates")

AT = "/health/aside"


@blueprint.get("/health/aside")
@admin_required
def listed() -> str:
    """The rows; what is asked of them is kept in the address."""
    return _page()


@blueprint.get("/health/aside/file")
@admin_required
def file() -> Response:
    """All that are found, as a file."""
    sessions, portal_id = current().sessions, g.viewer.portal_id

    def portions() -> Iterator[bytes]:
        with sessions() as session:
            asked, among = _asked(session, request.args)
            titles = [_(each.label) for each in asked.shown[1:]]
            yield sheets.written([[_("Kind"), _("Number"), *titles]])
            one = entity_words.one()
            for rows in set_aside.every(session, portal_id, asked, among):
                yield sheets.lines(
                    [
                        *(one.get(row.entity, row.entity), row.bitrix_id),
                        *(_cell(row, key, among) for key in asked.columns[1:]),
                    ]
                    for row in rows
                )

    return Response(stream_with_context(portions()), content_type="text/csv; charset=utf-8")


@blueprint.post("/health/aside/retry")
@admin_required
def retry() -> str:
    """Read the ticked rows again."""
    chosen, portal_id = Picked.read(request.form), g.viewer.portal_id
    with current().sessions() as session:
        among = set_aside.reasons(session, portal_id)
        named = set_aside.picked(session, portal_id, chosen, among)
    if named:
        jobs.enqueue_retry(portal_id, *(f"{entity}:{number}" for entity, number in named))
    return _page(chosen, said=bool(named))


def _page(chosen: Picked | None = None, *, said: bool = False) -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        asked, among = _asked(session, request.args if chosen is None else chosen.query)
        rows, after = set_aside.page(session, portal_id, asked, among)
        facts: dict[str, Any] = {
            "rows": rows, "after": after, "asked": asked, "at": AT, "labels": among.labels,
            "one": entity_words.one(), "misfit": misfit_words.misfit, "left_out": misfit_words.LEFT_OUT,
        }  # fmt: skip
        if asked.after:
            return render_template("integration/aside_rows.html", **facts)
        names = entity_words.many()
        there = set_aside.entities(session, portal_id, list(names))
        facts["number"] = set_aside.number(session, portal_id, asked, among)
    return render_template(
        "integration/aside.html",
        **facts,
        entities=[(each, names[each]) for each in there],
        kinds=list(among.kinds().items()),
        most=quarantine.AT_ONCE,
        counted=set_aside.COUNTED,
        said=said,
    )


def _asked(session: Any, arguments: Any) -> tuple[Asked, Reasons]:
    whose = (g.viewer.portal_id, g.viewer.user_id, ListKey.SET_ASIDE)
    asked = set_aside.LISTING.asked(arguments, kept.of(session, whose))
    return asked, set_aside.reasons(session, g.viewer.portal_id)


def _cell(row: SetAside, key: str, among: Reasons) -> str:
    if key == "why":
        return misfit_words.misfit(row.reason, among.labels)
    if key == "part":
        part = row.reason.startswith(misfit_words.LEFT_OUT)
        return _("a value of the row") if part else _("the whole row")
    return formats.moment(row.seen_at)
