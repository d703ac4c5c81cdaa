"""The `batch` method: up to 50 commands, one after another, each able to use earlier results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from demo.portal import calls, envelope
from demo.portal.api import ApiError, Result
from demo.portal.params import decode_query, is_list

if TYPE_CHECKING:
    from demo.portal.access import Caller
    from demo.portal.api import Context
    from demo.portal.calls import Calls, Outcome

MAX_COMMANDS = 50
TRANSPORT_KEYS = ("auth", "access_token")
SECTIONS = ("result", "result_error", "result_total", "result_next", "result_time")
REFERENCE = re.compile(r"\$(result|next|total|error|time)((?:\[[^\[\]]*\])+)")
decode_once = lru_cache(1024)(decode_query)
FALSY: tuple[Any, ...] = (None, "", 0, "0", False, [], {})


class Batch:
    """One run of a batch; sections fill as commands finish."""

    def __init__(self, service: Calls, caller: Caller, ctx: Context, number: int) -> None:
        self._calls = service
        self._caller = caller
        self._ctx = ctx
        self._number = number
        self._sections: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
        self.seconds = 0.0

    def run(self, params: dict[str, Any]) -> Result:
        """Execute the commands of `cmd`; `halt` stops after the first failure."""
        commands = numbered(params.get("cmd"))
        halt = params.get("halt") not in FALSY
        for index, (key, command) in enumerate(commands.items()):
            if index < MAX_COMMANDS:
                self._one(key, command)
            else:
                error = ApiError(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
                self._sections["result_error"][key] = envelope.failure(error)
            if halt and self._sections["result_error"]:
                break
        return Result({name: php_array(section) for name, section in self._sections.items()})

    def _one(self, key: str, command: Any) -> None:
        outcome = self._call(command if isinstance(command, str) else "")
        if outcome.error is not None:
            self._sections["result_error"][key] = envelope.failure(outcome.error)
            return
        result = outcome.result
        if result is None:
            return
        self._sections["result"][key] = result.value
        self._sections["result_time"][key] = outcome.time
        if result.total is not None:
            self._sections["result_total"][key] = result.total
        if result.next is not None:
            self._sections["result_next"][key] = result.next
        self._spend(outcome.seconds)

    def _call(self, command: str) -> Outcome:
        name, params = self._parse(command)
        try:
            self._refuse(name)
            method = calls.find(name)
        except ApiError as error:
            failed = calls.Outcome(error=error)
            self._calls.note(self._caller, name, failed, params, self._number)
            return failed
        return self._calls.run(self._caller, self._ctx, method, params, self._number)

    def _refuse(self, name: str) -> None:
        faults = self._calls.portal.faults
        fault = faults.for_command(name) if faults.rules else None
        if fault is not None:
            raise ApiError(fault.status, fault.code, fault.description)
        if name == calls.BATCH:
            raise ApiError(
                405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage"
            )

    def _parse(self, command: str) -> tuple[str, dict[str, Any]]:
        path, _, query = command.partition("#")[0].partition("?")
        if "$" in query or "%24" in query:  # clients send the same references again and again
            params = {key: self._resolved(value) for key, value in decode_once(query).items()}
        else:
            params = decode_query(query)
        for key in TRANSPORT_KEYS:
            params.pop(key, None)
        return path.strip("/").lower().removesuffix(".json"), params

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        if not isinstance(value, str) or "$" not in value:
            return value
        whole = REFERENCE.fullmatch(value)
        if whole is not None:
            return plain(self._lookup(whole))
        return REFERENCE.sub(lambda match: text(self._lookup(match)), value)

    def _lookup(self, match: re.Match[str]) -> Any:
        """Follow the path as far as it goes; the deepest value reached is the answer."""
        section = match[1] if match[1] == "result" else f"result_{match[1]}"
        value: Any = self._sections[section]
        for key in match[2][1:-1].split("]["):
            if isinstance(value, orjson.Fragment):
                value = orjson.loads(orjson.dumps(value))
            if isinstance(value, Mapping) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                break
        return value

    def _spend(self, seconds: float) -> None:
        self.seconds += seconds
        limit = self._calls.portal.options.wall_clock
        if limit and self.seconds > limit:
            raise calls.GatewayTimeoutError


def numbered(value: Any) -> dict[str, Any]:
    """Commands as PHP sees them: a list is an array with the keys 0, 1, 2 …"""
    if isinstance(value, dict):
        return value
    return {str(i): item for i, item in enumerate(value)} if isinstance(value, list) else {}


def php_array(section: dict[str, Any]) -> Any:
    """A section as PHP encodes it: keys 0..n-1 make a list, nothing at all makes `[]`."""
    return list(section.values()) if is_list(section) else section


def plain(value: Any) -> Any:
    """A looked-up value without encoded fragments."""
    if isinstance(value, dict | list | orjson.Fragment):
        return orjson.loads(orjson.dumps(value))
    return value


def text(value: Any) -> str:
    """A looked-up value in the middle of a string."""
    value = plain(value)
    if isinstance(value, dict | list):
        return "Array"
    return "" if value is None else str(value)
