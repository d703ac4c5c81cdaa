"""What all sessions of the mail server share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from demo.mail.faults import Faults
    from demo.mail.letters import Letter, Letters
    from demo.mail.smtp import Session


@dataclass
class Options:
    """How the server behaves; may be changed while it runs."""

    name: str = "mail.example.com"
    pipelining: bool = True
    smtputf8: bool = False
    max_size: int = 35_000_000
    max_connections: int = 0
    delay: float = 0.0
    login: str = ""
    tls: ssl.SSLContext | None = None


@dataclass
class Desk:
    """What all sessions share."""

    options: Options
    faults: Faults
    letters: Letters
    taken: Callable[[Letter], object] = lambda _: None
    refusal: Callable[[str], str] = lambda _: ""
    sessions: set[Session] = field(default_factory=set)
    counted: Counter[str] = field(default_factory=Counter)
