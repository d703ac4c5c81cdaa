"""What a REST method of the emulated portal is: its registry, its context, its answer, its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.portal.state import App, Portal


class ApiError(Exception):
    """An error answer: HTTP status, code (may be "" or an int, as on the real portal), description."""

    def __init__(self, status: int, code: str | int, description: str) -> None:
        super().__init__(f"{status} {code!r} {description}")
        self.status = status
        self.code = code
        self.description = description


@dataclass
class Result:
    """A success answer.

    `value` goes under `result`; it may contain orjson.Fragment (already encoded rows). `total` and
    `next` are added to the envelope only when not None. `seconds` is the simulated execution time
    billed to the `operating` budget.
    """

    value: Any
    total: int | None = None
    next: int | None = None
    seconds: float = 0.0


@dataclass
class Context:
    """Who calls: the portal, the acting user, the application (None for a webhook), the moment."""

    portal: Portal
    user_id: int
    app: App | None
    now: datetime
    scopes: frozenset[str] = frozenset()
    auth_connector: str = ""
    is_admin: bool = field(default=False)


Handler = Callable[[Context, dict[str, Any]], Result]


@dataclass(frozen=True)
class Method:
    """A registered REST method: its lower-case name, the scope it needs ("" = basic), its handler."""

    name: str
    scope: str
    handler: Handler


METHODS: dict[str, Method] = {}


def method(name: str, scope: str = "crm") -> Callable[[Handler], Handler]:
    """Register a handler under a REST method name (compared in lower case)."""

    def register(handler: Handler) -> Handler:
        METHODS[name.lower()] = Method(name.lower(), scope, handler)
        return handler

    return register
