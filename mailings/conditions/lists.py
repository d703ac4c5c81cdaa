"""Lists of values that conditions about mailings choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.web.words import N_
from core.web.words import gettext as _
from mailings.consent import topics
from mailings.models import Mailing, Offer
from mailings.rules.consents import Reason
from mailings.rules.states import ChannelKey, MailingState, SkipReason
from segments.conditions.options import Options, Reader

MAILINGS, OFFERS, CHANNELS, TOPICS = "mailings", "offers", "mail_channels", "mail_topics"
STOP_REASONS, REACH_REASONS = "stop_reasons", "reach_reasons"

_CHANNELS = {ChannelKey.EMAIL: N_("E-mail"), ChannelKey.CALL_LIST: N_("Call list")}
_STOPS = {
    Reason.UNSUBSCRIBED: N_("unsubscribed"),
    Reason.COMPLAINED: N_("complained of spam"),
    Reason.BOUNCED: N_("letters come back"),
    Reason.PAUSED: N_("asked for a rest"),
    Reason.MANUAL: N_("added by hand"),
    Reason.ERASED: N_("asked to be erased"),
}
_REACH = {
    SkipReason.NO_ADDRESS: N_("no address"),
    SkipReason.INVALID_ADDRESS: N_("the address can't be right"),
    SkipReason.NO_CONSENT: N_("did not agree"),
    SkipReason.WITHDRAWN: N_("took the consent back"),
    SkipReason.SUPPRESSED: N_("unsubscribed, complained, or the address is dead"),
    SkipReason.PAUSED: N_("asked for a rest"),
    SkipReason.GONE: N_("asked to be erased"),
}


def _mailings(session: Session, portal_id: int, _rest: str) -> Options:
    """Those that were started, the newest first."""
    query = (
        sa.select(Mailing.id, Mailing.name)
        .where(Mailing.portal_id == portal_id, Mailing.state != MailingState.DRAFT.value)
        .order_by(Mailing.id.desc())
    )
    return [(str(number), name) for number, name in session.execute(query)]


def _offers(session: Session, portal_id: int, _rest: str) -> Options:
    query = sa.select(Offer.id, Offer.name).where(Offer.portal_id == portal_id)
    return [
        (str(number), name) for number, name in session.execute(query.order_by(Offer.id.desc()))
    ]


def _topics(session: Session, portal_id: int, _rest: str) -> Options:
    listed = topics.listed(session, portal_id)
    return [(topic.key, topic.name or _("Offers")) for topic in listed]


def _fixed(words: Mapping[Any, str]) -> Reader:
    return lambda _session, _portal_id, _rest: [(str(key), _(said)) for key, said in words.items()]


LISTS: dict[str, Reader] = {
    MAILINGS: _mailings,
    OFFERS: _offers,
    CHANNELS: _fixed(_CHANNELS),
    TOPICS: _topics,
    STOP_REASONS: _fixed(_STOPS),
    REACH_REASONS: _fixed(_REACH),
}
