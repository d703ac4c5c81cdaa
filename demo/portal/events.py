"""What happens when something on the portal changes: online posts and the offline queue."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from demo.portal.params import encode_pairs
from demo.portal.tokens import ACCESS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from demo.portal.state import App, EventHandler, Portal

POST_TIMEOUT = aiohttp.ClientTimeout(total=15)
CONCURRENT_POSTS = 50
DELIVERIES_KEPT = 5000
OFFLINE_SIGNAL = "ONOFFLINEEVENT"


@dataclass(slots=True)
class OfflineRow:
    """One row of the pull queue: an object that changed, once per event name and source."""

    id: int
    at: datetime
    event: str
    fields: dict[str, Any]
    user_id: int | None
    connector: str
    message_id: str
    process_id: str = ""
    error: bool = False


@dataclass(slots=True)
class Delivery:
    """One online post as it was sent; `status` 0 means nobody answered."""

    n: int
    event: str
    url: str
    body: dict[str, str]
    status: int = 0


class Events:
    """Publishes changes to subscribed applications. Online posts are sent once and never retried."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._signalled: dict[int, float] = {}
        self._random = random.Random(1)
        self._sent = 0
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT)

    def publish(
        self,
        event: str,
        fields: dict[str, Any],
        actor_id: int | None = None,
        auth_connector: str = "",
    ) -> None:
        """Tell every subscribed application that an object changed (`fields` hold its ID)."""
        event = event.upper()
        for app in self._portal.apps.values():
            if not app.installed:
                continue
            for handler in app.event_handlers:
                if handler.event != event:
                    continue
                if not handler.offline:
                    self.send(app, handler, {"FIELDS": fields}, actor_id)
                elif not auth_connector or auth_connector != handler.connector:
                    self._enqueue(app, handler, fields, actor_id)

    def send(
        self, app: App, handler: EventHandler, data: dict[str, Any], actor_id: int | None
    ) -> None:
        """Post one online event, in the background."""
        user_id = handler.auth_type or actor_id
        body = {"event": handler.event, "data": data, "ts": int(self._portal.timestamp())}
        if self._portal.options.event_handler_id:
            body["event_handler_id"] = handler.id
        with_refresh = self._portal.options.event_refresh_token or handler.event == OFFLINE_SIGNAL
        body["auth"] = self.auth_block(
            app,
            user_id if self._portal.options.event_tokens else None,
            with_refresh=with_refresh,
        )
        for _ in range(self._portal.options.event_copies):
            self._start(self._post(handler.event, handler.handler, body))

    def auth_block(
        self, app: App, user_id: int | None, *, with_refresh: bool = False
    ) -> dict[str, Any]:
        """The `auth` part of a body; without a user there are no tokens in it."""
        portal = self._portal
        auth: dict[str, Any] = {
            "domain": portal.domain,
            "server_endpoint": portal.server_endpoint,
            "client_endpoint": portal.client_endpoint,
            "status": "L",
            "member_id": portal.member_id,
            "application_token": app.application_token,
        }
        if user_id and portal.user(user_id) is not None:
            token = portal.tokens.issue(app.client_id, user_id, portal.timestamp())
            auth |= {
                "access_token": token.access,
                "expires": int(token.expires),
                "expires_in": ACCESS_SECONDS,
                "scope": ",".join(sorted(app.scopes)),
                "user_id": user_id,
            }
            if with_refresh:
                auth["refresh_token"] = token.refresh
        return auth

    async def post_now(self, event: str, url: str, body: dict[str, Any]) -> int:
        """Post a body and return the HTTP status (0 = no answer)."""
        self._sent += 1
        delivery = Delivery(self._sent, event, url, dict(encode_pairs(body)))
        self.deliveries.append(delivery)
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=CONCURRENT_POSTS)
            self._session = aiohttp.ClientSession(timeout=POST_TIMEOUT, connector=connector)
        try:
            async with self._session.post(
                url, data=list(delivery.body.items()), allow_redirects=False
            ) as response:
                delivery.status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            delivery.status = 0
        self._portal.log.counters[f"event:{event}"] += 1
        return delivery.status

    def forget(self) -> None:
        """Drop what is still to be sent and the record of what was."""
        for task in list(self._tasks):
            task.cancel()
        self.deliveries.clear()
        self._signalled.clear()

    async def close(self) -> None:
        """Stop sending."""
        self.forget()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, event: str, url: str, body: dict[str, Any]) -> None:
        if self._portal.options.event_shuffle:
            await asyncio.sleep(self._random.random() / 2)
        await self.post_now(event, url, body)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            task = asyncio.get_running_loop().create_task(work)
        except RuntimeError:  # methods called outside the server: there is nobody to deliver
            work.close()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _enqueue(
        self, app: App, handler: EventHandler, fields: dict[str, Any], actor_id: int | None
    ) -> None:
        now = self._portal.now()
        waiting = next(
            (
                row
                for row in app.offline
                if not row.process_id
                and row.event == handler.event
                and row.connector == handler.connector
                and row.fields.get("ID") == fields.get("ID")
            ),
            None,
        )
        if waiting is not None:
            waiting.at, waiting.fields, waiting.user_id = now, fields, actor_id
        else:
            number = self._portal.next_id()
            key = f"{app.client_id}{number}{handler.event}{fields.get('ID')}"
            digest = hashlib.md5(key.encode()).hexdigest()  # noqa: S324
            app.offline.append(
                OfflineRow(number, now, handler.event, fields, actor_id, handler.connector, digest)
            )
        self._signal(app)

    def _signal(self, app: App) -> None:
        for handler in app.event_handlers:
            if handler.event != OFFLINE_SIGNAL or handler.offline:
                continue
            pause = float(handler.options.get("minTimeout", 1))
            moment = self._portal.timestamp()
            if moment - self._signalled.get(handler.id, 0.0) >= pause:
                self._signalled[handler.id] = moment
                self.send(app, handler, {}, handler.auth_type or None)
