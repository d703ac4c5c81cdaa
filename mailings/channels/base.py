"""What every channel does: carry one message past a gate, and say what became of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum, auto
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Gate = Callable[[], bool]
"""Asked once, right before the word that makes the provider take the message. False: don't say it."""


class Need(Enum):
    """What a message on its way waits for, where one thread carries many of them."""

    OPEN = auto()  # an open connection: it is sent in, or the error thrown in
    READ = auto()  # the connection has something to be read
    WRITE = auto()  # it takes more bytes
    GATE = auto()  # the gate: its answer is sent in


Steps = Generator[Need, Any, T]
"""A way that stops wherever it would have to wait, and goes on when it is told to."""


class Outcome(StrEnum):
    """What became of one try."""

    SENT = "sent"
    NOT_TRIED = (
        "not_tried"  # nothing that counts was said: the row is free again; the link is at fault
    )
    REFUSED_AT_GATE = "refused_at_gate"  # paused, cancelled, unsubscribed or given away meanwhile
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"  # past the gate, and no answer came


@dataclass(frozen=True, slots=True)
class SendResult:
    """The outcome of a try, with the provider's words.

    `wait`: the provider asked for it. `slow_down`: it complains of the pace. `suppress`: the address is dead.
    `ours`: the fault is the sender's, not the recipient's.
    """

    outcome: Outcome
    code: int | None = None
    status: str | None = None
    text: str = ""
    provider_id: str | None = None
    wait: timedelta | None = None
    slow_down: bool = False
    suppress: bool = False
    soft: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be carried. An e-mail is its bytes; other channels take what they need of `facts`."""

    delivery_id: int
    address: str
    subject: str
    text: str
    raw: bytes = b""
    sender: str = ""
    facts: dict[str, Any] | None = None


class Link(Protocol):
    """An open way to a provider, used by one thread at a time."""

    def send(self, message: Message, gate: Gate) -> SendResult:
        """One try. Never raises for what the provider or the network does."""

    @property
    def usable(self) -> bool:
        """Whether the next message may go the same way."""

    def close(self) -> None:
        """End it; never raises."""


class SteppedLink(Link, Protocol):
    """A link of which one thread carries many: it waits for nothing by itself."""

    def steps(self, message: Message, following: Callable[[], Message | None]) -> Steps[SendResult]:
        """One try. `following`: the message that is given next, if it is known yet."""

    def open(self) -> object:
        """What OPEN asks for; blocks, and raises what has to be thrown in."""

    @property
    def socket(self) -> socket.socket | None:
        """What READ and WRITE are about."""

    @property
    def patience(self) -> float:
        """How many seconds they may take; then a TimeoutError is thrown in."""
