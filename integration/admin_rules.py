"""The administrator's rules in SQL: the newest version is in force, all are kept, one change at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.locks import one_at_a_time
from integration.mirror import PortalUser
from integration.models import AdminRule, Portal

SHOWN = 20
_LOCK = 0x4152

Content = Mapping[str, Any]


class RuleName(StrEnum):
    """Which rule."""

    WRITING = "writing"  # where each figure goes
    KEEPING = "keeping"  # which entities and custom fields are mirrored
    HOURS = "hours"  # when people work, and when everything is checked
    SCORES = "scores"  # how clients are scored and named, where the stages of their life begin
    RIGHTS = "rights"  # who may build segments and write letters, who may start mailings
    MAILING = "mailing"  # on what ground people are written to, how often, where consents come from


class Overtaken(Exception):
    """Somebody has saved another version since the one this change was made from."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version on record and the one before it; `by`: the name of who saved it."""

    number: int
    content: Content
    before: Content | None
    changed_by: int | None
    by: str | None
    changed_at: datetime


def in_force(session: Session, portal_id: int, rule: RuleName) -> tuple[int, Content | None]:
    """The newest version and its content; 0 and None before anyone chose."""
    row = session.scalars(_versions(portal_id, rule).limit(1)).first()
    return (row.version, row.content) if row else (0, None)


def content_of(rule: RuleName) -> sa.ScalarSelect[Any]:
    """The content in force of each row of `portals`, for a query over all of them."""
    query = sa.select(AdminRule.content).where(
        AdminRule.portal_id == Portal.id, AdminRule.rule == rule
    )
    return query.order_by(AdminRule.version.desc()).limit(1).correlate(Portal).scalar_subquery()


def save(
    session: Session,
    portal_id: int,
    rule: RuleName,
    content: Content,
    *,
    start: Content,
    user_id: int | None,
    made_from: int | None = None,
) -> bool:
    """Put a content into force as the next version; False when it is in force already.

    `start`: what was in force before anyone chose, kept so that one can return to it. `made_from`: the
    version the change was made from. Raises Overtaken.
    """
    one_at_a_time(session, _LOCK, portal_id)
    version, before = in_force(session, portal_id, rule)
    if content == (start if before is None else before):
        return False
    if made_from is not None and made_from != version:
        raise Overtaken
    if before is None:
        portal = session.get_one(Portal, portal_id)
        _add(session, portal_id, rule, 1, start, None, portal.installed_at or portal.created_at)
    _add(session, portal_id, rule, max(version, 1) + 1, content, user_id, utcnow())
    return True


def find(session: Session, portal_id: int, rule: RuleName, number: int) -> Content | None:
    """The content of one version on record."""
    row = session.get(AdminRule, (portal_id, rule, number))
    return row.content if row else None


def history(session: Session, portal_id: int, rule: RuleName) -> list[Version]:
    """The newest versions, each beside the one before it."""
    rows = session.scalars(_versions(portal_id, rule).limit(SHOWN + 1)).all()
    names: dict[int, str | None] = {
        row[0]: row[1]
        for row in session.execute(
            sa.select(PortalUser.bitrix_id, PortalUser.name).where(
                PortalUser.portal_id == portal_id,
                PortalUser.bitrix_id.in_({row.changed_by for row in rows if row.changed_by}),
            )
        )
    }
    older = [*(row.content for row in rows[1:]), None][: len(rows)]
    found = [
        Version(
            *(row.version, row.content, before, row.changed_by),
            *(names.get(row.changed_by or 0), row.changed_at),
        )
        for row, before in zip(rows, older, strict=True)
    ]
    return found[:SHOWN]


def _versions(portal_id: int, rule: RuleName) -> sa.Select[AdminRule]:
    query = sa.select(AdminRule).where(AdminRule.portal_id == portal_id, AdminRule.rule == rule)
    return query.order_by(AdminRule.version.desc())


def _add(
    session: Session,
    portal_id: int,
    rule: RuleName,
    version: int,
    content: Content,
    user_id: int | None,
    changed_at: datetime,
) -> None:
    session.add(
        AdminRule(
            portal_id=portal_id,
            rule=rule,
            version=version,
            content=dict(content),
            changed_by=user_id,
            changed_at=changed_at,
        )
    )
    session.flush()
