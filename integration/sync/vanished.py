"""Rows a check did not find in the portal's list: collected, counted, looked at one by one."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from integration.bitrix.client import Client
from integration.bitrix.errors import AccessDenied, NotFound
from integration.models import Check, VanishedRow
from integration.sync.entities import EntitySpec


def note(session: Session, check: Check, ids: Sequence[int]) -> None:
    """Remember rows that the portal no longer lists."""
    if ids:
        rows = [{"portal_id": check.portal_id, "entity": check.entity, "bitrix_id": i} for i in ids]
        session.execute(insert(VanishedRow).on_conflict_do_nothing(), rows)


def count(session: Session, check: Check) -> int:
    """How many there are."""
    query = sa.select(sa.func.count()).select_from(VanishedRow).where(*_of(check))
    return session.scalar(query) or 0


def some(session: Session, check: Check, at_most: int) -> list[int]:
    """The first of them, by id."""
    query = sa.select(VanishedRow.bitrix_id).where(*_of(check))
    return list(session.scalars(query.order_by(VanishedRow.bitrix_id).limit(at_most)))


def forget(session: Session, check: Check, ids: Sequence[int] | None = None) -> None:
    """These have been looked at; all of an earlier check are found anew or are there again."""
    gone = sa.delete(VanishedRow).where(*_of(check))
    session.execute(gone if ids is None else gone.where(VanishedRow.bitrix_id.in_(ids)))


def not_found(client: Client, spec: EntitySpec, ids: Sequence[int]) -> list[int]:
    """Those the portal says do not exist; one we may not see may well exist."""
    method = "crm.item.get" if spec.item else f"crm.{spec.name}.get"
    answer = client.batch({f"g{i}": (method, {**dict(spec.extra), "id": i}) for i in ids})
    for error in answer.errors.values():
        if not isinstance(error, NotFound | AccessDenied):
            raise error
    return [i for i in ids if isinstance(answer.errors.get(f"g{i}"), NotFound)]


def _of(check: Check) -> tuple[sa.ColumnElement[bool], ...]:
    return VanishedRow.portal_id == check.portal_id, VanishedRow.entity == check.entity
