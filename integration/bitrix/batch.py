"""Batches: split into requests of at most 50 commands, merged back in the caller's order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from integration.bitrix import answers
from integration.bitrix.answers import Answer, Batch
from integration.bitrix.errors import BitrixError, OperationTimeLimit, RateLimited, TokenExpired
from integration.bitrix.limiter import Limiter
from integration.bitrix.params import Params, command
from integration.bitrix.retry import Patience, is_read

if TYPE_CHECKING:
    from integration.bitrix.answers import Time

MAX_COMMANDS = 50
WALL_SECONDS = 40.0  # the portal cuts a request at 60 s
_LONG_SECONDS = 5.0  # from here on a batch may meet the end of a method's time
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_REPLAYS = 3

Command = tuple[str, Params | str]  # method, parameters (or a query made by params.query)


class Sender(Protocol):
    """What batches and lists need of a client."""

    limiter: Limiter
    patience: Patience

    def call(
        self, method: str, params: Params | None = None, *, idempotent: bool | None = None
    ) -> Answer:
        """One method."""

    def batch(
        self, commands: Mapping[str, Command], *, halt: bool = False, idempotent: bool | None = None
    ) -> Batch:
        """Many methods."""

    def exchange(
        self,
        method: str,
        body: dict[str, Any],
        methods: Collection[str],
        *,
        repeatable: bool,
        commands: int = 0,
    ) -> Answer:
        """One request."""

    def token(self) -> str | None:
        """The token requests are sent with."""

    def renew_token(self, stale: str | None) -> bool:
        """Renew an expired token."""

    def time_limited(self, method: str, error: OperationTimeLimit) -> OperationTimeLimit:
        """Close a method that was refused."""


def run_batch(
    client: Sender, commands: Mapping[str, Command], *, halt: bool, idempotent: bool | None
) -> Batch:
    """All commands, in as many requests as the count, the wall clock and the budgets ask for."""
    for key in commands:
        if not _KEY.match(key):
            raise ValueError(f"{key!r}: a key of a batch starts with a letter")
    merged = Batch()
    waiting = list(commands)
    while waiting:
        keys = _next_keys(client.limiter, commands, waiting, halt=halt)
        if not keys:
            if _wait_for_room(client, commands, waiting, merged):
                continue
            break
        sent = {key: commands[key] for key in keys}
        waiting = [key for key in waiting if key not in sent]
        careful = not halt and _only_time(merged) and _is_long(client.limiter, sent)
        try:
            part = one_batch(client, sent, halt=halt or careful, idempotent=idempotent)
        except BitrixError as error:
            if len(sent) + len(waiting) == len(commands):
                raise
            # Earlier requests have done their work: the caller must learn of it.
            _merge(merged, Batch(errors=dict.fromkeys(keys, error), skipped=tuple(waiting)))
            break
        if careful:
            waiting, part.skipped = [*part.skipped, *waiting], ()
        _merge(merged, part)
        if halt and part.errors:
            merged.skipped += tuple(waiting)
            break
    return _ordered(merged, commands)


def room(limiter: Limiter, method: str, at_most: int = MAX_COMMANDS) -> int:
    """How many commands with the method fit into one request."""
    budget = limiter.budget(method)
    count = min(at_most, MAX_COMMANDS, budget.calls(at_most))
    if budget.seconds_per_call:
        count = min(count, max(1, int(WALL_SECONDS / budget.seconds_per_call)))
    return count


def _next_keys(
    limiter: Limiter, commands: Mapping[str, Command], waiting: list[str], *, halt: bool
) -> list[str]:
    """The first commands there is room for. Under `halt` none overtakes another."""
    rooms: dict[str, int] = {}
    costs: dict[str, float] = {}
    chosen: list[str] = []
    seconds = 0.0
    for key in waiting:
        method = commands[key][0]
        if method not in rooms:
            budget = limiter.budget(method)
            rooms[method] = budget.calls(MAX_COMMANDS)
            costs[method] = budget.seconds_per_call or 0.0
        if rooms[method] > 0:
            rooms[method] -= 1
            chosen.append(key)
            seconds += costs[method]
        too_slow = bool(chosen) and seconds + costs[method] > WALL_SECONDS
        if len(chosen) == MAX_COMMANDS or too_slow or (halt and rooms[method] <= 0):
            break
    return chosen


def _is_long(limiter: Limiter, commands: Mapping[str, Command]) -> bool:
    """Whether the batch had better stop at its first error, the rest to be sent anew.

    The real limit may be lower than the documented one: where much time is at stake, a single refused
    call has to tell.
    """
    count = Counter(method for method, _ in commands.values())
    seconds = sum(n * (limiter.budget(m).seconds_per_call or 0.0) for m, n in count.items())
    return seconds > _LONG_SECONDS and not _refers(commands)


def _only_time(made: Batch) -> bool:
    """Whether nothing failed for a reason of its own: such failures would cost a request each."""
    return all(isinstance(error, OperationTimeLimit) for error in made.errors.values())


def _refers(commands: Mapping[str, Command]) -> bool:
    """Whether a command uses another one's result."""
    return any("%24result%5B" in command(*each) for each in commands.values())


