"""Mailings being prepared: made, changed, copied, thrown away. What was started is not changed any more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.consent import topics
from mailings.models import Mailing, MailServer, Offer
from mailings.rules import lifecycle
from mailings.rules.consents import FIRST_TOPIC
from mailings.rules.lifecycle import Action
from mailings.rules.plans import Plan
from mailings.rules.states import ChannelKey, MailingState, Mode
from segments.members import saving
from segments.members.saving import NoSuchSegment
from segments.ready import presets

NAME_LENGTH = 200
_COPIED = ("channel", "topic", "segment_id", "preset", "offer_id", "server_id", "content")
_MOMENTS = frozenset({"not_after", "until"})
_CHANGEABLE = frozenset({*_COPIED, "name", "plan", "mode", "start_at"})


class NoSuchMailing(LookupError):
    """This portal has no such mailing."""


class Overtaken(Exception):
    """Somebody has saved another version since the one this change was made from."""


class BadDraft(ValueError):
    """A part of a mailing that can't be so: `field` names it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


def create(
    session: Session,
    portal_id: int,
    *,
    name: str,
    channel: str = ChannelKey.EMAIL,
    author_id: int | None = None,
    key: str | None = None,
    parent_id: int | None = None,
    **values: Any,
) -> Mailing:
    """A new draft; the one there is when this `key` has made one already. Raises BadDraft, BadPlan, NoSuchSegment."""
    fields = _checked(session, portal_id, {"name": name, "channel": channel, **values})
    row = {
        **fields,
        "portal_id": portal_id,
        "author_id": author_id,
        "key": key,
        "parent_id": parent_id,
    }
    return _put(session, portal_id, row)


def change(
    session: Session,
    portal_id: int,
    mailing_id: int,
    *,
    made_from: int | None = None,
    **values: Any,
) -> bool:
    """Put other values into a draft; False when they are there. Raises as `create`, NoSuchMailing, Overtaken, IllegalTransition."""
    mailing = locked(session, portal_id, mailing_id)
    lifecycle.check(Action.EDIT, MailingState(mailing.state))
    fields = _checked(session, portal_id, values)
    if all(getattr(mailing, name) == value for name, value in fields.items()):
        return False
    if made_from is not None and made_from != mailing.version:
        raise Overtaken
    for name, value in fields.items():
        setattr(mailing, name, value)
    mailing.version += 1
    mailing.changed_at = utcnow()
    session.flush()
    return True


def delete(session: Session, portal_id: int, mailing_id: int) -> None:
    """Throw a draft away. Raises NoSuchMailing, IllegalTransition."""
    mailing = locked(session, portal_id, mailing_id)
    lifecycle.check(Action.DELETE, MailingState(mailing.state))
    session.delete(mailing)
    session.flush()


def copy(
    session: Session,
    portal_id: int,
    mailing_id: int,
    *,
    name: str | None = None,
    author_id: int | None = None,
    key: str | None = None,
) -> Mailing:
    """A new draft like this mailing, in whatever state that is; the one there is when this `key` has made one.

    Moments are left out: they were those of the other mailing. Raises NoSuchMailing.
    """
    like = find(session, portal_id, mailing_id)
    values = {field: getattr(like, field) for field in _COPIED}
    row = {
        **values,
        "portal_id": portal_id,
        "name": _named(name or like.name),
        "plan": {part: value for part, value in like.plan.items() if part not in _MOMENTS},
        "mode": like.mode,
        "author_id": author_id,
        "key": key,
    }
    return _put(session, portal_id, row)


def find(session: Session, portal_id: int, mailing_id: int) -> Mailing:
    """The mailing. Raises NoSuchMailing."""
    found = session.get(Mailing, (portal_id, mailing_id)) if _fits(mailing_id) else None
    if found is None:
        raise NoSuchMailing
    return found


def locked(session: Session, portal_id: int, mailing_id: int) -> Mailing:
    """The mailing as it is now, nobody else's until the end of the transaction. Raises NoSuchMailing."""
    found = None
    if _fits(mailing_id):
        found = session.get(
            Mailing, (portal_id, mailing_id), populate_existing=True, with_for_update=True
        )
    if found is None:
        raise NoSuchMailing
    return found


def listed(session: Session, portal_id: int, limit: int = 200) -> list[Mailing]:
    """The portal's mailings, the newest first."""
    query = sa.select(Mailing).where(Mailing.portal_id == portal_id)
    return list(session.scalars(query.order_by(Mailing.id.desc()).limit(limit)))


def _put(session: Session, portal_id: int, row: dict[str, Any]) -> Mailing:
    """The mailing of this row, or the one its key has made before."""
    put = insert(Mailing).values(row).on_conflict_do_nothing().returning(Mailing.id)
    made = session.execute(put).scalar()
    if made is None:
        query = sa.select(Mailing).where(Mailing.portal_id == portal_id, Mailing.key == row["key"])
        return session.scalars(query).one()
    return session.get_one(Mailing, (portal_id, made))


def _fits(mailing_id: int) -> bool:
    return 0 < mailing_id < 2**63


def _checked(session: Session, portal_id: int, values: dict[str, Any]) -> dict[str, Any]:
    unknown = set(values) - _CHANGEABLE
    if unknown:
        raise BadDraft(min(unknown), "there is no such part")
    found = dict(values)
    if "name" in found:
        found["name"] = _named(found["name"])
    if "channel" in found:
        found["channel"] = _of(ChannelKey, "channel", found["channel"])
    if "mode" in found:
        found["mode"] = _of(Mode, "mode", found["mode"])
    if "plan" in found:
        found["plan"] = Plan.read(found["plan"] or {}).as_json()
    _check_references(session, portal_id, found)
    start_at: datetime | None = found.get("start_at")
    if start_at is not None and start_at.tzinfo is None:
        raise BadDraft("start_at", "needs a time zone")
    return found


def _check_references(session: Session, portal_id: int, found: dict[str, Any]) -> None:
    """What a mailing names is the portal's own."""
    if found.get("segment_id") is not None:
        saving.find(session, portal_id, found["segment_id"])
    if found.get("preset") is not None and found["preset"] not in presets.PRESETS:
        raise NoSuchSegment
    if found.get("topic", FIRST_TOPIC) not in topics.known(session, portal_id):
        raise BadDraft("topic", "there is no such topic")
    for field, table in (("offer_id", Offer), ("server_id", MailServer)):
        number = found.get(field)
        if number is not None and session.get(table, (portal_id, number)) is None:
            raise BadDraft(field, "there is none of this number")


def _named(name: str) -> str:
    cleaned = " ".join(name.replace("\0", "").split())[:NAME_LENGTH]
    if not cleaned:
        raise BadDraft("name", "must not be empty")
    return cleaned


def _of(kind: Any, field: str, value: Any) -> str:
    if value not in set(kind):
        raise BadDraft(field, f"must be one of: {', '.join(kind)}")
    return str(kind(value).value)
