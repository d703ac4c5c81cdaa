"""What a sale rule refers to on the portal, and what of it the portal no longer has.

A pipeline that is gone counts nothing; a date field that is gone, or no single date any more, gives way
to the close date; a field with the margin or cost, to the percents. The rule itself stays as it was
saved, for the thing may come back.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration import keeping
from integration.mirror import CustomField, Pipeline
from segments.models import DateSource
from segments.worth.choices import Values

DATE_TYPES = ("date", "datetime")
NUMBER_TYPES = ("money", "double", "integer")


@dataclass(frozen=True, slots=True)
class Missing:
    """What the portal lacks of a rule."""

    pipelines: tuple[int, ...] = ()
    date_field: str | None = None
    margin_field: str | None = None

    def __bool__(self) -> bool:
        return bool(self.pipelines or self.date_field or self.margin_field)


def missing(session: Session, portal_id: int, values: Values) -> Missing:
    """What of these choices the portal's dictionaries don't have; nothing before they were read."""
    known = pipeline_ids(session, portal_id) if values.pipelines is not None else frozenset()
    gone = tuple(sorted(set(values.pipelines or ()) - known)) if known else ()
    day, amount = values.date_field, values.margin.field
    undated = values.date_source is DateSource.CUSTOM and not is_date_field(session, portal_id, day)
    unpriced = amount is not None and not is_number_field(session, portal_id, amount)
    return Missing(gone, (day or "") if undated else None, amount if unpriced else None)


def pipeline_ids(session: Session, portal_id: int) -> frozenset[int]:
    """The pipelines the portal has."""
    query = sa.select(Pipeline.bitrix_id).where(Pipeline.portal_id == portal_id)
    return frozenset(session.scalars(query))


def is_date_field(session: Session, portal_id: int, code: str | None) -> bool:
    """Whether the code is a single date field of deals."""
    return code in {field.code for field in fields(session, portal_id, DATE_TYPES)}


def is_number_field(session: Session, portal_id: int, code: str | None) -> bool:
    """Whether the code is a single field of deals that holds money or a number."""
    return code in {field.code for field in fields(session, portal_id, NUMBER_TYPES)}


def fields(session: Session, portal_id: int, types: tuple[str, ...]) -> list[CustomField]:
    """Custom fields of deals that are read and hold a single value of these types, by label."""
    left_out = keeping.rule_of(session, portal_id).left_out.get("deal", frozenset())
    query = sa.select(CustomField).where(
        CustomField.portal_id == portal_id,
        CustomField.entity == "deal",
        CustomField.type_id.in_(types),
        ~CustomField.multiple,
        CustomField.code.not_in(left_out),
    )
    return list(session.scalars(query.order_by(CustomField.label)))


def names(session: Session, portal_id: int) -> dict[str, str]:
    """Names of pipelines by id and of the fields of deals that a rule may name by code."""
    pipelines = sa.select(Pipeline.bitrix_id, Pipeline.name).where(Pipeline.portal_id == portal_id)
    labels = sa.select(CustomField.code, CustomField.label).where(
        CustomField.portal_id == portal_id,
        CustomField.entity == "deal",
        CustomField.type_id.in_(DATE_TYPES + NUMBER_TYPES),
    )
    return {str(key): name for query in (pipelines, labels) for key, name in session.execute(query)}
