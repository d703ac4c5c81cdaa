"""Planning: the audience written down, one row per client, in one statement and one transaction.

All or nothing: killed in the middle, the mailing stands where it stood. A second planning of an evergreen mailing
adds those who have come since, and leaves everybody else alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.content import compiling
from mailings.models import Delivery, Mailing, MailingLink
from mailings.planning import audiences, codes, recipients
from mailings.planning.capping import before
from mailings.planning.eligibility import Terms, terms_of
from mailings.planning.recipients import Sharing
from mailings.rules.plans import Plan
from mailings.rules.states import ChannelKey, MailingState
from segments import audience

PATIENCE_MS = 110_000
_COLUMNS = ("kind", "client_id", "address", "group_key", "state", "reason", "next_try_at")


@dataclass(frozen=True, slots=True)
class Planned:
    """How many rows a planning wrote down."""

    rows: int


def plan(session: Session, mailing: Mailing) -> Planned:
    """Write the recipients down and set the mailing running. The caller holds its row.

    Raises NoAudience, NoSuchSegment, Unready, InvalidCondition, BadLetter.
    """
    again = mailing.planned_at is not None
    mailing.audience = audiences.frozen(session, mailing)
    if not again and mailing.channel == ChannelKey.EMAIL:
        _compile(session, mailing)
    session.flush()
    codes.hold(session, mailing)
    terms, cards, sharing = asked(session, mailing)
    with audience.patient(session, PATIENCE_MS):
        rows = recipients.planned(terms, cards, sharing)
        done = Planned(_write_down(session, terms, rows, again=again))
        if sharing.codes is not None:
            codes.give_out(session, mailing)
        if done.rows or not again:
            mailing.size, mailing.fingerprint = _summary(session, mailing)
    mailing.planned_at = utcnow()
    if not again:
        mailing.state, mailing.state_reason = MailingState.RUNNING.value, None
        mailing.state_at = mailing.started_at = mailing.planned_at
    session.flush()
    return done


def asked(session: Session, mailing: Mailing) -> tuple[Terms, sa.Select[Any], Sharing]:
    """What the recipients of a mailing are found by: its terms, its cards, what is shared out."""
    wishes = Plan.read(mailing.plan or {})
    terms = terms_of(session, mailing)
    sharing = Sharing(
        control_percent=wishes.control_percent,
        codes=codes.left(session, mailing),
        queue=wishes.queue_when_capped,
        again=mailing.planned_at is not None,
    )
    terms = replace(terms, limits=before(session, mailing, terms.limits))
    return terms, audiences.cards(session, mailing), sharing


def verified(session: Session, mailing: Mailing) -> bool:
    """Whether the recipients are those that were written down."""
    return (mailing.size, mailing.fingerprint) == _summary(session, mailing)


def _compile(session: Session, mailing: Mailing) -> None:
    compiled = compiling.compiled(session, mailing)
    mailing.compiled = compiled
    of_mailing = (
        MailingLink.portal_id == mailing.portal_id,
        MailingLink.mailing_id == mailing.id,
    )
    session.execute(sa.delete(MailingLink).where(*of_mailing))
    key = {"portal_id": mailing.portal_id, "mailing_id": mailing.id}
    if links := compiled["links"]:
        session.execute(sa.insert(MailingLink), [{**key, **link} for link in links])


def _write_down(session: Session, terms: Terms, rows: sa.Subquery, *, again: bool) -> int:
    values = sa.select(
        sa.literal(terms.portal_id),
        sa.literal(terms.mailing_id, sa.BigInteger),
        sa.literal(terms.channel, sa.Text),
        *(rows.c[name] for name in _COLUMNS),
    ).order_by(recipients.in_order(rows))
    columns = ["portal_id", "mailing_id", "channel", *_COLUMNS]
    table: Any = Delivery.__table__
    put = insert(table).from_select(columns, values)
    if again:  # nobody else writes rows of a mailing whose row is held
        put = put.on_conflict_do_nothing()
    done = session.execute(put.execution_options(preserve_rowcount=True))
    return int(getattr(done, "rowcount", 0))


def _summary(session: Session, mailing: Mailing) -> tuple[int, str]:
    """How many recipients there are, and what they and the conditions hash to."""
    line = sa.func.concat(Delivery.kind, ":", Delivery.client_id)
    order = aggregate_order_by(sa.literal("\n"), Delivery.kind, Delivery.client_id)
    joined = sa.func.coalesce(sa.func.string_agg(line, order), "")
    digest = sa.func.encode(sa.func.sha256(sa.func.convert_to(joined, "UTF8")), "hex")
    query = sa.select(sa.func.count(), digest).where(
        Delivery.portal_id == mailing.portal_id, Delivery.mailing_id == mailing.id
    )
    number, hashed = session.execute(query).one()
    conditions = orjson.dumps(mailing.audience, option=orjson.OPT_SORT_KEYS)
    return number, hashlib.sha256(conditions + b"\n" + hashed.encode()).hexdigest()
