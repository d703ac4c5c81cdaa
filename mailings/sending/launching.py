"""What of the mail server stands in the way of a mailing's start; asked by `planning.readiness`."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.runtime import Runtime, current
from mailings.models import Mailing
from mailings.planning import audiences, drafts
from mailings.planning.audiences import NoAudience
from mailings.planning.readiness import Problem
from mailings.rules.states import ChannelKey
from mailings.sending import dns, servers
from segments.conditions.definitions import InvalidCondition
from segments.members.saving import NoSuchSegment
from segments.ready.presets import Unready

_NOT_KNOWN = ("not_checked", "not_answered")


def problems(session: Session, mailing: Mailing) -> Iterator[Problem]:
    """No server, or a domain whose many letters nobody would believe; or nobody knows, as it was never looked at.

    The operator's own relay on this machine may stay unchecked.
    """
    if mailing.channel != ChannelKey.EMAIL:
        return
    listed = servers.of(session, mailing.portal_id)
    server = servers.chosen(listed, mailing.server_id)
    if server is None:
        yield Problem("server_gone" if listed else "no_server")
    elif _large(session, mailing):
        blocks = not servers.beside_us(current().settings, server)
        if server.checked_at is None:
            yield Problem("not_checked", {"server": server.id}, blocks=blocks)
        elif dns.unanswered(server):
            yield Problem("not_answered", {"server": server.id}, blocks=blocks)
        for finding in dns.blocking(server, dns.BULK):
            add = f"{finding['name']} TXT {finding['record']}".strip()
            facts = {"server": server.id, "record": finding["about"], "add": add}
            yield Problem("bad_domain", facts)


def look_at_server(runtime: Runtime, portal_id: int, mailing_id: int) -> None:
    """Check the server of a mailing that goes to many, if nobody has: for whoever has no page with the button."""
    with runtime.sessions() as session:
        mailing = drafts.find(session, portal_id, mailing_id)
        unknown = [each for each in problems(session, mailing) if each.code in _NOT_KNOWN]
    for problem in unknown:
        if problem.blocks:
            servers.examine(runtime, portal_id, problem.facts["server"])


def _large(session: Session, mailing: Mailing) -> bool:
    """Whether the audience has so many clients that mail services ask who is writing."""
    try:
        cards = audiences.cards(session, mailing)
    except (NoAudience, NoSuchSegment, Unready, InvalidCondition):
        return False
    some = cards.order_by(None).limit(dns.BULK).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) == dns.BULK
