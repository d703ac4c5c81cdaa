"""Server time of every page an administrator can look at, and a program can read, on a portal of a million clients that is in use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from benchmarks import mirror, people, world
from benchmarks.report import Figure, Options, percentile, timed
from core.clock import utcnow
from core.database import transaction
from core.runtime import Runtime
from core.web import session as sessions
from core.web.guard import Rule, access_of
from core.web.problems import PREFIX
from core.web.session import LIFETIME, Viewer
from integration import api_tokens
from mailings.content import offers
from mailings.content.offers import Wish
from mailings.rules.offers import OfferKind
from segments import first_run
from segments.api import reading
from segments.conditions.catalog import scope_of
from segments.facts import keeping
from segments.members import membership, saving
from segments.saved import Segment
from segments.scoring import scores
from segments.worth import metrics

TITLE = "Every page on a large base"
SIZES, QUICK_SIZES = (1_000_000, 5_000_000), (5_000, 25_000)
_GOAL = 0.3
_NAMED = "Everybody"
_NOT_PAGES = re.compile(r"live$|/(file|export|found|count)$|/trial/")
"""Streams and files, which go on for as long as they last, and what asks the portal."""

_FILL = (
    """INSERT INTO mail_servers (portal_id, name, host, port, security, from_email)
       VALUES (:portal_id, 'Mail', 'mail.example.com', 25, 'none', 'sales@example.com')""",
    """INSERT INTO mailings (portal_id, name, channel, segment_id, server_id, content, state, size, compiled,
                             started_at, finished_at, planned_at)
       SELECT :portal_id, :name, 'email', :segment_id, max(id), '{"subject": "News", "how": "text", "source": "Hello"}',
              'finished', :size, '{"subject": "News", "preheader": "", "html": "<p>Hello</p>", "text": "Hello", "links": []}',
              now() - interval '9 days', now() - interval '8 days', now() - interval '9 days'
       FROM mail_servers WHERE portal_id = :portal_id""",
    """INSERT INTO deliveries (portal_id, mailing_id, channel, kind, client_id, address, group_key, state, reason, sent_at,
                               opened_at, human_opened_at, clicked_at, human_clicked_at, unsubscribed_at)
       SELECT :portal_id, (SELECT max(id) FROM mailings WHERE portal_id = :portal_id), 'email', 'contact', n,
              'client' || n || '@example.org', 'example.org',
              CASE WHEN n % 30 = 0 THEN 'failed' WHEN n % 7 = 0 THEN 'skipped' ELSE 'sent' END,
              CASE WHEN n % 30 = 0 THEN 'refused' WHEN n % 7 = 0 THEN 'no_consent' END, at,
              CASE WHEN n % 5 = 0 THEN at END, CASE WHEN n % 8 = 0 THEN at END,
              CASE WHEN n % 50 = 0 THEN at END, CASE WHEN n % 80 = 0 THEN at END, CASE WHEN n % 250 = 0 THEN at END
       FROM generate_series(1, :size) n, LATERAL (SELECT now() - interval '8 days' + n * interval '0.2 seconds' AS at) moments""",
    """INSERT INTO suppressions (portal_id, channel, address_hash, address, reason)
       SELECT :portal_id, 'email', sha256(convert_to('client' || n, 'UTF8')), 'client' || n || '@example.org', 'bounced'
       FROM generate_series(1, :size) n""",
    """INSERT INTO quarantined_rows (portal_id, entity, bitrix_id, reason)
       SELECT :portal_id, 'contact', n, 'the row has another shape' FROM generate_series(1, :size / 100) n""",
)  # fmt: skip


def measure(options: Options) -> list[Figure]:
    """Each address as often as `options.runs` says, after once to warm up."""
    contacts, deals = QUICK_SIZES if options.quick else SIZES
    with world.servers(options.data) as settings:
        made = world.runtime(settings)
        portal_id = mirror.provide(made, contacts, deals)
        people.provide(made, portal_id, contacts)
        _put_to_use(made, portal_id, contacts)
        from app import create_app  # noqa: PLC0415 - it installs the process's runtime

        web = create_app(settings)
        with made.sessions() as session:
            addresses = sorted(_addresses(web, _values(session, portal_id)))
        viewer = Viewer(portal_id, 1, True, "ru", "DEFAULT", None, utcnow() + LIFETIME)
        token = sessions.issue(settings.secret_key, viewer)
        with _program(made, portal_id) as programs:
            pages = [
                _opened(web, programs if each.startswith(PREFIX) else token, each, options.runs)
                for each in addresses
            ]
        made.engine.dispose()
    return list(_figures([page for page in pages if page.status == 200]))


@dataclass(frozen=True)
class Page:
    """An address, what it answers, and the seconds it takes each time."""

    address: str
    status: int
    seconds: list[float]

    @property
    def slow(self) -> float:
        """The 95th percentile."""
        return percentile(self.seconds, 0.95)


def _figures(pages: list[Page]) -> Iterator[Figure]:
    every = [seconds for page in pages for seconds in page.seconds]
    slow = percentile(every, 0.95)
    yield Figure(
        f"{len(pages)} pages, 95th percentile", f"{1000 * slow:.0f} ms", f"{slow / _GOAL:.2f} of the goal",
        f"< {1000 * _GOAL:.0f} ms", slow < _GOAL,
    )  # fmt: skip
    slowest = sorted(pages, key=lambda page: -page.slow)
    for page in itertools.takewhile(lambda each: each.slow >= _GOAL, slowest):
        yield Figure(page.address, f"{1000 * page.slow:.0f} ms", "", f"< {1000 * _GOAL:.0f} ms", met=False)  # fmt: skip
    yield Figure(f"the slowest: {slowest[0].address}", f"{1000 * slowest[0].slow:.0f} ms")


@contextmanager
def _program(made: Runtime, portal_id: int) -> Iterator[str]:
    """A token of a program, for as long as it is needed."""
    with transaction(made.sessions) as session:
        token = api_tokens.make(session, portal_id, "Benchmark", 1, may_write=False)
        found = api_tokens.listed(session, portal_id)[0][0].token.id
    try:
        yield token
    finally:
        with transaction(made.sessions) as session:
            api_tokens.revoke(session, portal_id, found, 1)


def _put_to_use(made: Runtime, portal_id: int, size: int) -> None:
    """A segment of everybody, a mailing to them, as many suppressed addresses, an offer; scores and facts."""
    with transaction(made.sessions) as session:
        first_run.close(session, portal_id, user_id=1)
        if metrics.is_stale(session, portal_id):
            metrics.compute_all(session, portal_id)
    with transaction(made.sessions) as session:
        if scores.due(session, portal_id):
            scores.compute_all(session, portal_id)
        if keeping.due(session, portal_id):
            keeping.find_all(session, portal_id)
    with made.sessions() as session:
        named = (Segment.portal_id == portal_id, Segment.name == _NAMED)
        if session.scalar(sa.select(Segment.id).where(*named)) is not None:
            return
    with transaction(made.sessions) as session:
        raw = {"version": 1, "clients": {"where": {"all": []}}}
        segment = saving.create(session, portal_id, _NAMED, raw)
        membership.refresh(session, scope_of(session, portal_id), segment)
        wish = Wish(OfferKind.NEW, "Offer", {"what": "Coffee"})
        offers.create(session, portal_id, wish)
        given = {"portal_id": portal_id, "segment_id": segment.id, "size": size, "name": _NAMED}
        for statement in _FILL:
            session.execute(sa.text(statement), given)
    with made.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
        plain.execute(sa.text("VACUUM ANALYZE"))


def _values(session: Session, portal_id: int) -> dict[str, str]:
    """What stands in angle brackets."""
    tables = {
        "segment_id": "segments", "mailing_id": "mailings", "delivery_id": "deliveries",
        "offer_id": "offers", "server_id": "mail_servers",
    }  # fmt: skip
    found = {
        name: sa.text(f"SELECT max(id) FROM {table} WHERE portal_id = :portal_id")  # noqa: S608
        for name, table in tables.items()
    }
    return {
        name: str(session.scalar(query, {"portal_id": portal_id})) for name, query in found.items()
    }


def _addresses(web: Flask, values: dict[str, str]) -> Iterator[str]:
    for rule in web.url_map.iter_rules():
        access = access_of(web.view_functions[rule.endpoint]).rule
        if "GET" not in (rule.methods or ()) or access in {Rule.PUBLIC, Rule.FRAME_ENTRY}:
            continue
        names = re.findall(r"<(?:\w+:)?(\w+)>", rule.rule)
        if not _NOT_PAGES.search(rule.rule) and set(names) <= values.keys():
            address = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], rule.rule)
            yield address
            if address.startswith(PREFIX) and address.endswith("/members"):
                yield f"{address}?limit={reading.MOST}"


def _opened(web: Flask, token: str, address: str, times: int) -> Page:
    client: Any = web.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.get(address, headers=headers)
    seconds = [timed(lambda: client.get(address, headers=headers)) for _ in range(times)]
    return Page(address, answer.status_code, seconds)
