"""What people can agree to be told about: the portal's list, «offers» from the start."""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.permissions import Topic
from mailings.rules.consents import FIRST_TOPIC

NAME_LENGTH = 100
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MOST = 20


class BadTopic(ValueError):
    """A topic that can't be kept: `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def listed(session: Session, portal_id: int) -> list[Topic]:
    """The topics in use, in the portal's order; the first one with no name of its own has the empty one."""
    query = sa.select(Topic).where(Topic.portal_id == portal_id, Topic.archived_at.is_(None))
    found = list(session.scalars(query.order_by(Topic.sort, Topic.key)))
    if any(topic.key == FIRST_TOPIC for topic in found):
        return found
    return [Topic(portal_id=portal_id, key=FIRST_TOPIC, name="", sort=0), *found]


def known(session: Session, portal_id: int) -> frozenset[str]:
    """Keys of the topics in use."""
    return frozenset(topic.key for topic in listed(session, portal_id))


def save(session: Session, portal_id: int, key: str, name: str, sort: int = 0) -> None:
    """Add a topic, or call it otherwise; one that was put away is there again. Raises BadTopic."""
    cleaned = " ".join(name.replace("\0", "").split())[:NAME_LENGTH]
    if not _KEY.fullmatch(key):
        raise BadTopic("key")
    if not cleaned:
        raise BadTopic("name")
    there = known(session, portal_id)
    if key not in there and len(there) >= _MOST:
        raise BadTopic("too_many")
    put = insert(Topic).values(portal_id=portal_id, key=key, name=cleaned, sort=sort)
    changed = {"name": cleaned, "sort": sort, "archived_at": None}
    session.execute(
        put.on_conflict_do_update(
            index_elements=["portal_id", "key"], set_=changed
        ).execution_options(synchronize_session=False, populate_existing=True)
    )


def archive(session: Session, portal_id: int, key: str) -> None:
    """Put a topic away; what was said about it stays in the ledger. Raises BadTopic for the first one."""
    if key == FIRST_TOPIC:
        raise BadTopic("first")
    session.execute(
        sa.update(Topic)
        .where(Topic.portal_id == portal_id, Topic.key == key)
        .values(archived_at=utcnow())
        .execution_options(synchronize_session="fetch")
    )
