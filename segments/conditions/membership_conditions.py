"""Conditions that compare no value of the card: membership of other segments, and a constant share of all."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from core.database import called
from segments.conditions.card_fields import Card
from segments.conditions.operators import Expression, Operand, Type
from segments.rules.dates import Span
from segments.saved import SegmentStay


def sampled(card_id: Expression, value: tuple[Any, str]) -> Expression:
    """A share of all cards chosen by a hash of the id: the same ones at every look."""
    percent, salt = value
    seed = zlib.crc32(salt.encode())
    hashed = sa.func.hashint8extended(card_id, sa.cast(seed, sa.BigInteger))
    place = hashed.op("&")(sa.literal_column(str(2**63 - 1))) % sa.literal_column("1000000")
    return place < int(percent * 10_000)


def in_segment(card: Card, op: str, value: Any) -> Expression:
    """Membership as stored: of now, of a day's end, of a period, ever."""
    stay = called(SegmentStay, "stay").c
    segment = value if isinstance(value, int) else value[0]
    stays = sa.select(sa.literal(1)).where(
        stay.portal_id == card.scope.portal_id,
        stay.segment_id == segment,
        stay.kind == card.kind.value,
        stay.member_id == card.id,
    )
    entered = Operand(
        stay.entered_at, Type.MOMENT, card.scope.today, card.scope.rule.utc_offset_minutes
    )
    left = replace(entered, sql=stay.left_at)
    match op:
        case "in":
            return stays.where(stay.left_at.is_(None)).exists()
        case "not_in":
            return ~stays.where(stay.left_at.is_(None)).exists()
        case "was_in_on":
            day = value[1]
            stayed = sa.or_(stay.left_at.is_(None), sa.not_(left.within(Span(None, day))))
            return stays.where(entered.within(Span(None, day)), stayed).exists()
        case "entered_in":
            return stays.where(entered.within(Span(*value[1]))).exists()
        case _:
            return ~stays.exists()
