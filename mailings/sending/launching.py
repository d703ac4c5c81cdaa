"""What of the mail server stands in the way of a mailing's start; asked by `planning.readiness`."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from mailings.models import Mailing
from mailings.planning import audiences
from mailings.planning.audiences import NoAudience
from mailings.planning.readiness import Problem
from mailings.rules.states import ChannelKey
from mailings.sending import dns, servers
from segments.conditions.definitions import InvalidCondition
from segments.members.saving import NoSuchSegment
from segments.ready.presets import Unready


def problems(session: Session, mailing: Mailing) -> Iterator[Problem]:
    """No server, or a domain whose many letters nobody would believe."""
    if mailing.channel != ChannelKey.EMAIL:
        return
    listed = servers.of(session, mailing.portal_id)
    server = servers.chosen(listed, mailing.server_id)
    if server is None:
        yield Problem("server_gone" if listed else "no_server")
    elif _large(session, mailing):
        if server.checked_at is None:
            yield Problem("not_checked", {"server": server.id}, blocks=False)
        for finding in dns.blocking(server, dns.BULK):
            add = f"{finding['name']} TXT {finding['record']}".strip()
            facts = {"server": server.id, "record": finding["about"], "add": add}
            yield Problem("bad_domain", facts)


def _large(session: Session, mailing: Mailing) -> bool:
    """Whether the audience has so many clients that mail services ask who is writing."""
    try:
        cards = audiences.cards(session, mailing)
    except (NoAudience, NoSuchSegment, Unready, InvalidCondition):
        return False
    some = cards.order_by(None).limit(dns.BULK).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) == dns.BULK
