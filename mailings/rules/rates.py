"""Figures of a mailing as shares: of what was sent, errors of what was attempted; an empty base has no share.

A ratio is None rather than nought where it would be divided by nothing: «nobody opened» and «nothing was
sent yet» are different news.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Counts:
    """How many recipients; each counts once whatever he did."""

    attempted: int = 0
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    errors: int = 0
    unsubscribed: int = 0
    complained: int = 0
    replied: int = 0
    converted: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of one; `click_to_open` is of those who opened, `errors` of the attempted, the rest of the sent."""

    opened: float | None
    clicked: float | None
    unsubscribed: float | None
    complained: float | None
    replied: float | None
    converted: float | None
    errors: float | None
    click_to_open: float | None


def rates(counts: Counts) -> Rates:
    """The shares these counts come to."""
    sent = counts.sent
    return Rates(
        opened=share(counts.opened, sent),
        clicked=share(counts.clicked, sent),
        unsubscribed=share(counts.unsubscribed, sent),
        complained=share(counts.complained, sent),
        replied=share(counts.replied, sent),
        converted=share(counts.converted, sent),
        errors=share(counts.errors, counts.attempted),
        click_to_open=share(counts.clicked, counts.opened),
    )


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`; None of nothing."""
    return part / whole if whole > 0 else None


def cost(sent: int, per_message: Decimal, of_content: Decimal) -> Decimal:
    """What a mailing cost: its messages and the work on it."""
    return sent * per_message + of_content


def roi(earned: Decimal, spent: Decimal) -> Decimal | None:
    """Gain per unit of money spent: 1.5 is 150 %. None where nothing was spent."""
    return (earned - spent) / spent if spent > 0 else None
