"""What invented recipients do with a letter: decided by their address and the letter, the same at every run.

Rates are those of a good mailing to one's own clients: 12.8 % open, 1.2 % click, 2.7 % can't be delivered,
0.4 % unsubscribe. Times are of real life; the demo passes them faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

_DEAD, _FULL, _RETURNED, _WARY = 0.017, 0.003, 0.007, 0.03
_SCANNED, _APPLE = 0.02, 0.08
_OPEN, _CLICK_OF_OPEN, _AGAIN = 0.128, 0.094, 0.2
_UNSUBSCRIBE_OF_OPEN, _REPLY_OF_OPEN, _COMPLAIN_OF_OPEN = 0.031, 0.02, 0.002
_LEAD_OF_CLICK, _WON_OF_LEAD = 0.4, 0.5
_MOST_CLICKS = 0.6
_MINUTE, _HOUR = 60.0, 3600.0

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
SCANNER = "Mozilla/5.0 (compatible; MailGateway-Scanner/2.1)"


class Kind(StrEnum):
    """What can be done with a letter."""

    OPEN = "open"
    CLICK = "click"
    CLICK_ALL = "click_all"
    UNSUBSCRIBE = "unsubscribe"
    REPLY = "reply"
    COMPLAIN = "complain"
    RETURN = "return"
    LEAD = "lead"
    WIN = "win"


@dataclass(frozen=True)
class Act:
    """Something done so many seconds after the letter came; `real`: however fast the demo is. `agent`: who says so."""

    kind: Kind
    after: float
    agent: str = FIREFOX
    real: bool = False


@dataclass(frozen=True)
class People:
    """Everybody who may get a letter. `eager`: how many times more often they click than they usually do."""

    seed: int = 1
    eager: float = 1.0

    def refusal(self, address: str, seen: int) -> str:
        """What the server of this address answers to RCPT; nothing when it takes letters. `seen`: asked before."""
        place = self._person(address).random()
        if place < _DEAD:
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        if place < _DEAD + _FULL:
            return f"552 5.2.2 <{address}>: Mailbox full"
        if place > 1 - _WARY and not seen:
            return "450 4.2.0 Greylisted, please try again in 20 seconds"
        return ""

    def acts(self, address: str, letter: str) -> list[Act]:
        """What this person does with this letter, named by its Message-ID."""
        person = self._person(address)
        place = person.random()
        if _DEAD + _FULL <= place < _DEAD + _FULL + _RETURNED:
            return [Act(Kind.RETURN, person.uniform(2 * _MINUTE, 20 * _MINUTE))]
        return list(self._read(person, Random(f"{self.seed}/{address.lower()}/{letter}")))

    def _person(self, address: str) -> Random:
        return Random(f"{self.seed}/{address.lower()}")

    def _read(self, person: Random, mood: Random) -> Iterator[Act]:
        habit = person.random()
        agent = person.choice((FIREFOX, FIREFOX, IPHONE, GMAIL))
        if habit < _SCANNED:
            yield Act(Kind.OPEN, mood.uniform(0.3, 0.8), SCANNER, real=True)
            yield Act(Kind.CLICK_ALL, mood.uniform(0.8, 1.6), SCANNER, real=True)
        elif habit < _SCANNED + _APPLE:
            yield Act(Kind.OPEN, mood.uniform(1, 4), APPLE, real=True)
        if mood.random() >= _OPEN:
            return
        opened = math.exp(mood.gauss(math.log(40 * _MINUTE), 1.2))
        yield Act(Kind.OPEN, opened, agent)
        if mood.random() < _AGAIN:
            yield Act(Kind.OPEN, opened + mood.uniform(_HOUR, 8 * _HOUR), agent)
        yield from self._react(opened, IPHONE if agent == IPHONE else FIREFOX, mood)

    def _react(self, opened: float, agent: str, mood: Random) -> Iterator[Act]:
        if mood.random() < min(_MOST_CLICKS, _CLICK_OF_OPEN * self.eager):
            clicked = opened + mood.uniform(0.5 * _MINUTE, 5 * _MINUTE)
            yield Act(Kind.CLICK, clicked, agent)
            if mood.random() < _LEAD_OF_CLICK:
                left = clicked + mood.uniform(5 * _MINUTE, 40 * _MINUTE)
                yield Act(Kind.LEAD, left)
                if mood.random() < _WON_OF_LEAD:
                    yield Act(Kind.WIN, left + mood.uniform(2 * _HOUR, 9 * _HOUR))
            return
        place = mood.random()
        if place < _UNSUBSCRIBE_OF_OPEN:
            yield Act(Kind.UNSUBSCRIBE, opened + mood.uniform(10, _MINUTE), agent)
        elif place < _UNSUBSCRIBE_OF_OPEN + _REPLY_OF_OPEN:
            yield Act(Kind.REPLY, opened + mood.uniform(10 * _MINUTE, 2 * _HOUR))
        elif place < _UNSUBSCRIBE_OF_OPEN + _REPLY_OF_OPEN + _COMPLAIN_OF_OPEN:
            yield Act(Kind.COMPLAIN, opened + mood.uniform(10, _MINUTE))
