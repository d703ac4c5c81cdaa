"""Hands out the work: which mailing goes next by which way, as much at a time as its crew can use."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.runtime import Runtime
from core.witness import Witness
from mailings.channels.base import Outcome, SteppedLink
from mailings.channels.registry import CHANNELS, Way
from mailings.models import Mailing, MailServer
from mailings.rules import hours
from mailings.rules.states import ChannelKey
from mailings.sending import aftermath, claiming, finishing, managers, pacing, running, servers
from mailings.sending.claiming import Claimed
from mailings.sending.composing import Composer, Composing
from mailings.sending.crew import Crew, Done, Task
from mailings.sending.holdings import Holdings
from mailings.sending.keeper import Keeper
from mailings.sending.lines import Lines
from mailings.sending.reasons import Pause
from mailings.sending.running import Running
from mailings.sending.seats import Seats, ServerKey, Want

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 200
_LOOK_SECONDS, _BUSY_LOOK_SECONDS = 0.4, 1.0
_LEFT_ALONE_SECONDS = 1.0  # until the next look sees that the server rests
_BROKEN_SECONDS = 30.0
_PLAIN_CREW = 2  # threads of a channel that has no server of its own

WayKey = tuple[int, str, int]  # portal, channel, server or 0: what one crew sends by
Waiting = tuple[Running, MailServer | None]


class Desk:
    """One per process. `serve` is called by its main thread, `_report` by the threads of the crews."""

    def __init__(self, runtime: Runtime, composing: Composing, witness: Witness) -> None:
        self.hungry = threading.Event()
        self.ended = threading.Event()
        self.holdings = Holdings()
        self._runtime, self._composing, self._witness = runtime, composing, witness
        self._keeper = Keeper(runtime.sessions, lambda ended: self.holdings.drop([ended.row]))
        self._aftermath = aftermath.Aftermath(runtime.sessions)
        self._clerk = ThreadPoolExecutor(1, "clerk")
        self._crews: dict[WayKey, Crew | Lines] = {}
        self._leaving: list[tuple[WayKey, Crew | Lines]] = []
        self._seats, self._granted = Seats(), dict[ServerKey, int]()
        self._composers: dict[tuple[object, ...], Composer] = {}
        self._waiting: dict[WayKey, list[Waiting]] = {}
        self._looked_at = 0.0
        self._left_alone: dict[tuple[int, int], float] = {}
        self._served: Counter[tuple[int, int]] = Counter()
        self._turn = 0

    def open(self) -> None:
        """Begin."""
        self._keeper.start()

    def serve(self) -> None:
        """Give every crew that wants it something to do."""
        every = _BUSY_LOOK_SECONDS if self._waiting else _LOOK_SECONDS
        if time.monotonic() >= self._looked_at + every:
            self._looked_at = time.monotonic()
            self._waiting = self._look()
            self._dismiss()
            self._share_seats()
        share = max(1, MOST_CONNECTIONS // max(1, len(self._waiting)))
        for key, waiting in self._waiting.items():
            if self._left_alone.get((key[0], key[2]), 0.0) > time.monotonic():
                continue
            try:
                self._serve_way(key, waiting, share)
            except sa.exc.OperationalError:
                raise
            except Exception:  # one portal's trouble is not the others'
                log.exception("way not served", extra={"portal": key[0], "server": key[2]})
                self._left_alone[key[0], key[2]] = time.monotonic() + _BROKEN_SECONDS

    def _serve_way(self, key: WayKey, waiting: list[Waiting], share: int) -> None:
        crew = self._crew(key, waiting[0][1], share)
        wanted = crew.wanted
        crew.add(())
        for mailing, server in sorted(waiting, key=self._turn_of):
            if wanted < 1:
                break
            tasks = self._fetch(mailing, server, wanted)
            crew.add(tasks)
            wanted -= len(tasks)

    def close(self) -> None:
        """Claim no more, let every message that is under way end, give the rest back."""
        crews = [*self._crews.values(), *(crew for _, crew in self._leaving)]
        left = [task for crew in crews for task in crew.leave()]
        left += [task for crew in crews for task in crew.join()]
        self._clerk.shutdown()
        self._keeper.close()
        try:
            self._hand_back(left)
            with transaction(self._runtime.sessions) as session:
                self._seats.leave(session)
        except sa.exc.SQLAlchemyError:
            log.exception("claims not given back: their leases will run out")
        self.ended.set()

    def _look(self) -> dict[WayKey, list[Waiting]]:
        """The mailings that have something to send, by the way they go."""
        found: dict[WayKey, list[Waiting]] = {}
        with transaction(self._runtime.sessions) as session:
            mailings = running.load(session, running.keys(session))
            listed = {
                portal_id: servers.of(session, portal_id, self._runtime.settings)
                for portal_id in {m.portal_id for m in mailings if m.channel == ChannelKey.EMAIL}
            }
            resting = set(session.scalars(sa.select(MailServer.id).where(pacing.rests())))
            for mailing in mailings:
                server = servers.chosen(listed.get(mailing.portal_id, []), mailing.server_id)
                if mailing.channel == ChannelKey.EMAIL and server is None:
                    finishing.pause_one(session, *mailing.key, Pause.NO_SERVER)
                    continue
                if server is not None and server.failures:
                    self._aftermath.known_failing((server.portal_id, server.id))
                if mailing.channel in CHANNELS and (server is None or server.id not in resting):
                    key = (mailing.portal_id, mailing.channel, server.id if server else 0)
                    found.setdefault(key, []).append((mailing, server))
        return found

    def _turn_of(self, waiting: Waiting) -> tuple[int, int]:
        """Higher priority first, among equals whoever has waited longest."""
        return -waiting[0].plan.priority, self._served[waiting[0].key]

    def _dismiss(self) -> None:
        """Forget crews without work; their threads have left."""
        for key in [k for k, crew in self._crews.items() if crew.idle and k not in self._waiting]:
            del self._crews[key]
        self._leaving = [(key, crew) for key, crew in self._leaving if not crew.idle]

    def _share_seats(self) -> None:
        """Agree with the other processes on who has how many connections to each server."""
        held: Counter[ServerKey] = Counter()
        for (portal_id, _, server_id), crew in [*self._crews.items(), *self._leaving]:
            if server_id:
                held[portal_id, server_id] += crew.hands
        wants = {key: Want(0, number, working=False) for key, number in held.items() if number}
        for (portal_id, _, server_id), waiting in self._waiting.items():
            if server := waiting[0][1]:
                key = (portal_id, server_id)
                wants[key] = Want(server.connections, held[key])
        if wants or self._granted:
            with transaction(self._runtime.sessions) as session:
                granted = self._seats.share_out(session, wants)
            self._granted = self._granted if granted is None else granted

    def _crew(self, key: WayKey, server: MailServer | None, share: int) -> Crew | Lines:
        """The crew of a way; all of them share the connections of the process."""
        portal_id, channel, _ = key
        crew = self._crews.get(key)
        if crew is None or crew.made_for != (server.changed_at if server else None):
            if crew is not None:  # the server was changed: the next messages go the new way
                self._hand_back(crew.leave())
                self._leaving.append((key, crew))
            crew = self._crews[key] = self._hired(portal_id, channel, server)
        granted = self._granted.get((portal_id, server.id), 0) if server else _PLAIN_CREW
        crew.size = min(granted, share)
        if not crew.size:  # others have the connections: they may have the letters too
            self._hand_back(crew.drain())
        return crew

    def _hired(self, portal_id: int, channel: str, server: MailServer | None) -> Crew | Lines:
        runtime = self._runtime
        access = servers.access(runtime.settings, runtime.vault, server) if server else None
        link = partial(CHANNELS[channel], Way(runtime, portal_id, access))
        if server is None:
            return Crew(link, self._keeper, self._report, self.hungry)
        stepped = cast(Callable[[], SteppedLink], link)
        lines = Lines(stepped, self._keeper, self._report, self.hungry)
        lines.made_for = server.changed_at
        return lines

    def _fetch(self, mailing: Running, server: MailServer | None, wanted: int) -> list[Task]:
        """Claim, and read what the messages will say."""
        self._turn += 1
        self._served[mailing.key] = self._turn
        with transaction(self._runtime.sessions) as session:
            if not self._witness.vouches(session):
                return []
            rows = claiming.claim(session, mailing, server, wanted, utcnow())
        if not rows:
            return []
        self.holdings.take(rows)
        server_id = server.id if server else 0
        try:
            with transaction(self._runtime.sessions) as session:
                composer = self._composer(session, mailing, server)
                facts = composer.facts(session, rows)
        except sa.exc.OperationalError:
            self._give_back(mailing, server_id, rows)
            raise
        except Exception:
            log.exception("letter not prepared", extra={"mailing": mailing.id})
            self._give_back(mailing, server_id, rows)
            with transaction(self._runtime.sessions) as session:
                finishing.pause_one(session, *mailing.key, Pause.LETTER)
            return []
        return [Task(row, mailing, server_id, composer, facts.get(row.id)) for row in rows]

    def _composer(self, session: Session, mailing: Running, server: MailServer | None) -> Composer:
        """Kept for as long as the mailing and its server stay as they are."""
        key = (*mailing.key, server.id if server else 0, server.changed_at if server else None)
        if key not in self._composers:
            if len(self._composers) >= MOST_CONNECTIONS:
                self._composers.clear()
            row = session.get_one(Mailing, mailing.key)
            self._composers[key] = self._composing(self._runtime, row, server)
        return self._composers[key]

    def _report(self, done: Done) -> None:
        """An outcome is written down by the keeper; what it says about the server may empty the crew's hands."""
        self._keeper.tell(aftermath.ended(done))
        if not self._aftermath.none(done):
            self._clerk.submit(self._act_upon, done)

    def _act_upon(self, done: Done) -> None:
        try:
            if not self._aftermath.of(done):
                self._leave_alone(done.task)
            if done.result.outcome is Outcome.NOT_TRIED:
                self._uncount(done.task.mailing, [done.task.row])
            elif done.result.outcome is Outcome.REFUSED_AT_GATE:
                self._look_again(done.task)
        except Exception:  # it is written down already; the clerk's thread has others to see to
            log.exception("outcome not acted upon")

    def _leave_alone(self, task: Task) -> None:
        self._left_alone[task.row.portal_id, task.server_id] = (
            time.monotonic() + _LEFT_ALONE_SECONDS
        )
        self._empty(task)

    def _look_again(self, task: Task) -> None:
        """Was it the mailing's end, then carrying the rest of what is claimed to the gate is in vain."""
        with transaction(self._runtime.sessions) as session:
            if running.still(session, *task.mailing.key):
                return
        self._looked_at = 0.0
        self._empty(task)

    def _empty(self, task: Task) -> None:
        crew = self._crews.get((task.row.portal_id, task.row.channel, task.server_id))
        if crew is not None:
            self._hand_back(crew.drain())

    def _hand_back(self, tasks: Sequence[Task]) -> None:
        by_mailing: dict[tuple[tuple[int, int], int], list[Task]] = {}
        for task in tasks:
            by_mailing.setdefault((task.mailing.key, task.server_id), []).append(task)
        for (_, server_id), same in by_mailing.items():
            self._give_back(same[0].mailing, server_id, [task.row for task in same])

    def _give_back(self, mailing: Running, server_id: int, rows: Sequence[Claimed]) -> None:
        """Free again at once, and not counted in the day's quota."""
        today = utcnow().astimezone(hours.portal_zone(mailing.utc_offset_minutes)).date()
        try:
            with transaction(self._runtime.sessions) as session:
                claiming.release(session, rows)
                if server_id:
                    day = pacing.day_key(server_id, today)
                    pacing.give_back(session, mailing.portal_id, day, len(rows))
        finally:  # else their leases would be kept up for nobody
            self.holdings.drop(rows)
        self._uncount(mailing, rows)

    def _uncount(self, mailing: Running, rows: Sequence[Claimed]) -> None:
        """Calls that were not planned after all leave room in their employees' day."""
        if mailing.channel == ChannelKey.CALL_LIST and mailing.plan.per_manager_a_day:
            with transaction(self._runtime.sessions) as session:
                managers.give_back(session, mailing, rows, utcnow())
