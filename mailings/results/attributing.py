"""Leads, deals and sales credited to the messages they follow from: stored, and put right when anything changes.

A run looks at the cards that changed since the last one; at all of them when the sale rule or the window is another,
and once a day. Whatever it is asked, the result is the same as of all over again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.models import Portal, PortalState
from mailings.consent import settings
from mailings.models import Attribution, AttributionRun, DeliveryEvent
from mailings.results import crediting, marks
from mailings.rules.events import REACTIONS
from segments.worth import sales
from segments.worth.sales import Rule, rule_of

WHOLE_EVERY = timedelta(hours=24)
OVERLAP = timedelta(minutes=10)
"""Rows are stamped when their transaction begins, and seen when it ends."""

_STORED = (
    "mailing_id",
    "delivery_id",
    "touch",
    "touched_at",
    "happened_at",
    "sold_on",
    "amount",
    "margin",
)


def touched(session: Session) -> list[int]:
    """Portals where somebody ever reacted to a message."""
    event = DeliveryEvent
    reacted = sa.exists().where(
        event.portal_id == Portal.id,
        event.human,
        event.kind.in_([kind.value for kind in REACTIONS]),
    )
    query = sa.select(Portal.id).where(Portal.state != PortalState.UNINSTALLED.value, reacted)
    return list(session.scalars(query))


def attribute(session: Session, portal_id: int, *, whole: bool = False, key: str = "") -> int:
    """Bring the portal's attributions up to its leads and deals; how many changed. `key` has signed the marks."""
    session.execute(sa.select(sa.func.set_config("work_mem", "128MB", True)))
    window = timedelta(days=settings.rules_of(session, portal_id).attribution_days)
    rule = rule_of(session, portal_id)
    last = session.get(AttributionRun, portal_id, with_for_update=True)
    rules, now = _rules(rule, window), session.execute(sa.select(sa.func.now())).scalar_one()
    all_over = whole or last is None or last.rules != rules or now - last.whole_at >= WHOLE_EVERY
    since = None if all_over or last is None else last.read_to - OVERLAP
    changed = _store(session, portal_id, rule, window, since, key)
    if last is None:
        last = AttributionRun(portal_id=portal_id)
        session.add(last)
    last.read_to, last.rules = now, rules
    if all_over:
        last.whole_at = now
    session.flush()
    return changed


def _rules(rule: Rule, window: timedelta) -> str:
    """What the result depends on besides rows; another text means all over again."""
    return f"{rule.version} {window.days} {rule!r}"


def _store(
    session: Session,
    portal_id: int,
    rule: Rule,
    window: timedelta,
    since: datetime | None,
    key: str,
) -> int:
    """One statement: what follows is stored, what was looked at and follows from nothing goes."""
    first = crediting.first_touch(session, portal_id)
    cards = crediting.cards(portal_id, since, first)
    marked = marks.found(session, portal_id, key, since, first)
    oldest = session.scalar(sa.select(sa.func.min(cards.c.created_at)).where(cards.c.alive))
    touches = crediting.touches(portal_id, oldest - window if oldest else None)
    best = crediting.credited(portal_id, cards, touches, window, marked).cte("best")
    gone = _gone(portal_id, cards, best, since).cte("gone")
    put = _put(_rows(portal_id, best, rule)).cte("put")
    changed = sa.select(
        sa.select(sa.func.count()).select_from(gone).scalar_subquery()
        + sa.select(sa.func.count()).select_from(put).scalar_subquery()
    )
    session.flush()
    return session.scalar(changed) or 0


def _rows(portal_id: int, best: sa.CTE, rule: Rule) -> sa.Select[Any]:
    """What is to be stored: with the sale a deal has become."""
    sale = sales.each(rule).cte("sale")
    return sa.select(
        sa.literal(portal_id),
        best.c.entity,
        best.c.bitrix_id,
        best.c.mailing_id,
        best.c.delivery_id,
        best.c.touch,
        best.c.at.label("touched_at"),
        best.c.created_at.label("happened_at"),
        sale.c.sold_on,
        sa.func.round(sale.c.amount, 2),
        sa.func.round(sale.c.margin, 2),
    ).outerjoin(sale, (best.c.entity == crediting.DEAL) & (sale.c.deal_id == best.c.bitrix_id))


def _put(rows: sa.Select[Any]) -> Any:
    put = insert(Attribution).from_select(["portal_id", "entity", "bitrix_id", *_STORED], rows)
    new = put.excluded
    differs = sa.or_(*(getattr(Attribution, name).is_distinct_from(new[name]) for name in _STORED))
    return put.on_conflict_do_update(
        index_elements=["portal_id", "entity", "bitrix_id"],
        set_={**{name: new[name] for name in _STORED}, "attributed_at": sa.func.now()},
        where=differs,
    ).returning(sa.literal(1).label("one"))


def _gone(portal_id: int, cards: sa.CTE, best: sa.CTE, since: datetime | None) -> Any:
    kept = Attribution
    same = (best.c.entity == kept.entity) & (best.c.bitrix_id == kept.bitrix_id)
    query = sa.delete(kept).where(
        kept.portal_id == portal_id, ~sa.exists(sa.select(best.c.entity).where(same))
    )
    if since is not None:
        looked_at = (cards.c.entity == kept.entity) & (cards.c.bitrix_id == kept.bitrix_id)
        query = query.where(sa.exists(sa.select(cards.c.entity).where(looked_at)))
    return query.returning(sa.literal(1).label("one"))
