"""Every version of the sale rule: what it held, who saved it, and what changed from one to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import PortalUser
from integration.models import Portal
from segments.models import SaleRule, SaleRuleVersion
from segments.worth import references
from segments.worth.choices import Values
from segments.worth.references import Missing

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Version:
    """A saved version beside the one before it; `before` None: the first on record."""

    number: int
    values: Values
    missing: Missing
    before: Values | None
    missed_before: Missing
    changed_by: int | None
    by: str | None
    changed_at: datetime
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Versions, newest first, and the names of what they refer to."""

    versions: list[Version]
    names: Mapping[str, str]


def keep(session: Session, rule: SaleRule, missing: Missing) -> None:
    """Keep the rule as it is now as its version."""
    known, values = names(session, rule.portal_id), Values.of(rule)
    meant = {*map(str, rule.pipelines or ()), *rule.margin_by_pipeline}
    meant |= {code for code in (rule.date_field, rule.margin_field) if code}
    session.add(
        SaleRuleVersion(
            portal_id=rule.portal_id,
            version=rule.version,
            **values.columns(),
            missing_pipelines=list(missing.pipelines),
            date_field_missing=missing.date_field is not None,
            margin_field_missing=missing.margin_field is not None,
            names={key: name for key, name in known.items() if key in meant},
            changed_by=rule.changed_by,
            changed_at=rule.changed_at,
        )
    )
    session.flush()


def keep_first(session: Session, portal_id: int) -> None:
    """Keep the rule a portal starts with, so that one can return to it."""
    portal = session.get_one(Portal, portal_id)
    untouched = SaleRule(
        portal_id=portal_id,
        version=1,
        **Values().columns(),
        changed_at=portal.installed_at or portal.created_at,
    )
    keep(session, untouched, Missing())


def find(session: Session, portal_id: int, number: int) -> SaleRuleVersion | None:
    """One version on record."""
    return session.get(SaleRuleVersion, (portal_id, number))


def missed_in(row: SaleRuleVersion | None) -> Missing:
    """What the portal lacked when the version was kept."""
    if row is None:
        return Missing()
    date_field = (row.date_field or "") if row.date_field_missing else None
    margin_field = row.margin_field if row.margin_field_missing else None
    return Missing(tuple(row.missing_pipelines), date_field, margin_field)


def history(session: Session, portal_id: int, limit: int = SHOWN) -> History:
    """The newest versions with what changed in each and who did it."""
    query = (
        sa.select(SaleRuleVersion, PortalUser.name)
        .outerjoin(
            PortalUser,
            sa.and_(
                PortalUser.portal_id == portal_id,
                PortalUser.bitrix_id == SaleRuleVersion.changed_by,
            ),
        )
        .where(SaleRuleVersion.portal_id == portal_id)
        .order_by(SaleRuleVersion.version.desc())
        .limit(limit + 1)
    )
    rows = [(row, by) for row, by in session.execute(query)]
    beside = pairwise([*rows, (None, None)])
    versions = [_version(row, by, older) for (row, by), (older, _) in beside if row is not None]
    return History(versions[:limit], names(session, portal_id))


def listed(session: Session, portal_id: int) -> list[dict[str, Any]]:
    """The same for the command line."""
    return [
        {
            "version": version.number,
            "changed_at": version.changed_at,
            "changed_by": version.changed_by,
            "changed": ",".join(version.parts) or None,
            **version.values.listed(),
        }
        for version in history(session, portal_id).versions
    ]


def names(session: Session, portal_id: int) -> dict[str, str]:
    """Names of pipelines and fields: of those the portal has, and of those rules once meant."""
    kept = (
        sa.select(SaleRuleVersion.names)
        .where(SaleRuleVersion.portal_id == portal_id)
        .order_by(SaleRuleVersion.version)
    )
    found: dict[str, str] = {}
    for row in session.scalars(kept):
        found |= row
    return found | references.names(session, portal_id)


def _version(row: SaleRuleVersion, by: str | None, older: SaleRuleVersion | None) -> Version:
    values, before = Values.of(row), Values.of(older) if older else None
    return Version(
        number=row.version,
        values=values,
        missing=missed_in(row),
        before=before,
        missed_before=missed_in(older),
        changed_by=row.changed_by,
        by=by,
        changed_at=row.changed_at,
        parts=before.differing(values) if before else (),
    )
