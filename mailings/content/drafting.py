"""The letter of a mailing that is still a draft: read and saved, by the version it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.clock import utcnow
from mailings.models import Mailing
from mailings.rules import lifecycle
from mailings.rules.letters import Content
from mailings.rules.lifecycle import Action
from mailings.rules.states import ChannelKey, MailingState


class NoSuchLetter(LookupError):
    """This portal has no such mailing, or it carries no letter."""


class Overtaken(Exception):
    """Somebody has changed the mailing since the version this letter was made from."""


def find(session: Session, portal_id: int, mailing_id: int) -> Mailing:
    """The mailing of a letter. Raises NoSuchLetter."""
    mailing = session.get(Mailing, (portal_id, mailing_id))
    if mailing is None or mailing.channel != ChannelKey.EMAIL:
        raise NoSuchLetter
    return mailing


def save(
    session: Session, portal_id: int, mailing_id: int, raw: Mapping[str, Any], *, made_from: int
) -> Mailing:
    """Keep the letter. Raises BadLetter, IllegalTransition, NoSuchLetter, Overtaken."""
    find(session, portal_id, mailing_id)
    mailing = session.get_one(
        Mailing, (portal_id, mailing_id), with_for_update=True, populate_existing=True
    )
    lifecycle.check(Action.EDIT, MailingState(mailing.state))
    content = Content.read(raw).as_json()
    if content == mailing.content:
        return mailing
    if made_from != mailing.version:
        raise Overtaken
    mailing.content = content
    mailing.version += 1
    mailing.changed_at = utcnow()
    session.flush()
    return mailing
