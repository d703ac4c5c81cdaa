"""The invented recipients at work: what they decided is done over HTTP when its time comes."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from demo.mail import returned
from demo.mail.people import Act, Kind, People

if TYPE_CHECKING:
    from demo.mail.letters import Letter
    from demo.mail.shop import Shop

log = logging.getLogger(__name__)

_LINK = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"', re.IGNORECASE)
_PICTURE = re.compile(r'<img\b[^>]*?\bsrc="([^"]+)"', re.IGNORECASE)
_WAY_OUT = re.compile(r"<(https?://[^>]+)>")
_AT_ONCE = 20
_WORDS = {
    Kind.OPEN: "открыл письмо",
    Kind.CLICK: "перешёл по ссылке",
    Kind.CLICK_ALL: "проверка почтового шлюза: пройдены все ссылки",
    Kind.UNSUBSCRIBE: "отписался",
    Kind.REPLY: "ответил",
    Kind.COMPLAIN: "нажал «Спам»",
    Kind.RETURN: "ящика нет: письмо вернулось",
    Kind.LEAD: "оставил заявку на сайте",
    Kind.WIN: "купил",
}


@dataclass(frozen=True)
class World:
    """Where things are: only addresses under `app` are asked for; returns are posted to `receipts`."""

    app: str
    receipts: str = ""
    speed: float = 1.0


@dataclass
class Visit:
    """What one recipient has come to with a letter: the place he was led to, the lead he left."""

    landing: str = ""
    lead: int = 0


class Life:
    """Recipients of all letters."""

    def __init__(self, people: People, world: World, shop: Shop | None) -> None:
        self.people, self.world, self.shop = people, world, shop
        self.done: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
        self.counted: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._busy = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession | None = None

    def refusal(self, address: str) -> str:
        """What the recipient's server says of this address; nothing when it takes letters."""
        told = self.people.refusal(address, self._asked[address.lower()])
        self._asked[address.lower()] += 1
        return told

    def taken(self, letter: Letter) -> None:
        """A letter has come: its recipient will do what he decides."""
        acts = self.people.acts(letter.recipients[0], letter.message_id)
        if acts:
            self._start(self._live(letter, acts))

    async def close(self) -> None:
        """End everything that is still to be done."""
        for task in self._tasks:
            task.cancel()
        if self._http is not None:
            await self._http.close()

    async def _live(self, letter: Letter, acts: list[Act]) -> None:
        began, visit = time.monotonic(), Visit()
        for act in sorted(acts, key=self._due):
            await asyncio.sleep(max(0.0, began + self._due(act) - time.monotonic()))
            async with self._busy:
                try:
                    happened = await self._ACTS[act.kind](self, letter, act, visit)
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    log.warning("%s: %s", act.kind, error)
                    continue
            if happened:
                program = " (программа)" if act.real and act.kind is Kind.OPEN else ""
                self.done[letter.number].append((datetime.now(UTC), _WORDS[act.kind] + program))
                self.counted[act.kind.value] += 1

    def _due(self, act: Act) -> float:
        return act.after if act.real else act.after / self.world.speed

    async def _open(self, letter: Letter, act: Act, _: Visit) -> bool:
        ours = [one for one in _found(_PICTURE, letter) if self._is_ours(one)]
        for url in ours:
            await self._get(url, act.agent)
        return bool(ours)

    async def _click(self, letter: Letter, act: Act, visit: Visit) -> bool:
        ours = self._links(letter)
        if not ours:
            return False
        visit.landing = await self._get(ours[letter.number % min(2, len(ours))], act.agent)
        return True

    async def _click_all(self, letter: Letter, act: Act, _: Visit) -> bool:
        for url in self._links(letter):
            await self._get(url, act.agent)
        return bool(self._links(letter))

    async def _unsubscribe(self, letter: Letter, act: Act, _: Visit) -> bool:
        way = _WAY_OUT.search(str(letter.parsed["List-Unsubscribe"] or ""))
        if way is None or not self._is_ours(way[1]):
            return False
        form = {"List-Unsubscribe": "One-Click"}
        async with self._session().post(
            way[1], data=form, headers={"User-Agent": act.agent}
        ) as got:
            return got.ok

    async def _return(self, letter: Letter, _act: Act, _visit: Visit) -> bool:
        return await self._post(letter, returned.report)

    async def _reply(self, letter: Letter, _act: Act, _visit: Visit) -> bool:
        return await self._post(letter, returned.reply)

    async def _complain(self, letter: Letter, _act: Act, _visit: Visit) -> bool:
        return await self._post(letter, returned.complaint)

    async def _lead(self, letter: Letter, _act: Act, visit: Visit) -> bool:
        if self.shop is None or not visit.landing:
            return False
        marks = {k: v for k, v in parse_qsl(urlsplit(visit.landing).query) if k.startswith("utm_")}
        visit.lead = await self.shop.lead(self._session(), letter.recipients[0], marks)
        return True

    async def _win(self, letter: Letter, _act: Act, visit: Visit) -> bool:
        if self.shop is None or not visit.lead:
            return False
        await self.shop.buy(self._session(), visit.lead, letter.recipients[0])
        return True

    async def _post(self, letter: Letter, write: Callable[[Letter], bytes]) -> bool:
        if not self.world.receipts:
            return False
        headers = {"Content-Type": "message/rfc822", "X-Envelope-To": letter.sender}
        async with self._session().post(
            self.world.receipts, data=write(letter), headers=headers
        ) as answer:
            return answer.ok

    async def _get(self, url: str, agent: str) -> str:
        """Ask for one of the application's addresses; where it leads, without going there."""
        headers = {"User-Agent": agent}
        async with self._session().get(url, headers=headers, allow_redirects=False) as answer:
            await answer.read()
            return answer.headers.get("Location", "")

    def _links(self, letter: Letter) -> list[str]:
        """Links that are counted; the way out is not among them."""
        start = f"{self.world.app}/c/"
        return list(dict.fromkeys(u for u in _found(_LINK, letter) if u.startswith(start)))

    def _is_ours(self, url: str) -> bool:
        return url.startswith(f"{self.world.app}/")

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        return self._http

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    _ACTS: ClassVar[dict[Kind, Callable[[Life, Letter, Act, Visit], Awaitable[bool]]]] = {
        Kind.OPEN: _open,
        Kind.CLICK: _click,
        Kind.CLICK_ALL: _click_all,
        Kind.UNSUBSCRIBE: _unsubscribe,
        Kind.REPLY: _reply,
        Kind.COMPLAIN: _complain,
        Kind.RETURN: _return,
        Kind.LEAD: _lead,
        Kind.WIN: _win,
    }

    def facts(self) -> dict[str, Any]:
        """What has been done, and how many are still to act."""
        return {"done": dict(self.counted), "waiting": len(self._tasks)}


def _found(pattern: re.Pattern[str], letter: Letter) -> list[str]:
    return [unescape(one) for one in pattern.findall(letter.part("html"))]
