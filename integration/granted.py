"""What the portal lets the application do: asked of the portal itself, with the access everything is done with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from core.runtime import Runtime
from integration.bitrix.budgets import Priority
from integration.bitrix.errors import UnexpectedAnswer
from integration.connect import connect, limiter
from integration.models import Portal

NEEDED = ("crm", "placement", "user_basic")
USEFUL = ("catalog", "im")
"""Without these the application works, but tells less."""
_IN_OTHERS = {"user_basic": frozenset({"user", "user_basic"})}


@dataclass(frozen=True, slots=True)
class Granted:
    """The scopes granted, and the employee the application acts as.

    `per_second`: how often the portal's plan may be asked; None: as often as one likes.
    """

    scopes: frozenset[str]
    employee: str
    is_admin: bool
    per_second: float | None

    def has(self, scope: str) -> bool:
        """Whether a scope is granted, by itself or within a wider one."""
        return bool(_IN_OTHERS.get(scope, frozenset({scope})) & self.scopes)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Scopes without which it can't work."""
        return tuple(scope for scope in NEEDED if not self.has(scope))

    @property
    def enough(self) -> bool:
        """Whether everything needed is there."""
        return not self.lacking and self.is_admin


def ask(runtime: Runtime, portal: Portal) -> Granted:
    """Ask the portal now. Raises BitrixError."""
    client = connect(runtime, portal, priority=Priority.INTERACTIVE)
    answered = client.batch({"scope": ("scope", {}), "profile": ("profile", {})})
    scopes, profile = (answered.answer(key).result for key in ("scope", "profile"))
    if not isinstance(scopes, list) or not isinstance(profile, dict):
        raise UnexpectedAnswer("the portal does not tell what it grants")
    rate = limiter(runtime, portal).at(Priority.INTERACTIVE).limits.per_second
    return Granted(
        scopes=frozenset(str(scope) for scope in scopes),
        employee=_name(profile),
        is_admin=profile.get("ADMIN") is True,
        per_second=None if math.isinf(rate) else rate,
    )


def _name(profile: dict[str, Any]) -> str:
    parts = (str(profile.get(key) or "").strip() for key in ("NAME", "LAST_NAME"))
    return " ".join(filter(None, parts)) or f"#{profile.get('ID')}"
