"""A mail server's connections shared out among the sender processes: together they never hold more than it allows.

Each process says in SQL how many it holds; a lock lets them do so one after the other. Whoever has more than its
share gives connections up as their letters end, and only then may another take them. The dead are forgotten soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.locks import nobody_else
from mailings.models import Pace

FORGOTTEN_AFTER = timedelta(seconds=10)
_LOCK = 0x4D54
_ALL = 0
_FIRST, _LAST = "seats:", "seats;"

ServerKey = tuple[int, int]  # portal, server


@dataclass(frozen=True, slots=True)
class Want:
    """What a process has to do with a server: `most` its limit for all of us, `held` our open connections."""

    most: int
    held: int
    working: bool = True


class Seats:
    """One per process."""

    def __init__(self) -> None:
        self._own = uuid4().hex
        self._taken: set[ServerKey] = set()

    def share_out(
        self, session: Session, wants: Mapping[ServerKey, Want]
    ) -> dict[ServerKey, int] | None:
        """How many connections this process may have to each server now; those not named it has left.

        None: as before, another process is just at it. Nobody waits for it, as it may have been stopped on the way.
        """
        if not nobody_else(session, _LOCK, _ALL):
            return None
        others = self._others(session, wants)
        granted = {key: self._share(want, others.get(key, {})) for key, want in wants.items()}
        self._write(session, {key: max(granted[key], want.held) for key, want in wants.items()})
        self._give_up(session, self._taken - wants.keys())
        self._taken = set(wants)
        return granted

    def leave(self, session: Session) -> None:
        """This process holds none any more."""
        self._give_up(session, self._taken)

    def _others(
        self, session: Session, wants: Mapping[ServerKey, Want]
    ) -> dict[ServerKey, dict[str, int]]:
        query = sa.select(Pace.portal_id, Pace.key, Pace.level).where(
            Pace.portal_id.in_({portal_id for portal_id, _ in wants}),
            Pace.key >= _FIRST,
            Pace.key < _LAST,
            Pace.counted_at > sa.func.clock_timestamp() - FORGOTTEN_AFTER,
        )
        found: dict[ServerKey, dict[str, int]] = {}
        for portal_id, key, level in session.execute(query):
            _, server_id, process = key.split(":")
            if process != self._own:
                found.setdefault((portal_id, int(server_id)), {})[process] = int(level)
        return found

    def _share(self, want: Want, others: Mapping[str, int]) -> int:
        """An equal part, as far as the others have left it free; whoever comes first in order gets the odd ones."""
        if not want.working:
            return 0
        each, odd = divmod(want.most, len(others) + 1)
        place = sorted([*others, self._own]).index(self._own)
        return max(0, min(each + (place < odd), want.most - sum(others.values())))

    def _write(self, session: Session, levels: Mapping[ServerKey, int]) -> None:
        if not levels:
            return
        now = sa.func.clock_timestamp()
        rows = [
            {"portal_id": key[0], "key": self._row(key), "level": float(level), "counted_at": now}
            for key, level in levels.items()
        ]
        put = insert(Pace).values(rows)
        changed = {"level": put.excluded.level, "counted_at": put.excluded.counted_at}
        session.execute(
            put.on_conflict_do_update(index_elements=["portal_id", "key"], set_=changed)
        )

    def _give_up(self, session: Session, left: set[ServerKey]) -> None:
        if left:
            rows = [(key[0], self._row(key)) for key in sorted(left)]
            session.execute(
                sa.delete(Pace)
                .where(sa.tuple_(Pace.portal_id, Pace.key).in_(rows))
                .execution_options(synchronize_session=False)
            )

    def _row(self, key: ServerKey) -> str:
        return f"{_FIRST}{key[1]}:{self._own}"
