"""How long methods would take on a real portal: the seconds billed to the `operating` budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class CostModel:
    """Simple constants of the simulated execution time, in seconds."""

    base: float = 0.02
    row: float = 0.0006
    wide_factor: float = 2.2
    counted_row: float = 4e-6
    sorted_row: float = 1.5e-5
    dictionary: float = 0.01
    get: float = 0.03
    classic_write: float = 0.12
    item_write: float = 0.3
    schema_row: float = 2e-5

    def page(self, rows: int, *, wide: bool, matched: int = 0, ordered: bool = False) -> float:
        """A list page: its rows, the COUNT over what matched, the sort of a non-id order."""
        seconds = self.base + rows * self.row * (self.wide_factor if wide else 1.0)
        return seconds + matched * (self.counted_row + (self.sorted_row if ordered else 0.0))

    def alter(self, rows: int) -> float:
        """Adding or dropping a user field alters the table: the more rows, the longer."""
        return self.classic_write + rows * self.schema_row
