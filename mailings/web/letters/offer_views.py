"""The edge of offers: the list, one offer with what is left to fill in, its promo codes."""

from __future__ import annotations

from datetime import timedelta
from http.client import OK, UNPROCESSABLE_ENTITY
from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from core.web.lists import ListKey, Outcome, Picked
from core.web.words import gettext as _
from core.web.words import plural
from integration import kept
from integration.rights import may_write
from mailings.content import offers
from mailings.content.offers import InUse, NoSuchOffer, Overtaken, Wish
from mailings.models import Offer as OfferRow
from mailings.rules import offers as rules
from mailings.rules.offers import BadOffer, Offer, OfferKind
from mailings.web.letters import offer_list
from mailings.web.words import offer as offer_words

blueprint = Blueprint("offers", __name__, template_folder="../templates")


@blueprint.get("/offers")
@may_write
def listed() -> str:
    """The portal's offers."""
    return _list()


@blueprint.post("/offers/picked/archive")
@may_write
def put_away() -> str:
    """Put the ticked offers away."""
    chosen = Picked.read(request.form)
    with transaction(current().sessions) as session:
        done, left = offer_list.put_away(session, g.viewer.portal_id, chosen, g.viewer.user_id)
    told = plural(done, "%(n)s offer is put away", "%(n)s offers are put away")
    refused = [(name, _("sent by: %(names)s", names=", ".join(names))) for name, names in left]
    return _list(chosen=chosen, told=(told, Outcome(done, refused)))


@blueprint.get("/offers/new")
@may_write
def new() -> str:
    """What kind of offer it is to be."""
    return _render("offer_new")


@blueprint.post("/offers")
@may_write
def create() -> tuple[str, int]:
    """A new offer of a kind; the rest is filled in on its page."""
    kind = _kind()
    with transaction(current().sessions) as session:
        name = request.form.get("name", "").strip() or offer_words.kinds()[kind]
        row = offers.create(
            session, g.viewer.portal_id, Wish(kind, name, {}), user_id=g.viewer.user_id
        )
    return _page(row.id), OK


@blueprint.get("/offers/<int:offer_id>")
@may_write
def offer(offer_id: int) -> str:
    """One offer."""
    return _page(offer_id)


@blueprint.post("/offers/<int:offer_id>")
@may_write
def change(offer_id: int) -> tuple[str, int]:
    """Save the form."""
    form = request.form
    wish = Wish(_kind(), form.get("name", ""), form.to_dict())
    try:
        with transaction(current().sessions) as session:
            offers.change(
                *(session, g.viewer.portal_id, offer_id, wish),
                made_from=form.get("version", type=int) or 0, user_id=g.viewer.user_id,
            )  # fmt: skip
    except NoSuchOffer:
        flask.abort(404)
    except Overtaken:
        return _page(offer_id, said="overtaken"), UNPROCESSABLE_ENTITY
    except BadOffer as error:
        return _page(offer_id, wrong=error.problems, typed=wish), UNPROCESSABLE_ENTITY
    return _page(offer_id, said="saved"), OK


@blueprint.post("/offers/<int:offer_id>/archive")
@may_write
def archive(offer_id: int) -> tuple[str, int]:
    """Put the offer away."""
    try:
        with transaction(current().sessions) as session:
            offers.archive(session, g.viewer.portal_id, offer_id, g.viewer.user_id)
    except NoSuchOffer:
        flask.abort(404)
    except InUse as error:
        return _page(offer_id, said="in_use", names=error.names), UNPROCESSABLE_ENTITY
    return _list(said="archived"), OK


@blueprint.post("/offers/<int:offer_id>/codes")
@may_write
def add_codes(offer_id: int) -> str:
    """Add the promo codes that were typed or are in the file."""
    text = request.form.get("codes", "")
    if file := request.files.get("file"):
        text = f"{text}\n{file.read().decode('utf-8', 'replace')}"
    try:
        with transaction(current().sessions) as session:
            added = offers.add_codes(session, g.viewer.portal_id, offer_id, text)
    except NoSuchOffer:
        flask.abort(404)
    return _codes(offer_id, added=added)


@blueprint.post("/offers/<int:offer_id>/codes/clear")
@may_write
def clear_codes(offer_id: int) -> str:
    """Take back the codes nobody has got."""
    try:
        with transaction(current().sessions) as session:
            offers.remove_free_codes(session, g.viewer.portal_id, offer_id)
    except NoSuchOffer:
        flask.abort(404)
    return _codes(offer_id)


def _list(
    said: str = "", chosen: Picked | None = None, told: tuple[str, Outcome] | None = None
) -> str:
    portal_id, user_id = g.viewer.portal_id, g.viewer.user_id
    arguments = request.args if chosen is None else chosen.query
    with current().sessions() as session:
        own = kept.of(session, (portal_id, user_id, ListKey.OFFERS))
        asked = offer_list.LISTING.asked(arguments, own)
        rows, after = offer_list.page(session, portal_id, asked)
        stock = offers.stock(session, portal_id, [row.id for row in rows])
        number = offer_list.number(session, portal_id, asked)
        anything = bool(number) or offer_list.anything(session, portal_id)
    facts = {
        "rows": rows, "after": after, "asked": asked, "at": "/offers", "stock": stock,
        "read": {row.id: Offer.read(row.content) for row in rows},
        "left": {row.id: len(offers.missing(row)) for row in rows},
    }  # fmt: skip
    if asked.after:
        return _render("offer_rows", **facts)
    facts |= {"number": number, "anything": anything, "most": offer_list.AT_ONCE}
    return _render("offers", **facts, said=said, told=told)


def _page(offer_id: int, typed: Wish | None = None, wrong: Any = None, **more: Any) -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        row = _find(session, offer_id)
        stock = offers.stock(session, portal_id, [offer_id])[offer_id]
    kind = OfferKind(typed.kind if typed else row.kind)
    values = dict(typed.content if typed else row.content)
    return _render(
        "offer", row=row, kind=kind, values=values, stock=stock, needed=rules.needed(kind),
        name=typed.name if typed else row.name, wrong=offer_words.wrongs(wrong or {}), **more,
    )  # fmt: skip


def _codes(offer_id: int, added: Any = None) -> str:
    with current().sessions() as session:
        row = _find(session, offer_id)
        stock = offers.stock(session, g.viewer.portal_id, [offer_id])[offer_id]
    return _render("offer_codes", row=row, stock=stock, added=added)


def _render(template: str, **facts: Any) -> str:
    today = (utcnow() + timedelta(hours=3)).date()
    return render_template(
        f"mailings/{template}.html", words=offer_words, today=today, kinds=list(OfferKind), **facts
    )


def _kind() -> OfferKind:
    try:
        return OfferKind(request.form.get("kind", ""))
    except ValueError:
        flask.abort(400)


def _find(session: Any, offer_id: int) -> OfferRow:
    try:
        return offers.find(session, g.viewer.portal_id, offer_id)
    except NoSuchOffer:
        flask.abort(404)
