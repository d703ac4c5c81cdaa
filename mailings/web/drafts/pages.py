"""What the page of a draft shows: the audiences one can choose, the draft as a sentence and as a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.web import formats
from core.web.words import gettext as _
from integration.models import Portal
from mailings.consent import topics
from mailings.content import preview
from mailings.content.preview import Ticket
from mailings.models import Mailing, MailServer, Offer
from mailings.planning import drafts
from mailings.rules.plans import BadPlan, Plan
from mailings.rules.states import ChannelKey, Mode
from mailings.sending import servers
from mailings.web.drafts import forms as mailing_forms
from mailings.web.letters import pages as letter_pages
from mailings.web.words import mailing as mailing_words
from segments import audience
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.members import saving
from segments.ready import presets
from segments.ready.parameters import InvalidParameter
from segments.ready.presets import Unready
from segments.saved import Segment

MOST_FOUND = 40


@dataclass(frozen=True, slots=True)
class Choice:
    """A segment to choose: saved (`value` its id) or ready (`value` its key, `preset` too)."""

    value: str
    name: str
    about: str = ""
    counters: Any = None
    preset: str | None = None

    @property
    def href(self) -> str | None:
        """Where to look inside."""
        return None if self.preset else f"/segments/{self.value}"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the sentence: what is `said`, or the `gap` that is left."""

    said: str = ""
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """A draft as its page shows it."""

    audience: Choice | None
    plan: Plan
    mode: str
    caps: str
    sentence: list[Part]
    heads: letter_pages.Heads
    servers: list[tuple[Any, str]]
    topics: list[tuple[str, str]]
    offers: list[tuple[Any, str]]
    has_server: bool
    script: str


def portal_facts(session: Session, portal_id: int) -> dict[str, Any]:
    """What every page needs of the portal: its clock and its money."""
    portal = session.get_one(Portal, portal_id)
    return {"offset": portal.utc_offset_minutes, "currency": portal.base_currency or "RUB"}


def found(session: Session, portal_id: int, typed: str) -> dict[str, list[Choice]]:
    """Saved and ready segments whose names hold what was typed."""
    words = typed.casefold().split()

    def fits(name: str) -> bool:
        return all(word in name.casefold() for word in words)

    saved = [_saved(each) for each in saving.listed(session, portal_id) if fits(each.name)]
    ready = [
        Choice(key, _(preset.name), _(preset.about), preset=key)
        for key, preset in presets.PRESETS.items()
        if fits(_(preset.name))
    ]
    return {"saved": saved[:MOST_FOUND], "ready": ready}


def size_of_preset(session: Session, portal_id: int, key: str) -> int | None:
    """How many cards a ready segment selects now; None when the portal lacks what it needs, or it takes too long."""
    scope = scope_of(session, portal_id)
    try:
        built = presets.build(presets.facts_of(session, scope), key)
        return audience.size(session, scope, definitions.read(built, scope))
    except (Unready, InvalidParameter):
        return None
    except sa.exc.OperationalError:
        session.rollback()
        return None


def chosen(session: Session, mailing: Mailing) -> Choice | None:
    """The audience of a mailing."""
    if mailing.preset:
        preset = presets.PRESETS.get(mailing.preset)
        name = _(preset.name) if preset else mailing.preset
        return Choice(mailing.preset, name, _("Ready segment"), preset=mailing.preset)
    if mailing.segment_id is None:
        return None
    segment = session.get(Segment, (mailing.portal_id, mailing.segment_id))
    return _saved(segment) if segment else None


def desk(session: Session, mailing: Mailing, offset: int) -> Desk:
    """A draft as its page shows it."""
    plan, picked = plan_of(mailing), chosen(session, mailing)
    offers, mail = offers_of(session, mailing), servers.of(session, mailing.portal_id)
    heads = letter_pages.heads(session, mailing)
    return Desk(
        audience=picked,
        plan=plan,
        mode=mode_of(mailing),
        caps=caps_of(plan),
        sentence=_sentence(mailing, plan, picked, offers, heads.subject, offset),
        heads=heads,
        servers=[("", _first(mail)), *((each.id, each.name) for each in mail)],
        topics=topic_options(session, mailing.portal_id),
        offers=[("", _("without an offer")), *offers],
        has_server=bool(mail),
        script=mailing_forms.script_of(mailing.content),
    )


def _first(mail: Sequence[MailServer]) -> str:
    return _("the first one: %(name)s", name=mail[0].name) if mail else _("none yet")


def topic_options(session: Session, portal_id: int) -> list[tuple[str, str]]:
    """Topics for a list of choices; the first one may have no name of its own."""
    return [
        (each.key, each.name or _("Offers and promotions"))
        for each in topics.listed(session, portal_id)
    ]


def plan_of(mailing: Mailing) -> Plan:
    """The plan; one that can't be read is as if nothing was set."""
    try:
        return Plan.read(mailing.plan or {})
    except BadPlan:
        return Plan()


def mode_of(mailing: Mailing) -> str:
    """When it goes out, as the form has it."""
    if mailing.mode == Mode.ONCE:
        return "at" if mailing.start_at else "now"
    return mailing.mode


def caps_of(plan: Plan) -> str:
    """What becomes of those written to often enough, as the form has it."""
    return "exempt" if plan.exempt_from_caps else "queue" if plan.queue_when_capped else "skip"


def name_for(session: Session, portal_id: int, picked: Mapping[str, Any]) -> str:
    """What a new mailing is called: its audience and the day."""
    if picked.get("preset"):
        preset = presets.PRESETS[picked["preset"]]
        name = _(preset.name)
    else:
        name = saving.find(session, portal_id, picked["segment_id"]).name
    return f"{name}, {formats.day(utcnow())}"[: drafts.NAME_LENGTH]


def preview_ticket(session: Session, mailing: Mailing, key: str) -> str:
    """What the letter's preview is asked for by: as the first of its audience would get it."""
    person = letter_pages.first_person(session, mailing)
    ticket = Ticket(mailing.portal_id, mailing.id, mailing.version, person.kind, person.id)
    return preview.issue(key, ticket, utcnow())


def _saved(segment: Segment) -> Choice:
    return Choice(str(segment.id), segment.name, counters=segment.counters)


def offers_of(session: Session, mailing: Mailing) -> list[tuple[int, str]]:
    query = sa.select(Offer.id, Offer.name).where(
        Offer.portal_id == mailing.portal_id,
        sa.or_(Offer.archived_at.is_(None), Offer.id == mailing.offer_id),
    )
    rows = session.execute(query.order_by(Offer.changed_at.desc(), Offer.id.desc()))
    return [(row.id, row.name) for row in rows]


def _sentence(
    mailing: Mailing,
    plan: Plan,
    picked: Choice | None,
    offers: Sequence[tuple[int, str]],
    subject: str,
    offset: int,
) -> list[Part]:
    offer = dict(offers).get(mailing.offer_id or 0)
    if mailing.channel == ChannelKey.CALL_LIST:
        how = Part(_("by calls of the managers"))
    else:
        how = Part(_("by letter “%(subject)s”", subject=subject)) if subject else Part(gap=_("with a letter that is not written yet"))  # fmt: skip
    return [
        Part(picked.name) if picked else Part(gap=_("To nobody yet")),
        how,
        *([Part(_("offer “%(name)s”", name=offer))] if offer else []),
        Part(mailing_words.when(plan, mode_of(mailing), mailing.start_at, offset)),
    ]
