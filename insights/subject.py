"""Who a tab is about: a client, or a lead that may not have one yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from segments.rules.tree import Kind
from segments.worth.explain import Client


@dataclass(frozen=True, slots=True)
class LeadCard:
    """A lead: it has no deals of its own, so no figures."""

    kind: ClassVar[Kind] = Kind.LEAD
    id: int

    @property
    def name(self) -> str:
        """As `named` takes it: lead:7."""
        return f"{self.kind.value}:{self.id}"


Subject = Client | LeadCard


def named(name: str) -> Subject:
    """The client or lead of a name; ValueError for what is neither."""
    kind, _, number = name.partition(":")
    return LeadCard(int(number)) if kind == Kind.LEAD else Client.named(name)
