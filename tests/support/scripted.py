"""A scripted portal on `responses`, and time that passes only by sleeping: for tests of the client."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import orjson
import responses

from core.http import Http
from integration.bitrix.client import Client
from integration.bitrix.limiter import Limiter, Limits
from integration.bitrix.limiter_stores import LocalStore
from integration.bitrix.retry import Patience

HOST = "https://portal.example.com"


class FakeTime:
    """A clock that moves when somebody sleeps."""

    def __init__(self, now=1_780_000_000.0):
        self.now = now
        self.slept = []

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class FakeAuth:
    """Tokens t1, t2, … and a list of what was asked."""

    def __init__(self, endpoint_after_move=None):
        self.number = 1
        self.renewed = []
        self.locations = []
        self.endpoint_after_move = endpoint_after_move

    def token(self):
        return f"t{self.number}"

    def renew(self, stale_token):
        self.renewed.append(stale_token)
        if stale_token == self.token():
            self.number += 1
        return self.token()

    def moved(self, location):
        self.locations.append(location)
        return self.endpoint_after_move


class ScriptedPortal:
    """Answers each request by the next item of the script, or by a function of the request."""

    def __init__(self, mock, host=HOST):
        self.script = []
        self.requests = []
        self.handler = None
        for base in {host, "https://renamed.example.com"}:
            mock.add_callback(
                responses.POST, re.compile(re.escape(base) + "/rest/.*"), self._answer
            )

    def _answer(self, request):
        body = orjson.loads(request.body)
        method = urlsplit(request.url).path.removeprefix("/rest/")
        self.requests.append((method, body, urlsplit(request.url).netloc))
        answer = self.handler(method, body) if self.handler else self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, content, *headers = answer if isinstance(answer, tuple) else (200, answer)
        text = content if isinstance(content, str | bytes) else orjson.dumps(content)
        return status, headers[0] if headers else {}, text

    @property
    def methods(self):
        return [method for method, _, _ in self.requests]


def error(status, code, description="", **more):
    return status, {"error": code, "error_description": description, **more}


def took(operating=None, duration=0.1, reset_at=None, finish=1_780_000_000.0):
    time = {"start": finish - duration, "finish": finish, "duration": duration}
    if operating is not None:
        time |= {"operating": operating, "operating_reset_at": reset_at or int(finish) + 600}
    return time


def commands_of(body):
    """The commands of a batch, decoded: [(key, method, {name: value})]."""
    return [
        (
            key,
            text.partition("?")[0],
            dict(parse_qsl(text.partition("?")[2], keep_blank_values=True)),
        )
        for key, text in body["cmd"].items()
    ]


def make_client(clock, auth=None, limits=None, limiter=None, **patience):
    patience = Patience(sleep=clock.sleep, random=lambda: 1.0, **patience)
    limiter = limiter or Limiter(
        "p", limits=limits, sleep=clock.sleep, now=clock.time, local=LocalStore(clock.time)
    )
    records = []
    made = Client(
        HOST + "/rest/",
        auth or FakeAuth(),
        limiter,
        Http(),
        patience=patience,
        on_call=records.append,
    )
    made.records = records
    return made


UNLIMITED = Limits.off()
