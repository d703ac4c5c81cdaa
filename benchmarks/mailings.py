"""Sending: letters a second with every one written down durably, the memory it takes, planning, the first letter.

The database is on a disk with fsync on. One sender process; the mail server is a lean one of our own in another
process on the same cores (`benchmarks/mail_sink.py`). The peer is Postfix (`benchmarks/postfix.py`).
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from benchmarks import postfix, world
from benchmarks.mail_sink import Sink, sink, source
from benchmarks.report import Figure, Options
from core.config import Settings
from core.database import transaction
from core.runtime import Runtime, install
from integration.mirror import Address, Contact
from integration.models import Portal, PortalState
from mailings.consent import settings as rules
from mailings.consent.settings import Rules
from mailings.models import Delivery, Mailing, MailServer
from mailings.planning import steering
from segments.saved import How, Segment, SegmentStay, Why

TITLE = "Mailings: 10 KB letters, durable"
ROUND_TRIP = 0.030
CONNECTIONS = 100
LETTER_BYTES = 10_240
_context = multiprocessing.get_context("forkserver")


def measure(options: Options) -> list[Figure]:
    """The rates first, then the sizes."""
    letters, many = (2_000, 5_000) if options.quick else (30_000, 1_000_000)
    with world.servers(options.data) as settings:
        made = world.runtime(settings)
        install(made)
        office = Office(made)
        figures = [*_far(office, letters, options.runs), *_near(office, letters, options.runs)]
        figures += _sizes(office, many, 500 if options.quick else 30_000)
        made.engine.dispose()
    return figures


class Office:
    """A portal whose letters are counted; mailings are planned rows."""

    def __init__(self, made: Runtime) -> None:
        self.made = made
        own = uuid4().hex
        with transaction(made.sessions) as session:
            portal = Portal(
                member_id=own, domain=f"{own}.example.com", client_id=f"local.{own}",
                state=PortalState.ACTIVE, client_secret_sealed="", base_currency="RUB",
            )  # fmt: skip
            session.add(portal)
            session.flush()
            self.id = portal.id
            known = rules.rules_of(session, self.id).as_json()
            everybody = Rules.read({**known, "basis": "existing_clients"})
            rules.change(session, self.id, everybody, 1, confirmation="I answer for it in full")

    def server(self, port: int, connections: int) -> int:
        """A mail server of the portal's own."""
        with transaction(self.made.sessions) as session:
            row = MailServer(
                portal_id=self.id, name="sink", host="127.0.0.1", port=port, security="none",
                from_email="sales@example.com", connections=connections,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def mailing(self, number: int, server_id: int) -> int:
        """So many rows to be sent, in a mailing that still waits."""
        with transaction(self.made.sessions) as session:
            mailing = Mailing(
                portal_id=self.id, name="Bench", channel="email", state="paused",
                server_id=server_id, compiled=letter(), planned_at=sa.func.now(),
            )  # fmt: skip
            session.add(mailing)
            session.flush()
            n = sa.func.generate_series(1, number).table_valued("n").render_derived().c.n
            address = sa.literal("client") + sa.cast(n, sa.Text) + "@example.org"
            row = [self.id, mailing.id, "email", "contact", n, address, "example.org", "pending"]
            rows = sa.select(*(sa.literal(v) if isinstance(v, int | str) else v for v in row), sa.func.now())  # fmt: skip
            names = (
                "portal_id mailing_id channel kind client_id address group_key state next_try_at"
            )
            session.execute(sa.insert(Delivery).from_select(names.split(), rows))
        with self.made.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
            plain.execute(sa.text("VACUUM ANALYZE deliveries"))
        return mailing.id

    def start(self, mailing_id: int) -> None:
        """Let it run."""
        self._set(mailing_id, "running")

    def stop(self, mailing_id: int) -> None:
        """Take what is left of it away."""
        self._set(mailing_id, "cancelled")
        with transaction(self.made.sessions) as session:
            session.execute(sa.delete(Delivery).where(Delivery.mailing_id == mailing_id))

    def _set(self, mailing_id: int, state: str) -> None:
        of_mailing = (Mailing.portal_id == self.id) & (Mailing.id == mailing_id)
        with transaction(self.made.sessions) as session:
            session.execute(sa.update(Mailing).where(of_mailing).values(state=state))


class Sender:
    """A sender process of our own."""

    def __init__(self, settings: Settings) -> None:
        self._process = _context.Process(target=_send, args=(settings,), daemon=True)
        self._process.start()

    @property
    def peak(self) -> float:
        """The most memory it has taken, in megabytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

    def stop(self) -> None:
        """SIGTERM."""
        self._process.terminate()
        self._process.join(60)


def _send(settings: Settings) -> None:
    from mailings.sending import process  # noqa: PLC0415 - in the process itself

    process.run(settings)


def letter() -> dict[str, Any]:
    """A letter of which each copy takes 10 KB on the wire."""
    words = "Осенняя распродажа мебели для кухни и гостиной: скидки до конца месяца. "
    text = words * 2
    html = f"<html><body><p>{words * (LETTER_BYTES // 4 * 3 // len(words.encode()) - 8)}</p></body></html>"
    return {"subject": "Новинка", "preheader": "", "html": html, "text": text, "links": []}


def _far(office: Office, letters: int, runs: int) -> list[Figure]:
    """A relay 30 ms away."""
    with sink(ROUND_TRIP) as server:
        rates = [_rate(office, server, letters, CONNECTIONS) for _ in range(runs)]
    median = statistics.median(rates)
    return [
        Figure(
            f"letters/s at {ROUND_TRIP * 1000:.0f} ms round trip, {CONNECTIONS} connections, one process",
            f"{median:,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}", ">= 1,000", median >= 1000,
        )
    ]  # fmt: skip


def _near(office: Office, letters: int, runs: int) -> list[Figure]:
    """On the same machine, against Postfix's own source of letters: one session, each command answered for itself.

    Where Postfix is not installed, a client of ours holds the same dialogue with our lean server.
    """
    ours, peer, plain = [], [], []
    raw = (b"Subject: x\r\n\r\n" + b"x" * 74 + b"\r\n") + (b"x" * 74 + b"\r\n") * (
        LETTER_BYTES // 76
    )
    with sink() as server:
        for _ in range(runs):
            peer.append(
                postfix.source(letters // 3, LETTER_BYTES)
                or source(server.port, letters // 3, raw, pipelined=False)
            )
            plain.append(source(server.port, letters // 3, raw))
            ours.append(_rate(office, server, letters, 10))
    ratio = statistics.median(ours) / statistics.median(peer)
    bare = statistics.median(ours) / statistics.median(plain)
    whose = "smtp-source and smtp-sink" if postfix.is_here() else "the dialogue of smtp-source"
    return [
        Figure(f"{whose}, one session", f"{statistics.median(peer):,.0f}/s"),
        Figure("a bare pipelined client and the lean server", f"{statistics.median(plain):,.0f}/s", f"{bare:.2f} x of it"),
        Figure(
            "letters/s without a round trip, ten connections", f"{statistics.median(ours):,.0f}",
            f"{ratio:.2f} x of one session", ">= 0.5 x", ratio >= 0.5,
        ),
    ]  # fmt: skip


def _rate(office: Office, server: Sink, letters: int, connections: int) -> float:
    """Letters a second between the first tenth and the last of a mailing."""
    mailing = office.mailing(letters, office.server(server.port, connections))
    sender, before = Sender(office.made.settings), server.count
    time.sleep(3)
    office.start(mailing)
    try:
        first = _when(server, before + letters // 10)
        last = _when(server, before + letters - letters // 20)
    finally:
        sender.stop()
        office.stop(mailing)
    return (letters - letters // 20 - letters // 10) / (last - first)


def _when(server: Sink, number: int) -> float:
    deadline = time.monotonic() + 600
    while server.count < number:
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {server.count} of {number} letters came")
        time.sleep(0.005)
    return time.perf_counter()


def _sizes(office: Office, many: int, audience: int) -> list[Figure]:
    """Planning a million, sending from it, and how soon the first of 30,000 leaves."""
    with sink() as server:
        server_id = office.server(server.port, 10)
        people = _people(office, many)
        mailing = _draft(office, people, server_id)
        seconds = _planned(office, mailing)
        sender, before = Sender(office.made.settings), server.count
        time.sleep(20 if many > 100_000 else 3)
        peak, sent = sender.peak, server.count - before
        sender.stop()
        office.stop(mailing)
        some = _people(office, audience)
        mailing = _draft(office, some, server_id)
        sender, before = Sender(office.made.settings), server.count
        time.sleep(3)
        clicked = time.perf_counter()
        _planned(office, mailing)
        first = _when(server, before + 1) - clicked
        sender.stop()
    return [
        Figure(f"planning {many:,} recipients", f"{seconds:.1f} s", "", "< 30 s", seconds < 30),
        Figure(f"the sender's peak memory while {many:,} rows wait ({sent:,} sent)", f"{peak:.0f} MB", "", "< 150 MB", peak < 150),
        Figure(f"from the click to the first letter, {audience:,} recipients", f"{first:.2f} s", "", "< 3 s", first < 3),
    ]  # fmt: skip


def _people(office: Office, number: int) -> int:
    """A list of so many contacts with an address each; its id."""
    with transaction(office.made.sessions) as session:
        first = 1 + (session.scalar(sa.select(sa.func.max(Contact.bitrix_id))) or 0)
        segment = Segment(portal_id=office.id, name=f"People {first}", how=How.STATIC)
        session.add(segment)
        session.flush()
        n = (
            sa.func.generate_series(first, first + number - 1)
            .table_valued("n")
            .render_derived()
            .c.n
        )
        email = sa.literal("person") + sa.cast(n, sa.Text) + "@example.org"
        ours, contact = sa.literal(office.id), sa.literal("contact")
        put = sa.insert(Contact).from_select(["portal_id", "bitrix_id"], sa.select(ours, n))
        session.execute(put)
        names = ["portal_id", "entity", "entity_id", "kind", "position", "value", "normalised"]
        rows = sa.select(ours, contact, n, sa.literal("email"), sa.literal(0), email, email)
        session.execute(sa.insert(Address).from_select(names, rows))
        names = ["portal_id", "segment_id", "kind", "member_id", "entered_at", "entered_by"]
        rows = sa.select(ours, sa.literal(segment.id), contact, n, sa.func.now(), sa.literal(Why.HAND.value))  # fmt: skip
        session.execute(sa.insert(SegmentStay).from_select(names, rows))
    with office.made.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
        plain.execute(sa.text("VACUUM ANALYZE"))
    return segment.id


def _draft(office: Office, segment_id: int, server_id: int) -> int:
    with transaction(office.made.sessions) as session:
        mailing = Mailing(
            portal_id=office.id, name="Bench", channel="email", segment_id=segment_id,
            server_id=server_id, content={"subject": "Новинка", "how": "text", "source": "Здравствуйте!"},
        )  # fmt: skip
        session.add(mailing)
        session.flush()
        return mailing.id


def _planned(office: Office, mailing_id: int) -> float:
    """Throw the switch and write the recipients down, as the job does; the seconds it takes."""
    started = time.perf_counter()
    of_mailing = (Mailing.portal_id == office.id) & (Mailing.id == mailing_id)
    with transaction(office.made.sessions) as session:
        session.execute(sa.update(Mailing).where(of_mailing).values(state="planning"))
    steering.plan_now(office.made.sessions, office.id, mailing_id)
    return time.perf_counter() - started
