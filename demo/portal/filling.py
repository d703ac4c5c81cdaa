"""Fills a store with generated data, as the command line or a test asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from demo.data.generate import generate
from demo.data.load import load
from demo.data.sizes import Sizes
from demo.portal.copies import repeat
from demo.portal.store import Store


@dataclass(frozen=True)
class Wish:
    """Which data to generate; explicit numbers win over the preset. `copies`: see Sizes."""

    seed: int = 1
    sizes: str = "tiny"
    contacts: int | None = None
    deals: int | None = None
    copies: int | None = None
    dirty: bool = True
    now: datetime | None = None

    @classmethod
    def of(cls, body: dict[str, Any], default: Wish) -> Wish:
        """A wish given as JSON; what is absent comes from the default.

        But for the moment, which is now, and the copies: they belong to the counts given.
        """
        given: dict[str, Any] = {
            key: body[key]
            for key in ("seed", "contacts", "deals", "copies", "dirty")
            if key in body
        }
        if "sizes" in body:
            given |= {"sizes": body["sizes"], "contacts": None, "deals": None} | given
        if given.keys() & {"sizes", "contacts", "deals"}:
            given.setdefault("copies", None)
        given["now"] = datetime.fromisoformat(body["now"]) if body.get("now") else None
        return replace(default, **given)

    @property
    def counts(self) -> Sizes:
        """The sizes meant."""
        found = self._preset_or_numbers()
        return replace(found.with_dirty(self.dirty), copies=self.copies or found.copies)

    def _preset_or_numbers(self) -> Sizes:
        if self.contacts is None and self.deals is None:
            return Sizes.preset(self.sizes)
        contacts = self.contacts if self.contacts is not None else (self.deals or 0) // 3
        deals = self.deals if self.deals is not None else contacts * 3
        return Sizes.of(contacts, deals)


def filled_store(wish: Wish) -> Store:
    """A new store with the data wished for."""
    store = Store()
    moment = wish.now or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    counts = wish.counts
    load(store, generate(wish.seed, counts, moment))
    if counts.copies > 1:
        repeat(store, counts.copies)
    return store
