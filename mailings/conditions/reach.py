"""Conditions on whether a card can be written to now, by each channel and about each topic.

It is the judgement every mailing is planned by (`mailings.planning.eligibility`), without what a single mailing adds:
frequency caps, a second card with the same address, its own last moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from core.web.words import N_
from mailings.conditions import lists
from mailings.consent import settings, topics
from mailings.planning import reaching
from mailings.planning.capping import Limits
from mailings.planning.eligibility import Terms, Who, skip_reason
from mailings.rules.consents import Basis
from mailings.rules.states import ChannelKey
from segments.conditions.card_fields import TABLES
from segments.conditions.catalog import Context, Field, Scope, named, rows_of
from segments.conditions.joining import Joined
from segments.conditions.operators import Expression, Type
from segments.conditions.phrases import RowWords
from segments.conditions.related_rows import Rows
from segments.conditions.relations import Relation
from segments.rules.tree import Kind

_KEY = "reach"


@dataclass(frozen=True, slots=True)
class Ground:
    """On what ground the portal writes to people, and about which topics."""

    basis: Basis = Basis.CONSENT
    topics: tuple[str, ...] = ("offers",)


def ground_of(session: Session, portal_id: int) -> Ground:
    """The portal's rules of now."""
    keys = tuple(sorted(topics.known(session, portal_id)))
    return Ground(settings.rules_of(session, portal_id).basis, keys)


def judged(ground: Ground, channel: str, topic: str, portal_id: int, cards: Any) -> Any:
    """Rows (kind, client_id, address, reason) of these cards; no reason means that nothing speaks against it."""
    terms = Terms(portal_id, 0, channel, topic, ground.basis, Limits(portal_id))
    row = reaching.reached(terms, cards, newcomers=False).subquery().c
    who = Who(
        *(row.kind, row.client_id, row.erased, row.has_address, row.address, sa.false()),
        *(row.consented, row.withdrawn, row.suppressed, row.paused),
    )
    return sa.select(row.kind, row.client_id, row.address, skip_reason(terms, who).label("reason"))


def _reach_of(kind: Kind, scope: Scope) -> Rows:
    """A row for each channel and topic. Those a condition does not ask for cost nothing."""
    ground = scope.facts.get(_KEY, Ground())
    asked = [(channel.value, topic) for channel in ChannelKey for topic in ground.topics]
    found = sa.union_all(*(_by(kind, scope, ground, *each) for each in asked)).subquery("reach_of")
    return Rows(found, found.c, found.c.card_id, ())


def _by(kind: Kind, scope: Scope, ground: Ground, channel: str, topic: str) -> sa.Select[Any]:
    card = aliased(TABLES[kind])
    cards = sa.select(
        sa.literal(kind.value, sa.Text).label("kind"), card.bitrix_id.label("member_id")
    ).where(
        card.portal_id == scope.portal_id,
        card.deleted_at.is_(None),
        *scope.among(card.bitrix_id),
    )
    row = judged(ground, channel, topic, scope.portal_id, cards).subquery().c
    return sa.select(
        row.client_id.label("card_id"),
        row.client_id.label("bitrix_id"),
        sa.literal(channel, sa.Text).label("channel"),
        sa.literal(topic, sa.Text).label("topic"),
        row.reason,
        # Not asked for: it makes the select another one every day, as pauses end by themselves.
        sa.literal(scope.today, sa.Date).label("day"),
    )


def _reachable(row: Any, _scope: Scope) -> Expression:
    found: Expression = row.reason.is_(None)
    return found


_GROUP = N_("Can be written to")
_CONTEXT = Context(
    _KEY,
    N_("Can be written to"),
    rows_of(
        Field("reachable", N_("Can be written to now"), Type.FLAG, _reachable, _GROUP),
        Field("channel", N_("Channel"), Type.CHOICE, named("channel"), _GROUP, options=lists.CHANNELS),
        Field("topic", N_("Topic"), Type.CHOICE, named("topic"), _GROUP, options=lists.TOPICS),
        Field("reason", N_("Why not"), Type.CHOICE, named("reason"), _GROUP, options=lists.REACH_REASONS),
    ),
)  # fmt: skip

REACH = Joined(
    Relation(_KEY, N_("Can be written to"), _CONTEXT, _reach_of),
    RowWords(
        N_("there is a way to write"), N_("there is a way to write for which"),
        N_("there are no ways to write"), "", "",
        N_("number of ways to write"), N_("over ways to write"),
    ),
    fact=ground_of,
)  # fmt: skip
