"""The edge of the list of an employee's own clients.

Whoever has no rights over the whole base is shown those the portal lets him read, and is given no file: whether he may
take clients out of the CRM only the portal knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, g, render_template, request, stream_with_context

from core import sheets
from core.runtime import current
from core.web import formats
from core.web.guard import viewer_required
from core.web.lists import Asked, ListKey
from core.web.session import Viewer
from core.web.words import gettext as _
from insights.mine import clients, roster, words
from insights.mine.roster import Own
from insights.mine.rows import Reader
from integration import entity_words, kept
from integration.models import Portal
from integration.rights import Right, may_write
from segments.members import choosing

blueprint = Blueprint("my_clients", __name__, template_folder="../templates")

AT = "/clients"
LISTS = 100


@blueprint.get("/clients")
@viewer_required
def listed() -> str:
    """The clients; what is asked of them is kept in the address."""
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        if not clients.known(session, portal_id):
            return render_template("insights/mine.html", lists=None)
        reader, asked = _asked(session)
        found, after = roster.page(session, reader, asked)
        facts: dict[str, Any] = {
            "found": found, "after": after, "asked": asked, "at": AT, "why": _why,
            "currency": session.get_one(Portal, portal_id).base_currency or "RUB",
        }  # fmt: skip
        if asked.after:
            return render_template("insights/client_rows.html", **facts)
        facts["number"] = roster.number(session, reader, asked)
        lists = choosing.found(session, portal_id, limit=LISTS)
    return render_template(
        "insights/clients.html",
        **facts,
        counted=roster.COUNTED,
        occasions=[(key.value, said.title) for key, said in words.lists().items()],
        static_lists=[(str(each.id), each.name) for each in lists],
    )


@blueprint.get("/clients/file")
@may_write
def file() -> Response:
    """All that are found, with the columns that are shown, as a file."""
    sessions = current().sessions

    def portions() -> Iterator[bytes]:
        with sessions() as session:
            reader, asked = _asked(session)
            titles = [_(each.label) for each in asked.shown]
            yield sheets.written([[_("Kind"), _("Number"), *titles]])
            one = entity_words.one()
            for found in roster.every(session, reader, asked):
                yield sheets.lines(
                    [
                        *(one[each.member.kind], str(each.member.id)),
                        *(_cell(each, key) for key in asked.columns),
                    ]
                    for each in found
                )

    return Response(stream_with_context(portions()), content_type="text/csv; charset=utf-8")


def _asked(session: Any) -> tuple[Reader, Asked]:
    viewer: Viewer = g.viewer
    among = None if viewer.may(Right.WRITE) else viewer.clients
    reader = clients.reader_of(session, viewer.portal_id, viewer.user_id, among)
    own = kept.of(session, (viewer.portal_id, viewer.user_id, ListKey.MINE))
    return reader, roster.listing(session, reader).asked(request.args, own)


def _why(found: Own) -> list[str]:
    return [words.why(occasion, line) for occasion, line in found.occasions]


def _cell(found: Own, key: str) -> str:
    worth = found.worth
    if key == "client":
        return found.member.name
    if key == "why":
        return " ".join(_why(found))
    if worth is None:
        return ""
    if key == "last_sale":
        return formats.day(worth.last_sale_on) if worth.last_sale_on else ""
    value = {
        "ltv": worth.ltv,
        "sales": worth.sales,
        "average": worth.average_check,
        "gap": worth.mean_gap_days,
    }[key]
    return "" if value is None else str(value)
