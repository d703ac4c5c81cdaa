"""RFM: how recently, how often and for how much a client bought, each as a score from 1 to 5, and the group it makes.

A score counts edges: 1 and one more for each edge the value reaches. Edges are drawn so that equal shares of
the buyers lie between them: score = 1 + ⌊5 · (values strictly below) / (all values)⌋, so that equal values share
a score; or they are chosen by an administrator. Recency is counted backwards: the fewest days get 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

SCORES = 5
FEWEST_BUYERS = 50
"""Below this, equal shares say nothing and thresholds are used."""
WINDOW_DAYS = 365
FRESH_DAYS = 60
"""A card no older than this is new while it has bought nothing."""
MUCH = 4
"""From this score for money on, a cell may have a name of its own."""

FRESH, NEVER = "new_without_orders", "lost_without_orders"
LOST = "lost"
GROUPS = (
    *("best", "regulars", "growing", "newcomers", "big_start", "attention", "fading"),
    *("cannot_lose", "at_risk", "sleeping", LOST),
)
"""Groups of buyers, the dearest first."""
ALL_GROUPS = (*GROUPS, FRESH, NEVER)


@dataclass(frozen=True, slots=True)
class Edges:
    """The values from which a score is one higher, ascending, four at most: days, purchases, money."""

    days: tuple[int, ...]
    purchases: tuple[int, ...]
    money: tuple[Decimal, ...]


_DAYS = (31, 91, 181, 271)
_PURCHASES = (2, 3, 4, 6)
_OF_AVERAGE_CHECK = (Decimal("0.5"), Decimal(1), Decimal(2), Decimal(4))


def usual_edges(average_check: Decimal | None) -> Edges:
    """Thresholds while nobody has chosen: for money, half the average check, one, two and four of them."""
    check = average_check if average_check is not None and average_check > 0 else Decimal(1000)
    money = tuple(_rounded(check * times) for times in _OF_AVERAGE_CHECK)
    return Edges(_DAYS, _PURCHASES, money)


def _rounded(amount: Decimal) -> Decimal:
    """To two digits that matter."""
    step = Decimal(10) ** max(amount.adjusted() - 1, -2)
    return max((amount / step).quantize(Decimal(1)) * step, Decimal("0.01"))


# Rows are R from 5 to 1, columns F from 1 to 5; after a slash the name for M of 4 and 5.
_MAP = """
newcomers/big_start growing/big_start growing   regulars/best       regulars/best
newcomers/big_start growing/big_start growing   regulars/best       regulars/best
fading              attention         attention regulars            regulars
sleeping            sleeping          at_risk   at_risk/cannot_lose at_risk/cannot_lose
lost                lost              at_risk   at_risk/cannot_lose at_risk/cannot_lose
"""


def place_of(r: int, f: int, *, much: bool) -> int:
    """Where a cell's name is in a matrix."""
    return ((r - 1) * SCORES + f - 1) * 2 + much


def _read(written: str) -> tuple[str, ...]:
    found = [LOST] * (SCORES * SCORES * 2)
    for row, line in enumerate(written.split("\n")[1:-1]):
        for column, cell in enumerate(line.split()):
            name, _slash, of_much = cell.partition("/")
            for much in (False, True):
                found[place_of(SCORES - row, column + 1, much=much)] = (
                    of_much if much and of_much else name
                )
    return tuple(found)


MATRIX = _read(_MAP)
"""The group of each cell: 25 cells by R and F, twice, for little and for much money."""
