"""The REST endpoint: from an HTTP request to the answer of a method."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from demo.portal import access, breakage, calls, envelope
from demo.portal.api import ApiError, Result
from demo.portal.batch import Batch
from demo.portal.calls import Calls, GatewayTimeoutError, Outcome
from demo.portal.params import read_params

if TYPE_CHECKING:
    from demo.portal.access import Caller
    from demo.portal.state import Portal

JSON = "application/json"


class RestEndpoint:
    """Serves `/rest/…` of one portal."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.calls = Calls(portal)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Entry point of every REST request."""
        if self.portal.old_domains and request.host in self.portal.old_domains:
            return moved(self.portal, request)
        parts = request.match_info["tail"].strip("/").split("/")
        name = parts[-1].lower().removesuffix(".json")
        if len(parts) not in (1, 3):
            name = "/".join(parts)
        fault = self.portal.faults.for_request(name) if self.portal.faults.rules else None
        produce = partial(self._answer, request, name, parts[:-1])
        if fault is not None:
            return await breakage.answer(request, fault, produce)
        return await produce()

    async def _answer(self, request: web.Request, name: str, hook: list[str]) -> web.Response:
        params = await read_params(request)
        number = self.portal.log.next_number()
        caller: Caller | None = None
        outcome = Outcome()
        try:
            calls.find(name)
            if self.portal.options.bucket_first:
                self._admit(request)
            caller = self._caller(request, hook, params)
            if not self.portal.options.bucket_first:
                self._admit(request)
            outcome = self._run(caller, name, params, number)
        except ApiError as error:
            outcome.error = error
            self.calls.note(caller, name, outcome, params, None, number)
        except GatewayTimeoutError:
            return breakage.html(504)
        if self.portal.options.sleep:
            await asyncio.sleep(outcome.seconds)
        return respond(outcome)

    def _caller(self, request: web.Request, hook: list[str], params: dict[str, Any]) -> Caller:
        if hook:
            return access.by_webhook(self.portal, hook[0], hook[1])
        return access.by_token(self.portal, token_of(request, params))

    def _admit(self, request: web.Request) -> None:
        if not self.portal.limits.admit(request.remote or "", self.portal.timestamp()):
            raise ApiError(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")

    def _run(self, caller: Caller, name: str, params: dict[str, Any], number: int) -> Outcome:
        ctx = access.context(self.portal, caller, params.get("auth_connector"))
        for key in ("auth", "access_token"):
            params.pop(key, None)
        if name != calls.BATCH:
            return self.calls.run(caller, ctx, calls.find(name), params, None)
        self.calls.require_budget(caller, name, inside=False)
        start = self.portal.timestamp()
        batch = Batch(self.calls, caller, ctx, number)
        outcome = Outcome(result=batch.run(params), seconds=batch.seconds)
        outcome.time = self.calls.time(caller, name, start, batch.seconds)
        self.calls.note(caller, name, outcome, {"halt": params.get("halt")}, None, number)
        return outcome


def token_of(request: web.Request, params: dict[str, Any]) -> str:
    """The access token of a request: a parameter or a bearer header."""
    found = params.get("auth") or params.get("access_token")
    if isinstance(found, str) and found:
        return found
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value if kind.lower() == "bearer" else ""


def respond(outcome: Outcome) -> web.Response:
    """The HTTP response of a finished call."""
    if outcome.error is not None:
        body = envelope.encode(envelope.failure(outcome.error))
        return web.Response(status=outcome.error.status, body=body, content_type=JSON)
    result = outcome.result or Result(None)
    return web.Response(body=envelope.success(result, outcome.time), content_type=JSON)


def moved(portal: Portal, request: web.Request) -> web.Response:
    """The portal answers to another name now."""
    location = f"{portal.url}{request.rel_url.raw_path_qs}"
    return web.Response(status=302, headers={"Location": location}, content_type="text/html")
