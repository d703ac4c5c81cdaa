"""How much data to generate: named presets, or explicit numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sizes:
    """Row counts of the big tables; small tables (users, stages, fields…) do not depend on them.

    `companies` includes the portal's own company. `dirty` adds rows with emoji, very long and
    NUL-containing texts, which a tidy presentation may prefer to do without. `copies`: the counts are
    of a block, which the portal holds so many times over under other ids.
    """

    contacts: int = 60
    deals: int = 150
    companies: int = 20
    leads: int = 40
    activities: int = 120
    years: float = 3.5
    dirty: bool = True
    copies: int = 1

    def __post_init__(self) -> None:
        counts = (self.contacts, self.deals, self.companies, self.leads, self.activities)
        if min(counts) < 0 or self.years <= 0 or self.copies < 1:
            raise ValueError(f"sizes must not be negative: {self}")

    @classmethod
    def preset(cls, name: str) -> Sizes:
        """Return a preset by its name: tiny, small, demo, medium, large or huge."""
        return PRESETS[name]

    @classmethod
    def of(cls, contacts: int, deals: int, *, dirty: bool = True) -> Sizes:
        """Derive the other counts from explicit numbers of contacts and deals."""
        return cls(
            contacts=contacts,
            deals=deals,
            companies=max(1, contacts // 4),
            leads=contacts * 2 // 3,
            activities=deals,
            dirty=dirty,
        )

    def with_dirty(self, dirty: bool) -> Sizes:
        """Return the same sizes with or without the dirty rows."""
        return replace(self, dirty=dirty)


PRESETS = {
    "tiny": Sizes(),
    "small": Sizes(contacts=500, deals=1500, companies=125, leads=330, activities=1500),
    "demo": Sizes(contacts=3000, deals=9000, companies=750, leads=2000, activities=9000),
    "medium": Sizes(
        contacts=20_000, deals=60_000, companies=5_000, leads=13_000, activities=60_000
    ),
    "large": Sizes(
        contacts=100_000, deals=400_000, companies=25_000, leads=60_000, activities=200_000
    ),
    "huge": Sizes(  # 1,000,000 contacts and 5,000,000 deals
        contacts=25_000, deals=125_000, companies=6_250, leads=15_000, activities=50_000, copies=40
    ),
}
