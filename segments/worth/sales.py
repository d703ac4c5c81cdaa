"""What counts as a sale on a portal: its rule compiled into one select, used by everyone who needs sales.

A sale is a won deal of the included pipelines that is not a recurring template. Its amount is
the deal's `base_amount`, rounded to two digits deal by deal, so that a client's LTV is exactly the
sum of the lines shown to explain it. Definitions: docs/metrics.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.database import Ids, any_of, called
from integration.mirror import WON, Company, Deal, DealContact, StageMove
from integration.models import Portal
from segments.models import (
    ClientKind,
    ClientMode,
    ContactMode,
    DateSource,
    MarginSource,
    SaleRule,
)
from segments.worth import margin, references
from segments.worth.choices import Margin, Values

TWO_DIGITS = 2
_DAY = r"^[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Values):
    """A portal's sale rule with the facts of the portal that the select needs."""

    portal_id: int
    base_currency: str
    utc_offset_minutes: int
    version: int = 1

    @property
    def counts_nothing(self) -> bool:
        """All pipelines it names are gone: no deal can be a sale."""
        return self.pipelines == ()


def rule_of(session: Session, portal_id: int) -> Rule:
    """The portal's rule in effect, or the default one when the admin never changed it."""
    portal = session.get_one(Portal, portal_id)
    stored = session.get(SaleRule, portal_id)
    saved = Rule(
        portal_id=portal_id,
        base_currency=portal.base_currency or "RUB",
        utc_offset_minutes=portal.utc_offset_minutes,
        version=stored.version if stored else 1,
        **Values.of(stored).chosen(),
    )
    return in_effect(session, saved) if stored else saved


def in_effect(session: Session, rule: Rule) -> Rule:
    """The rule without what the portal no longer has (`segments.worth.references`)."""
    gone = references.missing(session, rule.portal_id, rule)
    if gone.pipelines:
        rule = replace(
            rule, pipelines=tuple(i for i in rule.pipelines or () if i not in gone.pipelines)
        )
    if gone.date_field is not None:
        rule = replace(rule, date_source=DateSource.CLOSED, date_field=None)
    if gone.margin_field is not None:
        rule = replace(rule, margin=_by_percent(rule.margin))
    return rule


def _by_percent(lost: Margin) -> Margin:
    """The same margin without its field."""
    source = MarginSource.PERCENT if lost.has_percents else MarginSource.NONE
    return replace(lost, source=source, field=None)


def is_sale(rule: Rule, deal: Any = Deal) -> sa.ColumnElement[bool]:
    """Condition on `deals`, or an alias of it: the deal counts as a sale."""
    conditions = [
        deal.portal_id == rule.portal_id,
        deal.stage_semantic == sa.literal_column(f"'{WON}'"),
        ~deal.is_recurring,  # as the covering indexes say it: IS false would not match them
        deal.deleted_at.is_(None),
    ]
    if rule.pipelines is not None:
        conditions.append(deal.pipeline_id.in_(rule.pipelines))
    return sa.and_(*conditions)


def sold_on(rule: Rule, deal: Any = Deal) -> sa.SQLColumnExpression[Any]:
    """The day of the sale in the portal's time zone; of `deals`, or an alias of it."""
    moved_on = _local_day(deal.moved_at, rule)
    match rule.date_source:
        case DateSource.CLOSED:
            return sa.func.coalesce(deal.closed_on, moved_on)
        case DateSource.MOVED:
            return moved_on
        case DateSource.HISTORY:
            return sa.func.coalesce(_won_day(rule, deal), moved_on, deal.closed_on)
        case DateSource.CUSTOM:
            return sa.func.coalesce(_custom_day(rule, deal), deal.closed_on)


def credited(rule: Rule, kind: ClientKind, client_ids: Ids | None = None) -> sa.Select[Any]:
    """One row per sale and credited client: client_id, sold_on, amount, deal_id.

    `amount` is NULL when the deal's currency has no rate. With a rule that counts margins also `margin`
    and `costed`, whether it comes from a known cost. `client_ids` narrows it to these clients;
    everything else stays the same.
    """
    many = kind is ClientKind.CONTACT and rule.contact_mode is not ContactMode.PRIMARY
    client: sa.SQLColumnExpression[Any]
    if many:
        client = DealContact.contact_id
    else:
        client = Deal.contact_id if kind is ClientKind.CONTACT else Deal.company_id

    def part(whole: sa.SQLColumnExpression[Any]) -> sa.SQLColumnExpression[Any]:
        return _share(rule, whole) if many else whole

    columns: list[Any] = [
        client.label("client_id"),
        sold_on(rule).label("sold_on"),
        part(Deal.base_amount).label("amount"),
        Deal.bitrix_id.label("deal_id"),
    ]
    if rule.margin.counted:
        earned = margin.of_deal(rule.margin, rule.base_currency)
        known = margin.real(rule.margin, rule.base_currency).is_not(None)
        columns += [part(earned).label("margin"), known.label("costed")]
    query: sa.Select[Any] = sa.select(*columns).select_from(Deal)
    if many:
        query = query.join(
            DealContact,
            sa.and_(DealContact.portal_id == rule.portal_id, DealContact.deal_id == Deal.bitrix_id),
        )
    query = query.where(is_sale(rule), client.is_not(None), owns(rule, kind))
    if client_ids is not None:
        query = query.where(client == any_of(client_ids))
    return query


