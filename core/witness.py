"""Whether this database is the one last worked with, or an older copy of it.

A number in the database is counted up every few seconds, durably, and only then repeated outside: in Redis and in a
file. A number outside that is ahead therefore means that the database was put back to an earlier state, and none at
all that it was carried elsewhere. A machine put back as a whole takes its witnesses along: all it shows is that
nobody was heard for long.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database import SessionFactory, transaction
from core.models import Lineage

log = logging.getLogger(__name__)

SILENCE = timedelta(hours=12)
_SOON_TOLD = timedelta(seconds=10)  # who has just counted up is about to tell the witnesses
_AFTER_THE_LAST = timedelta(minutes=1)  # what may have happened between the last word and the end
_ONLY = 1


class Cause(StrEnum):
    """What shows that something may be missing here."""

    OLDER = "older"  # more was seen than this database knows
    COPY = "copy"  # nobody outside has ever heard of it, and it is not new
    SILENT = "silent"  # nothing was heard for long: a standstill, or the whole machine was put back


@dataclass(frozen=True, slots=True)
class Gap:
    """Between these moments things may have happened that the database does not know of."""

    cause: Cause
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """A number and its moment, by the database's clock."""

    number: int
    at: datetime


class Witness:
    """One per process that works on the outside world; `beat` and `vouches` are asked by different threads."""

    def __init__(self, sessions: SessionFactory, redis: Redis, folder: Path) -> None:
        self._sessions, self._redis, self._folder = sessions, redis, folder
        self._known: tuple[str, Heard] | None = None
        self._complained = False

    @property
    def trusted(self) -> bool:
        """Whether the database was looked at, and what was missing has been seen to."""
        return self._known is not None

    def beat(self, on_gap: Callable[[Session, Gap], object]) -> Gap | None:
        """Look, count up, and tell the witnesses. `on_gap`: what is done about a gap, in the same transaction."""
        name = self._name()
        swapped = self._known is not None and self._known[0] != name
        if swapped:
            self._known = None
        heard, asked_all = self._heard(name)
        with transaction(self._sessions) as session:
            session.execute(
                sa.text("SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '1s'")
            )
            row = session.get_one(Lineage, _ONLY, with_for_update=True)
            if row.name != name:
                return None  # swapped this very moment
            now = session.scalars(sa.select(sa.func.clock_timestamp())).one()
            if row.beat and not heard and (not asked_all or now - row.beat_at < _SOON_TOLD):
                self._known = None
                log.warning("nobody can say yet whether this database is the last one")
                return None
            gap = Gap(Cause.COPY, row.beat_at, now) if swapped else _gap(row, heard, now)
            if gap is not None:
                log.error(
                    "something may be missing in this database", extra={"cause": gap.cause.value}
                )
                on_gap(session, gap)
            row.beat = max([row.beat, *(each.number for each in heard)]) + 1
            row.beat_at = now
            known = Heard(row.beat, now)
        self._known = (name, known)
        self._tell(name, known)
        return gap

    def vouches(self, session: Session) -> bool:
        """Whether what this transaction reads is no older than what this process has seen."""
        if self._known is None:
            return False
        name, heard = self._known
        query = sa.select(Lineage.beat).where(Lineage.id == _ONLY, Lineage.name == name)
        return (session.scalar(query) or 0) >= heard.number

    def _name(self) -> str:
        with transaction(self._sessions) as session:
            found = session.scalar(sa.select(Lineage.name).where(Lineage.id == _ONLY))
            if found is None:
                session.execute(insert(Lineage).values(id=_ONLY).on_conflict_do_nothing())
                found = session.scalars(sa.select(Lineage.name).where(Lineage.id == _ONLY)).one()
            return found

    def _heard(self, name: str) -> tuple[list[Heard], bool]:
        """What the witnesses say, and whether all that may know could be asked."""
        found, asked_all = [self._known[1]] if self._known else [], True
        said: list[Any] = []
        try:
            said.append(self._redis.get(_key(name)))
        except RedisError:
            asked_all = False
        with suppress(OSError):  # a place that can't be written to never says anything
            said.append(self._file(name).read_text())
        for each in said:
            try:
                number, at = json.loads(each or "null")
                found.append(Heard(int(number), datetime.fromisoformat(at)))
            except (TypeError, ValueError):
                continue
        return found, asked_all

    def _tell(self, name: str, heard: Heard) -> None:
        """After the commit, so nobody outside is ever ahead of a sound database."""
        text = json.dumps([heard.number, heard.at.isoformat()])
        try:
            self._redis.set(_key(name), text)
        except RedisError:
            log.debug("witness not written to Redis")
        path = self._file(name)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(text)
            draft.replace(path)
        except OSError as error:
            if not self._complained:
                log.warning("no witness in a file", extra={"reason": str(error)})
            self._complained = True

    def _file(self, name: str) -> Path:
        return self._folder / f"witness-{name}"


def last_gap(session: Session) -> Gap | None:
    """The newest gap somebody noted, for whoever works with what was there before."""
    row = session.get(Lineage, _ONLY)
    if row is None or row.gap_cause is None or row.gap_since is None or row.gap_until is None:
        return None
    return Gap(Cause(row.gap_cause), row.gap_since, row.gap_until)


def note(session: Session, gap: Gap) -> None:
    """Keep a gap for `last_gap`."""
    row = session.get_one(Lineage, _ONLY)
    row.gap_cause, row.gap_since, row.gap_until = gap.cause.value, gap.since, gap.until


def _gap(row: Lineage, heard: list[Heard], now: datetime) -> Gap | None:
    if not row.beat and not heard:
        return None
    newest = max(heard, key=lambda each: each.number, default=None)
    if newest is None:
        return Gap(Cause.COPY, row.beat_at, now)
    if newest.number > row.beat:
        return Gap(Cause.OLDER, row.beat_at, min(newest.at + _AFTER_THE_LAST, now))
    if now - row.beat_at > SILENCE:
        return Gap(Cause.SILENT, row.beat_at, now)
    return None


def _key(name: str) -> str:
    return f"rubilnik:witness:{name}"