def _wait_for_room(
    client: Sender, commands: Mapping[str, Command], waiting: list[str], merged: Batch
) -> bool:
    """Whether room comes soon; if not, the waiting commands are reported as not sent."""
    limiter = client.limiter
    closed = {m: limiter.budget(m).closed_for for m in {commands[key][0] for key in waiting}}
    soonest = min(closed.values())
    if soonest <= client.patience.longest_wait:
        client.patience.sleep(soonest)
        return True
    for key in waiting:
        wait = closed[commands[key][0]]
        merged.errors[key] = OperationTimeLimit(
            "the execution time is used up", retry_after=wait, reset_at=limiter.time() + wait
        )
    return False


def one_batch(
    client: Sender, commands: dict[str, Command], *, halt: bool, idempotent: bool | None
) -> Batch:
    """One request, and again for those of its commands that were refused for a passing reason."""
    token = client.token()
    made = _request(client, commands, halt, idempotent)
    for attempt in range(_REPLAYS):
        again = _to_replay(made, commands, halt)
        if not again:
            break
        if any(isinstance(made.errors.get(key), TokenExpired) for key in again):
            if attempt or not client.renew_token(token):
                break
        else:
            client.limiter.refused()
            client.patience.sleep(client.patience.pause(attempt))
        try:
            replayed = _request(client, {k: commands[k] for k in again}, halt, idempotent)
        except BitrixError as error:  # the other commands' results must not be lost with it
            replayed = Batch(errors=dict.fromkeys(again, error))
        _replace(made, replayed, again)
    return made


def _request(
    client: Sender, commands: dict[str, Command], halt: bool, idempotent: bool | None
) -> Batch:
    methods = {method for method, _ in commands.values()}
    repeatable = all(is_read(method) for method in methods) if idempotent is None else idempotent
    body = {
        "halt": int(halt),
        "cmd": {key: command(method, params) for key, (method, params) in commands.items()},
    }
    outer = client.exchange(
        "batch", body, ["batch", *methods], repeatable=repeatable, commands=len(commands)
    )
    made = answers.batch(outer, list(commands), halt=halt)
    _learn(client, made, commands)
    return made


def _learn(client: Sender, made: Batch, commands: Mapping[str, Command]) -> None:
    seen: dict[str, Time] = {commands[key][0]: spent for key, spent in made.times.items()}
    client.limiter.record({"batch": made.time, **seen})
    closed: dict[str, OperationTimeLimit] = {}
    for key, error in made.errors.items():
        if isinstance(error, OperationTimeLimit):
            method = commands[key][0]
            first = closed.setdefault(method, error)
            if first is error:
                client.time_limited(method, error)
            error.reset_at, error.retry_after = first.reset_at, first.retry_after


def _to_replay(made: Batch, commands: Mapping[str, Command], halt: bool) -> list[str]:
    passing = {k for k, e in made.errors.items() if isinstance(e, TokenExpired | RateLimited)}
    if not halt or not passing:
        return [key for key in commands if key in passing]
    again = [key for key in commands if key in passing or key in made.skipped]
    return [] if _refers(commands) else again


def _replace(made: Batch, again: Batch, keys: list[str]) -> None:
    for key in keys:
        made.errors.pop(key, None)
    made.skipped = ()
    _merge(made, again)


def _merge(into: Batch, part: Batch) -> None:
    into.results |= part.results
    into.errors |= part.errors
    into.totals |= part.totals
    into.nexts |= part.nexts
    into.times |= part.times
    into.skipped += part.skipped
    into.time = part.time


def _ordered(made: Batch, commands: Mapping[str, Command]) -> Batch:
    made.results = {key: made.results[key] for key in commands if key in made.results}
    made.errors = {key: made.errors[key] for key in commands if key in made.errors}
    return made