def each(rule: Rule) -> sa.Select[Any]:
    """One row per sale, whoever is credited with it: deal_id, sold_on, amount, margin (NULL where none is counted)."""
    earned: sa.SQLColumnExpression[Any] = sa.cast(sa.null(), sa.Numeric)
    if rule.margin.counted:
        earned = margin.of_deal(rule.margin, rule.base_currency)
    columns: list[Any] = [
        Deal.bitrix_id.label("deal_id"),
        sold_on(rule).label("sold_on"),
        Deal.base_amount.label("amount"),
        earned.label("margin"),
    ]
    return sa.select(*columns).where(is_sale(rule))


def owns(rule: Rule, kind: ClientKind, deal: Any = Deal) -> sa.ColumnElement[bool]:
    """Condition on `deals`, or an alias of it: a client of this kind may have the deal, whoever else is named in it."""
    own = _own_companies(rule)
    if kind is ClientKind.COMPANY:
        only = rule.client_mode is ClientMode.CONTACT
        return sa.and_(deal.company_id.not_in(own), *((deal.contact_id.is_(None),) if only else ()))
    if rule.client_mode is ClientMode.COMPANY:
        return sa.or_(deal.company_id.is_(None), deal.company_id.in_(own))
    return sa.true()


def _own_companies(rule: Rule) -> sa.Select[Any]:
    company = Company.__table__.c
    own: sa.Select[Any] = sa.select(company.bitrix_id)
    return own.where(company.portal_id == rule.portal_id, company.is_my_company)


def _share(rule: Rule, whole: sa.SQLColumnExpression[Any]) -> sa.SQLColumnExpression[Any]:
    """What one of a deal's contacts gets: all of it, or an equal part with the rest to the primary."""
    if rule.contact_mode is ContactMode.FULL:
        return whole
    others = called(DealContact, "others").c
    number = (
        sa.select(sa.func.count())
        .where(others.portal_id == rule.portal_id, others.deal_id == Deal.bitrix_id)
        .scalar_subquery()
    )
    part = sa.func.trunc(whole / number, TWO_DIGITS)
    return sa.case((DealContact.position == 0, whole - part * (number - 1)), else_=part)


def _local_day(moment: sa.SQLColumnExpression[Any], rule: Rule) -> sa.SQLColumnExpression[Any]:
    shift = sa.text(f"interval '{int(rule.utc_offset_minutes)} minutes'")
    return sa.cast(sa.func.timezone("UTC", moment) + shift, sa.Date)


def _won_day(rule: Rule, deal: Any) -> sa.SQLColumnExpression[Any]:
    """Day of the first entry into a won stage after which the deal never left won stages."""
    moves, others = called(StageMove, "won_move"), called(StageMove, "other_move")
    move, left = moves.c, others.c
    last_not_won = (
        sa.select(sa.func.max(left.bitrix_id))
        .where(
            left.portal_id == rule.portal_id,
            left.entity == "deal",
            left.owner_id == deal.bitrix_id,
            left.stage_semantic.is_distinct_from(WON),
        )
        .correlate_except(others)  # the deal may stand more than one select further out
        .scalar_subquery()
    )
    first_entry = (
        sa.select(sa.func.min(move.moved_at))
        .where(
            move.portal_id == rule.portal_id,
            move.entity == "deal",
            move.owner_id == deal.bitrix_id,
            move.stage_semantic == WON,
            move.bitrix_id > sa.func.coalesce(last_not_won, 0),
        )
        .correlate_except(moves)
        .scalar_subquery()
    )
    return _local_day(first_entry, rule)


def _custom_day(rule: Rule, deal: Any) -> sa.SQLColumnExpression[Any]:
    """The field's day; the mirror may still hold what it was before it became a date field."""
    written = deal.custom[
        sa.literal_column("'" + (rule.date_field or "").replace("'", "") + "'")
    ].astext
    # Counted from the first of the month, as a text like 2026-02-31 must not end the computation.
    month = sa.func.make_date(
        sa.cast(sa.func.substr(written, 1, 4), sa.Integer),
        sa.cast(sa.func.substr(written, 6, 2), sa.Integer),
        1,
    )
    day = month + sa.cast(sa.func.substr(written, 9, 2), sa.Integer) - 1
    return sa.case((written.op("~")(_DAY), day))
