"""Rights in words: what each lets one do, and what a version of the list changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.web.words import gettext as _
from integration.rights import Right, Rights


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the history. `before` None: there was nothing."""

    title: str
    before: str | None
    after: str


def rights() -> dict[Right, str]:
    """What an employee may do."""
    return {
        Right.WRITE: _("Prepares"),
        Right.START: _("Prepares and starts"),
    }


def changes(
    names: Mapping[int, str], before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> list[Change]:
    """Whose rights differ between two versions."""
    old, new = Rights.read(before).given, Rights.read(after).given
    said, nothing = rights(), _("nothing")

    def what(right: Right | None) -> str:
        return nothing if right is None else said[right]

    return [
        Change(names.get(user, f"#{user}"), what(old.get(user)), what(new.get(user)))
        for user in sorted({*old, *new}, key=lambda user: names.get(user, ""))
        if old.get(user) != new.get(user)
    ]
