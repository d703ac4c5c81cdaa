"""Hands out the work: which mailing goes next by which way, as much at a time as its crew can use."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import transaction
from core.runtime import Runtime
from mailings.channels.base import Outcome
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
from mailings.sending.reasons import Pause
from mailings.sending.running import Running

log = logging.getLogger(__name__)

MOST_THREADS = 200
_LOOK_SECONDS = 0.4
_LEFT_ALONE_SECONDS = 1.0  # until the next look sees that the server rests
_BROKEN_SECONDS = 30.0
_PLAIN_CREW = 2  # threads of a channel that has no server of its own

WayKey = tuple[int, str, int]  # portal, channel, server or 0: what one crew sends by
Waiting = tuple[Running, MailServer | None]


class Desk:
    """One per process. `serve` is called by its main thread, `_report` by the threads of the crews."""

    def __init__(self, runtime: Runtime, composing: Composing) -> None:
        self.hungry = threading.Event()
        self.ended = threading.Event()
        self.holdings = Holdings()
        self._runtime, self._composing = runtime, composing
        self._keeper = Keeper(runtime.sessions, lambda ended: self.holdings.drop([ended.row]))
        self._aftermath = aftermath.Aftermath(runtime.sessions)
        self._crews: dict[WayKey, Crew] = {}
        self._leaving: list[Crew] = []
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
        if time.monotonic() >= self._looked_at + _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._waiting = self._look()
            self._dismiss()
        share = max(1, MOST_THREADS // max(1, len(self._waiting)))
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
        for mailing, server in sorted(waiting, key=self._turn_of):
            if wanted < 1:
                break
            tasks = self._fetch(mailing, server, wanted)
            crew.add(tasks)
            wanted -= len(tasks)

    def close(self) -> None:
        """Claim no more, let every message that is under way end, give the rest back."""
        crews = [*self._crews.values(), *self._leaving]
        left = [task for crew in crews for task in crew.leave()]
        left += [task for crew in crews for task in crew.join()]
        self._keeper.close()
        try:
            self._hand_back(left)
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
        self._leaving = [crew for crew in self._leaving if not crew.idle]

    def _crew(self, key: WayKey, server: MailServer | None, share: int) -> Crew:
        """The crew of a way; all of them share the threads of the process."""
        portal_id, channel, _ = key
        crew = self._crews.get(key)
        if crew is None or crew.made_for != (server.changed_at if server else None):
            if crew is not None:  # the server was changed: the next messages go the new way
                self._hand_back(crew.leave())
                self._leaving.append(crew)
            runtime = self._runtime
            access = servers.access(runtime.settings, runtime.vault, server) if server else None
            way = Way(runtime, portal_id, access)
            crew = Crew(lambda: CHANNELS[channel](way), self._keeper, self._report, self.hungry)
            crew.made_for = server.changed_at if server else None
            self._crews[key] = crew
        crew.size = min(server.connections if server else _PLAIN_CREW, share)
        return crew

    def _fetch(self, mailing: Running, server: MailServer | None, wanted: int) -> list[Task]:
        """Claim, and read what the messages will say."""
        self._turn += 1
        self._served[mailing.key] = self._turn
        with transaction(self._runtime.sessions) as session:
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
            if len(self._composers) >= MOST_THREADS:
                self._composers.clear()
            row = session.get_one(Mailing, mailing.key)
            self._composers[key] = self._composing(self._runtime, row, server)
        return self._composers[key]

    def _report(self, done: Done) -> None:
        """An outcome is written down by the keeper; what it says about the server may empty the crew's hands."""
        self._keeper.tell(aftermath.ended(done))
        try:
            if not self._aftermath.of(done):
                self._leave_alone(done.task)
            if done.result.outcome is Outcome.NOT_TRIED:
                self._uncount(done.task.mailing, [done.task.row])
        except sa.exc.SQLAlchemyError:
            log.exception("outcome not acted upon")

    def _leave_alone(self, task: Task) -> None:
        portal_id = task.row.portal_id
        self._left_alone[portal_id, task.server_id] = time.monotonic() + _LEFT_ALONE_SECONDS
        crew = self._crews.get((portal_id, task.row.channel, task.server_id))
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
