"""What must go wrong in a dialogue: the rules a session asks at each of its steps."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from random import Random
from typing import Any

STEPS = frozenset(
    {"connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot", "quit"}
)
KINDS = frozenset({"reply", "drop", "reset", "lose", "cut", "late", "hold"})


@dataclass
class Fault:
    """One rule: the step it spoils, for whom, how often and how.

    `reply` answers so instead (421 also closes). `drop` closes the connection without a word, `reset` harder.
    At the dot the letter is then not taken, but with `lose` it is taken and only the answer is not given.
    `cut` breaks off in the middle of the answer, `late` gives it after `seconds`, `hold` never: the letter is
    taken by the first two. `body` acts after `bytes` of the letter. `per_address`: so many times for each one.
    """

    at: str
    do: str = "reply"
    reply: str = ""
    address: str = "*"
    times: int = -1
    skip: int = 0
    share: float = 1.0
    per_address: int = 0
    seconds: float = 1.0
    bytes: int = 1
    hits: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.at not in STEPS:
            raise ValueError(f"unknown step: {self.at}")
        if self.do not in KINDS:
            raise ValueError(f"unknown kind of fault: {self.do}")
        if self.do == "reply" and not (self.reply[:3].isdigit() and len(self.reply) > 4):
            raise ValueError(f"not a reply: {self.reply!r}")
        if self.at == "body" and self.do not in {"drop", "reset"}:
            raise ValueError("within a letter the connection can only be dropped or reset")
        self.address = self.address.lower()

    def fires(self, addresses: tuple[str, ...], chance: Random) -> bool:
        """Decide for one step, counting it."""
        if 0 <= self.times <= self.hits:
            return False
        wanted = [one for one in addresses or ("",) if fnmatchcase(one.lower(), self.address)]
        if not wanted or (self.share < 1 and chance.random() >= self.share):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.per_address and self.seen[wanted[0]] >= self.per_address:
            return False
        self.seen[wanted[0]] += 1 if self.per_address else 0
        self.hits += 1
        return True


class Faults:
    """The rules in force; the first that fires is obeyed."""

    def __init__(self, seed: int = 1) -> None:
        self.rules: list[Fault] = []
        self._chance = Random(seed)

    def add(self, rule: dict[str, Any]) -> Fault:
        """Add a rule given as JSON; unknown keys are a mistake of the test and raise."""
        known = {one.name for one in fields(Fault)} - {"hits", "seen"}
        if unknown := set(rule) - known:
            raise ValueError(f"unknown fault keys: {', '.join(sorted(unknown))}")
        fault = Fault(**rule)
        self.rules.append(fault)
        return fault

    def describe(self) -> list[dict[str, Any]]:
        """The rules as JSON, with the number of steps each has spoilt."""
        return [{k: v for k, v in asdict(rule).items() if k != "seen"} for rule in self.rules]

    def at(self, step: str, *addresses: str) -> Fault | None:
        """The fault of a step of one dialogue, if any."""
        if not self.rules:
            return None
        return next(
            (r for r in self.rules if r.at == step and r.fires(addresses, self._chance)), None
        )


def written(text: str) -> dict[str, Any]:
    """A rule of the command line: `at=rcpt; reply=550 5.1.1 No such user; address=*@dead.test`."""
    kinds = {one.name: one.type for one in fields(Fault)}
    rule: dict[str, Any] = {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, _, value = part.partition("=")
        kind = kinds.get(name)
        rule[name] = int(value) if kind == "int" else float(value) if kind == "float" else value
    return rule
