"""Who may do the marketer's work without being the portal's administrator: chosen by name, kept as versions.

Whoever may start mailings may write them too. An administrator may do everything, and is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.web.guard import right_required
from integration import admin_rules
from integration.admin_rules import RuleName
from integration.mirror import PortalUser
from integration.models import AdminRule, Portal

FOUND = 20
MOST = 500
_NAMED = 3


class Right(StrEnum):
    """What an administrator can let somebody do; the later one includes the earlier."""

    WRITE = "write"  # build segments, write letters and offers, read results
    START = "start"  # throw the switch of a mailing, pause and cancel it


may_write = right_required(Right.WRITE)
may_start = right_required(Right.START)


class NoSuchEmployee(LookupError):
    """The portal has no such employee, or he was dismissed."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Employees by number with what they may do."""

    given: Mapping[int, Right] = field(default_factory=dict)

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> Rights:
        """From JSON."""
        found: dict[int, Right] = {}
        for right in Right:
            found |= dict.fromkeys((raw or {}).get(right, ()), right)
        return cls(found)

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return {
            right.value: sorted(user for user, given in self.given.items() if given is right)
            for right in Right
        }

    def of(self, user_id: int) -> tuple[str, ...]:
        """The rights of an employee, those that are included too."""
        given = self.given.get(user_id)
        every = [right.value for right in Right]
        return tuple(every[: every.index(given) + 1]) if given else ()


@dataclass(frozen=True, slots=True)
class Employee:
    """Somebody of the portal and what he may do; None: nothing of this."""

    id: int
    name: str
    right: Right | None = None


def rights_of(session: Session, portal_id: int) -> tuple[int, Rights]:
    """The version in force and what it says."""
    version, content = admin_rules.in_force(session, portal_id, RuleName.RIGHTS)
    return version, Rights.read(content)


def of(session: Session, portal_id: int, user_id: int) -> tuple[str, ...]:
    """What an employee may do who is no administrator."""
    return rights_of(session, portal_id)[1].of(user_id)


def give(
    session: Session, portal_id: int, user_id: int, right: Right | None, by: int, made_from: int
) -> bool:
    """Let an employee do this, or nothing any more; False when it is so already.

    Raises NoSuchEmployee, admin_rules.Overtaken.
    """
    version, rights = rights_of(session, portal_id)
    if version != made_from:
        raise admin_rules.Overtaken
    user = session.get(PortalUser, (portal_id, user_id))
    if right is not None and (user is None or not user.active):
        raise NoSuchEmployee(user_id)
    given = {number: each for number, each in rights.given.items() if number != user_id}
    if right is not None:
        given[user_id] = right
    if len(given) > MOST:
        raise NoSuchEmployee("too many")
    return admin_rules.save(
        *(session, portal_id, RuleName.RIGHTS, Rights(given).as_json()),
        start=Rights().as_json(),
        user_id=by,
        made_from=made_from,
    )


def chosen(session: Session, portal_id: int) -> list[Employee]:
    """Everybody who was given a right and still works there, by name."""
    rights = rights_of(session, portal_id)[1]
    rows = _named(session, portal_id, PortalUser.bitrix_id.in_(rights.given))
    return [Employee(row.id, row.name, rights.given[row.id]) for row in rows]


def found(session: Session, portal_id: int, typed: str) -> list[Employee]:
    """Some employees whose names hold what was typed."""
    rights = rights_of(session, portal_id)[1]
    fits = [PortalUser.name.icontains(word, autoescape=True) for word in typed.split()[:5]]
    rows = _named(session, portal_id, *fits, limit=FOUND)
    return [Employee(row.id, row.name, rights.given.get(row.id)) for row in rows]


def names_of(session: Session, portal_id: int) -> dict[int, str]:
    """Names of employees who have ever been given a right, for the history."""
    asked = {
        user
        for version in admin_rules.history(session, portal_id, RuleName.RIGHTS)
        for user in Rights.read(version.content).given
    }
    query = sa.select(PortalUser.bitrix_id, PortalUser.name).where(
        PortalUser.portal_id == portal_id, PortalUser.bitrix_id.in_(asked)
    )
    return {number: name or f"#{number}" for number, name in session.execute(query)}


def askable(session: Session, portal_id: int) -> list[str]:
    """Administrators who can give rights, by name: those who set the rules of late, and who installed us."""
    latest = (
        sa.select(AdminRule.changed_by, sa.func.max(AdminRule.changed_at).label("at"))
        .where(AdminRule.portal_id == portal_id, AdminRule.changed_by.is_not(None))
        .group_by(AdminRule.changed_by)
        .order_by(sa.desc("at"))
        .limit(_NAMED)
    )
    ids = list(session.scalars(latest))
    installer = session.scalar(sa.select(Portal.installer_id).where(Portal.id == portal_id))
    if installer is not None and installer not in ids:
        ids.append(installer)
    names = {row.id: row.name for row in _named(session, portal_id, PortalUser.bitrix_id.in_(ids))}
    return [names[number] for number in ids[:_NAMED] if number in names]


def _named(
    session: Session, portal_id: int, *fits: sa.ColumnElement[bool], limit: int | None = None
) -> list[Employee]:
    query = (
        sa.select(PortalUser.bitrix_id, PortalUser.name)
        .where(PortalUser.portal_id == portal_id, PortalUser.active, *fits)
        .order_by(PortalUser.name, PortalUser.bitrix_id)
        .limit(limit)
    )
    return [Employee(number, name or f"#{number}") for number, name in session.execute(query)]
