"""Changing what counts as a sale: checked against the portal's dictionaries, versioned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from integration.models import CustomField, Pipeline
from segments.models import ContactMode, DateSource, SaleRule
from segments.sales import rule_of


class WrongRule(ValueError):
    """The asked rule names something the portal doesn't have; the message says what."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A new rule as asked; None leaves a part as it is. `pipelines` () means all of them."""

    pipelines: tuple[int, ...] | None = None
    date_source: DateSource | None = None
    date_field: str | None = None
    contact_mode: ContactMode | None = None


def asked_in_text(texts: Mapping[str, str | None]) -> Asked:
    """A rule as typed: pipelines "0,1" or "all"."""
    typed = texts.get("pipelines")
    pipelines: tuple[int, ...] | None = None
    if typed:
        parts = [part.strip() for part in typed.split(",")]
        if typed.strip() == "all":
            pipelines = ()
        elif all(part.isdigit() for part in parts):
            pipelines = tuple(map(int, parts))
        else:
            raise WrongRule(f"pipelines must be numbers or 'all', not {typed!r}")
    source, mode = texts.get("date_source"), texts.get("contact_mode")
    return Asked(
        pipelines,
        DateSource(source) if source else None,
        texts.get("date_field") or None,
        ContactMode(mode) if mode else None,
    )


def change(session: Session, portal_id: int, asked: Asked, user_id: int | None = None) -> bool:
    """Store the new rule as the next version; False when it is the same. Raises WrongRule."""
    old = session.get(SaleRule, portal_id) or SaleRule(
        portal_id=portal_id,
        version=1,
        pipelines=None,
        date_source=DateSource.CLOSED,
        date_field=None,
        contact_mode=ContactMode.PRIMARY,
    )
    before = _facts(old)
    if asked.pipelines is not None:
        old.pipelines = list(_known_pipelines(session, portal_id, asked.pipelines)) or None
    if asked.date_source is not None:
        old.date_source = asked.date_source
        old.date_field = asked.date_field if asked.date_source is DateSource.CUSTOM else None
    if old.date_source == DateSource.CUSTOM:
        _check_date_field(session, portal_id, old.date_field)
    if asked.contact_mode is not None:
        old.contact_mode = asked.contact_mode
    if _facts(old) == before:
        return False
    old.version += 1
    old.changed_by, old.changed_at = user_id, utcnow()
    session.add(old)
    session.flush()
    return True


def shown(session: Session, portal_id: int) -> dict[str, Any]:
    """The rule in force, for the command line."""
    return asdict(rule_of(session, portal_id))


def _facts(rule: SaleRule) -> tuple[Any, ...]:
    return (rule.pipelines, rule.date_source, rule.date_field, rule.contact_mode)


def _known_pipelines(session: Session, portal_id: int, asked: tuple[int, ...]) -> tuple[int, ...]:
    known = set(
        session.scalars(sa.select(Pipeline.bitrix_id).where(Pipeline.portal_id == portal_id))
    )
    unknown = sorted(set(asked) - known)
    if unknown:
        raise WrongRule(f"the portal has no pipeline {unknown[0]}; it has {sorted(known)}")
    return tuple(sorted(set(asked)))


def _check_date_field(session: Session, portal_id: int, code: str | None) -> None:
    field = session.get(CustomField, (portal_id, "deal", code)) if code else None
    if field is None or field.type_id not in {"date", "datetime"} or field.multiple:
        raise WrongRule(f"{code or 'the field'} is not a single date field of deals")
