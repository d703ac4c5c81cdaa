"""One method call: the checks in the portal's order, the execution, the bill, the journal."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from demo.portal import envelope
from demo.portal.access import Caller, require_scope
from demo.portal.api import METHODS, ApiError, Context, Method, Result
from demo.portal.journal import Entry

if TYPE_CHECKING:
    from demo.portal.faults import Fault
    from demo.portal.state import Portal

BATCH = "batch"
BATCH_METHOD = Method(BATCH, "", lambda _ctx, _params: Result([]))

log = logging.getLogger(__name__)


class GatewayTimeoutError(Exception):
    """The request used up its wall clock: the web server kills it."""


@dataclass(slots=True)
class Outcome:
    """A finished call: its result or its error, the simulated seconds and its `time` object."""

    seconds: float = 0.0
    result: Result | None = None
    error: ApiError | None = None
    time: dict[str, Any] = field(default_factory=dict)


def find(name: str) -> Method:
    """The method of this name, or 404."""
    method = METHODS.get(name) if name != BATCH else BATCH_METHOD
    if method is None:
        raise ApiError(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
    return method


class Calls:
    """Executes calls on one portal."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.clock = envelope.Clockface(portal)

    def run(
        self,
        caller: Caller,
        ctx: Context,
        method: Method,
        params: dict[str, Any],
        parent: int | None,
    ) -> Outcome:
        """Check scope and operating time, execute, bill; `parent` numbers the batch around it."""
        portal = self.portal
        began = time.perf_counter()
        start = portal.timestamp()
        outcome = Outcome()
        try:
            require_scope(caller.scopes, method)
            self.require_budget(caller, method.name, inside=parent is not None)
            outcome.result = self._execute(ctx, method, params)
        except ApiError as error:
            outcome.error = error
        else:
            simulated = portal.limits.cost(method.name, outcome.result.seconds)
            outcome.seconds = simulated or time.perf_counter() - began
            outcome.time = self._billed(caller, method.name, start, outcome.seconds, parent)
        self.note(caller, method.name, outcome, params, parent)
        return outcome

    def require_budget(self, caller: Caller, name: str, *, inside: bool) -> None:
        """Refuse a method whose operating time is used up."""
        limits = self.portal.limits
        key = BATCH if inside and limits.settings.billing == BATCH else name
        if limits.exhausted(caller.credential, key, self.portal.timestamp()):
            raise ApiError(
                429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit."
            )

    def time(self, caller: Caller, name: str, start: float, seconds: float) -> dict[str, Any]:
        """The `time` object of a call of this method."""
        limits = self.portal.limits
        operating = None
        if self.portal.options.mode == "cloud" and limits.operating_on:
            operating = limits.used(caller.credential, name, self.portal.timestamp())
        return envelope.time_block(self.clock, start, seconds, operating)

    def note(
        self,
        caller: Caller | None,
        name: str,
        outcome: Outcome,
        params: dict[str, Any],
        parent: int | None,
        number: int | None = None,
    ) -> None:
        """Write the call into the portal's journal."""
        journal = self.portal.log
        journal.add(
            Entry(
                n=number or journal.next_number(),
                at=self.portal.timestamp(),
                method=name,
                parent=parent,
                credential=caller.credential if caller else "",
                user_id=caller.user_id if caller else 0,
                status=outcome.error.status if outcome.error else 200,
                error=None if outcome.error is None else str(outcome.error.code),
                seconds=outcome.seconds,
                params=params,
            )
        )

    def _execute(self, ctx: Context, method: Method, params: dict[str, Any]) -> Result:
        fault = self.portal.faults.for_rows(method.name) if self.portal.faults.rules else None
        if fault is not None and fault.kind == "bad_rows":
            params = {k: v for k, v in params.items() if k.lower() != "filter"}
        try:
            result = method.handler(ctx, params)
        except ApiError:
            raise
        except Exception as error:
            log.exception("%s failed", method.name)
            raise ApiError(500, "INTERNAL_SERVER_ERROR", "Internal server error") from error
        return result if fault is None else _spoil(result, fault)

    def _billed(
        self, caller: Caller, name: str, start: float, seconds: float, parent: int | None
    ) -> dict[str, Any]:
        limits = self.portal.limits
        shown = name
        if parent is not None and limits.settings.billing != "method":
            limits.bill(caller.credential, BATCH, seconds, start)
            shown = BATCH if limits.settings.billing == BATCH else name
        if parent is None or limits.settings.billing != BATCH:
            limits.bill(caller.credential, name, seconds, start)
        return self.time(caller, shown, start, seconds)


def _spoil(result: Result, fault: Fault) -> Result:
    if fault.kind == "bad_rows":
        return result
    value = orjson.loads(orjson.dumps(result.value))
    items = value["items"] if isinstance(value, Mapping) and "items" in value else value
    if not isinstance(items, list) or not items:
        return result
    if fault.kind == "duplicate_rows":
        rows = [*items, items[0]]
    else:
        rows = [row for index, row in enumerate(items) if index % fault.every]
    spoilt = {**value, "items": rows} if isinstance(value, Mapping) else rows
    return Result(spoilt, result.total, result.next, result.seconds)
