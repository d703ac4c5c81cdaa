"""Calls of a portal's REST methods: one at a time, in batches, and whole lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from core.errors import ForbiddenAddress, ResponseTooLarge, ServiceError
from core.http import Http, NoConnection, Reply
from integration.bitrix import answers
from integration.bitrix.answers import Answer, Batch
from integration.bitrix.batch import Command, run_batch
from integration.bitrix.errors import (
    BitrixError,
    OperationTimeLimit,
    PortalMoved,
    RateLimited,
    TokenExpired,
    UnexpectedAnswer,
    Unreachable,
)
from integration.bitrix.limiter import Limiter
from integration.bitrix.lists import ListRequest, Page, list_by_id, list_by_offset
from integration.bitrix.params import Params, plain
from integration.bitrix.retry import Attempts, Patience, is_read

_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Auth(Protocol):
    """Where a client's token comes from. A webhook has none."""

    def token(self) -> str | None:
        """The current access token; None when the endpoint itself is the secret."""

    def renew(self, stale_token: str) -> str:
        """A newer token than the stale one; one refresh for all processes. Raises AuthDead."""

    def moved(self, location: str) -> str:
        """The endpoint at the portal's new address, once it has proved to be the same portal."""


class Webhook:
    """The Auth of an incoming webhook."""

    def token(self) -> str | None:
        """No token: the secret is in the endpoint."""
        return None

    def renew(self, stale_token: str) -> str:  # noqa: ARG002 - the protocol's signature
        """A webhook's secret does not expire."""
        raise TokenExpired("a webhook has no token to renew")

    def moved(self, location: str) -> str:
        """Nothing can prove that the new address is the same portal."""
        raise PortalMoved(location)


@dataclass(frozen=True)
class CallRecord:
    """One HTTP exchange with a portal, for logs and the health page; holds no parameters."""

    method: str
    seconds: float
    status: int
    error: str
    commands: int = 0
    operating: float | None = None


class Client:
    """One portal, as one user.

    Every reply becomes a value or a BitrixError. Reads are repeated after timeouts and breakdowns;
    writes only if nothing was executed, unless the caller says `idempotent=True`.
    """

    def __init__(
        self,
        endpoint: str,
        auth: Auth,
        limiter: Limiter,
        http: Http,
        *,
        patience: Patience | None = None,
        on_call: Callable[[CallRecord], None] | None = None,
        connector: str = "",
    ) -> None:
        """`connector` names us as the source of changes, which keeps them off our offline queue."""
        self.endpoint = endpoint.rstrip("/") + "/"
        self.limiter = limiter
        self.patience = patience or Patience()
        self._auth = auth
        self._http = http
        self._on_call = on_call
        self.connector = connector

    def call(
        self, method: str, params: Params | None = None, *, idempotent: bool | None = None
    ) -> Answer:
        """Call one method."""
        repeatable = is_read(method) if idempotent is None else idempotent
        made = self.exchange(method, plain(params or {}), [method], repeatable=repeatable)
        self.limiter.record({method: made.time})
        return made

    def batch(
        self,
        commands: Mapping[str, Command],
        *,
        halt: bool = False,
        idempotent: bool | None = None,
    ) -> Batch:
        """Call any number of methods, 50 a request, in order; keys start with a letter.

        Failures of single commands are in `errors`, never raised. Commands that the execution time
        has no room for are not sent: their error is an OperationTimeLimit with `executed` False.
        """
        return run_batch(self, commands, halt=halt, idempotent=idempotent)

    def list_all(  # noqa: PLR0913 - the method's facts, each named by the caller
        self,
        method: str,
        *,
        params: Params | None = None,
        after_id: int = 0,
        id_field: str = "ID",
        items_path: tuple[str, ...] = (),
        check: Callable[[Any], bool] | None = None,
        total_hint: int | None = None,
        order: Params | None = None,
        prefetch: int = 0,
    ) -> Iterator[Page]:
        """Every row with an id above `after_id`, in pages, by ascending id.

        `order` replaces the usual `{"order": {id_field: "ASC"}}` for methods that sort otherwise.
        `prefetch` fetches so many requests ahead in a thread while the caller works on the pages.
        """
        request = ListRequest(
            method, params or {}, after_id, id_field, items_path, check, total_hint, order, prefetch
        )
        return list_by_id(self, request)

    def list_pages(
        self, method: str, params: Params | None = None, *, items_path: tuple[str, ...] = ()
    ) -> Iterator[list[Any]]:
        """A small list that can't be read by id (statuses, currencies), following `next`."""
        return list_by_offset(self, method, params or {}, items_path)

    def exchange(
        self,
        method: str,
        body: dict[str, Any],
        methods: Collection[str],
        *,
        repeatable: bool,
        commands: int = 0,
    ) -> Answer:
        """One request with all its repetitions. `methods` are those whose budgets it uses."""
        attempts = Attempts(self.patience, repeatable=repeatable)
        renewed = moved = limited = False
        while True:
            self.limiter.acquire(methods, self.patience.longest_wait)
            token = self._auth.token()
            try:
                return self._send(method, body, token, commands)
            except TokenExpired:
                if renewed or token is None:
                    raise
                renewed = True
                self._auth.renew(token)
            except PortalMoved as error:
                if moved:
                    raise
                moved = True
                self.endpoint = self._auth.moved(error.location).rstrip("/") + "/"
            except OperationTimeLimit as error:
                self.time_limited(method, error)
                if limited or (error.retry_after or 0) > self.patience.longest_wait:
                    raise
                limited = True
            except RateLimited as error:
                self.limiter.refused()
                attempts.wait_after(error)
            except BitrixError as error:
                attempts.wait_after(error)

    def renew_token(self, stale: str | None) -> bool:
        """Renew a token found expired inside a batch; False for a webhook."""
        if stale is None:
            return False
        self._auth.renew(stale)
        return True

    def token(self) -> str | None:
        """The token requests are sent with now."""
        return self._auth.token()

    def time_limited(self, method: str, error: OperationTimeLimit) -> OperationTimeLimit:
        """Close the method for all processes; the error, with our clock's times in it."""
        error.reset_at = self.limiter.close(method, error.reset_at)
        error.retry_after = max(0.0, error.reset_at - self.limiter.time())
        return error

    def _send(self, method: str, body: dict[str, Any], token: str | None, commands: int) -> Answer:
        payload = body if token is None else {**body, "auth": token}
        if self.connector:
            payload = {**payload, "auth_connector": self.connector}
        started = time.monotonic()
        status, problem, operating = 0, "", None
        try:
            reply = self._post(method, orjson.dumps(payload))
            status = reply.status
            made = answers.answer(answers.envelope(reply), reply.status)
        except BitrixError as error:
            problem = error.code or type(error).__name__
            raise
        else:
            operating = made.time.operating
            return made
        finally:
            if self._on_call is not None:
                seconds = time.monotonic() - started
                self._on_call(CallRecord(method, seconds, status, problem, commands, operating))

    def _post(self, method: str, payload: bytes) -> Reply:
        try:
            return self._http.post(self.endpoint + method, payload, headers=_HEADERS)
        except NoConnection as error:
            raise Unreachable(error.detail, executed=False) from None
        except ForbiddenAddress:
            raise
        except ResponseTooLarge as error:
            too_large = UnexpectedAnswer(error.detail)
            too_large.retryable = False
            raise too_large from None
        except ServiceError as error:
            raise Unreachable(error.detail) from None
