"""What a sale rule refers to on the portal, and what of it the portal no longer has.

A pipeline that is gone counts nothing; a date field that is gone, or no single date any more, gives way
to the close date. The rule itself stays as it was saved, for the thing may come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import CustomField, Pipeline
from segments.models import DateSource

DATE_TYPES = ("date", "datetime")


@dataclass(frozen=True, slots=True)
class Missing:
    """What the portal lacks of a rule."""

    pipelines: tuple[int, ...] = ()
    date_field: str | None = None

    def __bool__(self) -> bool:
        return bool(self.pipelines or self.date_field)


def missing(
    session: Session,
    portal_id: int,
    pipelines: Iterable[int] | None,
    date_source: str,
    date_field: str | None,
) -> Missing:
    """What of these choices the portal's dictionaries don't have; nothing before they were read."""
    known = pipeline_ids(session, portal_id) if pipelines is not None else frozenset()
    gone = tuple(sorted(set(pipelines or ()) - known)) if known else ()
    lost = date_source == DateSource.CUSTOM and not is_date_field(session, portal_id, date_field)
    return Missing(gone, (date_field or "") if lost else None)


def pipeline_ids(session: Session, portal_id: int) -> frozenset[int]:
    """The pipelines the portal has."""
    query = sa.select(Pipeline.bitrix_id).where(Pipeline.portal_id == portal_id)
    return frozenset(session.scalars(query))


def is_date_field(session: Session, portal_id: int, code: str | None) -> bool:
    """Whether the code is a single date field of deals."""
    query = sa.select(CustomField.code).where(
        CustomField.portal_id == portal_id,
        CustomField.entity == "deal",
        CustomField.code == code,
        CustomField.type_id.in_(DATE_TYPES),
        ~CustomField.multiple,
    )
    return code is not None and session.scalar(query) is not None


def names(session: Session, portal_id: int) -> dict[str, str]:
    """Names of pipelines by id and of the date fields of deals by code."""
    pipelines = sa.select(Pipeline.bitrix_id, Pipeline.name).where(Pipeline.portal_id == portal_id)
    fields = sa.select(CustomField.code, CustomField.label).where(
        CustomField.portal_id == portal_id,
        CustomField.entity == "deal",
        CustomField.type_id.in_(DATE_TYPES),
    )
    return {str(key): name for query in (pipelines, fields) for key, name in session.execute(query)}
