"""The edge of a segment's people: who is in, one by one, and many of a list taken out at once."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.lists import ListKey, Outcome, Picked
from core.web.words import plural
from integration import kept
from integration.models import Portal
from integration.rights import may_write
from segments import jobs
from segments.members import choosing, lists, roster, saving, segment_words
from segments.members.lists import NotStatic
from segments.members.saving import NoSuchSegment
from segments.saved import How, Segment

blueprint = Blueprint("members", __name__, template_folder="templates")

LISTS = 100


@blueprint.get("/segments/<int:segment_id>/members")
@may_write
def listed(segment_id: int) -> str:
    """The people; what is asked of them is kept in the address."""
    return _page(segment_id)


@blueprint.post("/segments/<int:segment_id>/members/take")
@may_write
def take(segment_id: int) -> str:
    """Take the ticked ones out of a list made by hand."""
    chosen, portal_id = Picked.read(request.form), g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            segment = lists.static(session, portal_id, segment_id)
            cards = [card for name in chosen.values if (card := lists.card(name)) is not None]
            if chosen.every:
                asked = roster.LISTING.asked(chosen.query)
                cards = roster.cards(session, portal_id, segment.id, asked, lists.AT_ONCE)
            done = lists.take_out(session, portal_id, segment.id, cards, g.viewer.user_id)
    except (NoSuchSegment, NotStatic):
        flask.abort(404)
    jobs.enqueue_upkeep(portal_id)
    told = plural(done, "%(n)s card is out of the list", "%(n)s cards are out of the list")
    return _page(segment_id, chosen, told=(told, Outcome(done)))


def _page(
    segment_id: int, chosen: Picked | None = None, told: tuple[str, Outcome] | None = None
) -> str:
    portal_id, user_id = g.viewer.portal_id, g.viewer.user_id
    arguments = request.args if chosen is None else chosen.query
    with current().sessions() as session:
        try:
            segment = saving.find(session, portal_id, segment_id)
        except NoSuchSegment:
            flask.abort(404)
        listing = roster.LISTING if _size(segment) <= roster.SORTED else roster.LISTING.unsorted()
        asked = listing.asked(arguments, kept.of(session, (portal_id, user_id, ListKey.MEMBERS)))
        people, after = roster.page(session, portal_id, segment_id, asked)
        facts: dict[str, Any] = {
            "segment": segment, "people": people, "after": after, "asked": asked,
            "at": f"/segments/{segment_id}/members", "words": segment_words, "told": told,
            "currency": session.get_one(Portal, portal_id).base_currency or "RUB",
        }  # fmt: skip
        if asked.after:
            return render_template("segments/member_rows.html", **facts)
        facts["number"] = roster.COUNTED + 1
        if asked.said or _size(segment) <= roster.COUNTED:
            facts["number"] = roster.number(session, portal_id, segment_id, asked)
        found = choosing.found(session, portal_id, without=[segment_id], limit=LISTS)
    facts["static_lists"] = [(str(each.id), each.name) for each in found]
    facts["is_list"] = segment.how == How.STATIC
    return render_template("segments/members.html", **facts, most=roster.COUNTED)


def _size(segment: Segment) -> int:
    counters = segment.counters or {}
    return sum(counters.get(name, 0) for name in ("contacts", "companies", "leads"))
