"""What every channel does: carry one message past a gate, and say what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

Gate = Callable[[], bool]
"""Asked once, right before the word that makes the provider take the message. False: don't say it."""


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
