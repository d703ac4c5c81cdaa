"""What of a portal is mirrored, as the administrator chose it: everything that isn't left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

LEAD, ACTIVITY, HISTORY = "lead", "activity", "history"
OPTIONAL = (LEAD, HISTORY, ACTIVITY)
_NEEDS = {
    "lead": {LEAD},
    "activity": {ACTIVITY},
    "deal_history": {HISTORY},
    "lead_history": {HISTORY, LEAD},
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """`skipped`: those of OPTIONAL that aren't read; `left_out`: codes of custom fields by entity."""

    skipped: frozenset[str] = frozenset()
    left_out: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Mapping[str, Any] | None) -> Self:
        """A stored rule; everything before anyone chose."""
        if content is None:
            return cls()
        left_out = {entity: frozenset(codes) for entity, codes in content["left_out"].items()}
        return cls(frozenset(content["skipped"]), left_out)

    @property
    def content(self) -> dict[str, Any]:
        """As it is stored."""
        left_out = {entity: sorted(codes) for entity, codes in self.left_out.items() if codes}
        return {"skipped": sorted(self.skipped), "left_out": left_out}

    def reads(self, source: str) -> bool:
        """Whether the rows of a source (an entity, or its history) are mirrored."""
        return not _NEEDS.get(source, set()) & self.skipped

    def sources_of(self, choice: str, sources: Iterable[str]) -> list[str]:
        """The sources that one of OPTIONAL stands for."""
        return [source for source in sources if choice in _NEEDS.get(source, ())]


@dataclass(frozen=True, slots=True)
class Use:
    """Something that needs an entity, or a custom field of it (`code`): by which rule (`by`)."""

    entity: str
    code: str | None
    by: str


def conflicts(wished: Keeping, uses: Iterable[Use]) -> list[Use]:
    """Uses of what would not be mirrored any more."""
    return [
        use
        for use in uses
        if (use.code is None and use.entity in wished.skipped)
        or (use.code is not None and use.code in wished.left_out.get(use.entity, ()))
    ]
