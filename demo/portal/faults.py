"""The fault script: which coming calls must go wrong, and how."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

REQUEST_KINDS = frozenset(
    {
        "error", "html", "truncate", "cut", "drop", "drop_after_commit", "delay", "redirect",
        "huge", "gzip_bomb", "content_type",
    }
)  # fmt: skip
COMMAND_KINDS = frozenset({"subcommand_error"})
ROW_KINDS = frozenset({"bad_rows", "duplicate_rows", "hide_rows"})
KINDS = REQUEST_KINDS | COMMAND_KINDS | ROW_KINDS


@dataclass
class Fault:
    """One rule: the calls it matches, how many of them to let pass, how many to spoil."""

    kind: str
    match: str = "*"
    times: int = 1
    skip: int = 0
    status: int = 500
    code: str | int = "INTERNAL_SERVER_ERROR"
    description: str = "Internal server error"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    location: str = ""
    size: int = 500_000_000
    body: str = ""
    every: int = 2
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind: {self.kind}")
        self.match = self.match.lower()

    @property
    def spent(self) -> bool:
        """Whether it has spoilt all it should (`times` below 0 means for ever)."""
        return 0 <= self.times <= self.hits

    def fires(self, method: str) -> bool:
        """Decide for one call of `method`, counting it."""
        if self.spent or self.match not in ("*", method):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


class Faults:
    """The rules in force, asked once per request, per batch command and per page of rows."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def add(self, rule: dict[str, Any]) -> Fault:
        """Add a rule given as JSON; unknown keys are a mistake of the test and raise."""
        known = {f.name for f in fields(Fault)} - {"hits"}
        if unknown := set(rule) - known:
            raise ValueError(f"unknown fault keys: {', '.join(sorted(unknown))}")
        fault = Fault(**rule)
        self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """Forget every rule."""
        self.rules.clear()

    def describe(self) -> list[dict[str, Any]]:
        """The rules as JSON, with the number of calls each has spoilt."""
        return [asdict(rule) for rule in self.rules]

    def for_request(self, method: str) -> Fault | None:
        """The fault of a whole HTTP request, if any."""
        return self._first(REQUEST_KINDS, method)

    def for_command(self, method: str) -> Fault | None:
        """The fault of one command of a batch, if any."""
        return self._first(COMMAND_KINDS, method)

    def for_rows(self, method: str) -> Fault | None:
        """The fault of the rows a list method returns, if any."""
        return self._first(ROW_KINDS, method)

    def _first(self, kinds: frozenset[str], method: str) -> Fault | None:
        if not self.rules:
            return None
        return next((r for r in self.rules if r.kind in kinds and r.fires(method)), None)
