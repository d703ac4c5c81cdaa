"""The first page of every list in one request: when nothing has changed, nothing else is asked.

Each reading is started with a client that only writes down what it would call first. What comes back
together is handed out when the reading really calls it, and for a short time only: an old page could bring
back a row that was deleted meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import orjson

from integration.bitrix.answers import Answer
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.bitrix.params import Params, plain

FRESH_SECONDS = 5.0
Reading = tuple[Callable[[Client, Any], Iterator[Any]], Any]  # pages, and from where


def foreseeing(client: Client, readings: Iterable[Reading]) -> Client:
    """The same client, with the first answers of these readings in its hands.

    A call that fails here is left to its reading, which knows what to do about it.
    """
    calls = [call for reading in readings if (call := _first_call(client, reading))]
    commands = {f"f{number}": call for number, call in enumerate(calls)}
    try:
        made = client.batch(commands)
    except BitrixError:
        return client
    known = {_key(*commands[key]): made.answer(key) for key in made.results}
    return _Foreseeing(client, known)


class _Asked(Exception):
    """What a reading calls first; None when it is no single call."""

    def __init__(self, call: tuple[str, Params] | None = None) -> None:
        self.call = call


class _Listening(Client):
    """Sends nothing."""

    def __init__(self, client: Client) -> None:
        self.__dict__ |= client.__dict__

    def call(
        self,
        method: str,
        params: Params | None = None,
        *,
        idempotent: bool | None = None,  # noqa: ARG002 - the client's signature
    ) -> NoReturn:
        raise _Asked((method, params or {}))

    def exchange(self, *_: Any, **__: Any) -> NoReturn:
        raise _Asked


class _Foreseeing(Client):
    """Answers from what it has what is called for the first time; sends everything else."""

    def __init__(self, client: Client, known: dict[bytes, Answer]) -> None:
        self.__dict__ |= client.__dict__
        self._known = known
        self._until = time.monotonic() + FRESH_SECONDS

    def call(
        self, method: str, params: Params | None = None, *, idempotent: bool | None = None
    ) -> Answer:
        made = self._known.pop(_key(method, params or {}), None)
        if made is not None and time.monotonic() < self._until:
            return made
        return super().call(method, params, idempotent=idempotent)


def _first_call(client: Client, reading: Reading) -> tuple[str, Params] | None:
    pages, start = reading
    try:
        next(pages(_Listening(client), start), None)
    except _Asked as asked:
        return asked.call
    return None


def _key(method: str, params: Params) -> bytes:
    return orjson.dumps([method, plain(params)], option=orjson.OPT_SORT_KEYS)
