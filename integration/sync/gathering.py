"""How much of what a portal sends goes into one commit."""

from __future__ import annotations

import time
from collections.abc import Iterator

from core.errors import ServiceError
from integration.bitrix.lists import PAGE
from integration.sync.lines import Row, Rows

ROWS_PER_COMMIT = 50 * PAGE
SECONDS_PER_COMMIT = 0.5


def gathered(pages: Iterator[Rows]) -> Iterator[list[Row]]:
    """Several pages in one, as long as they come quickly. What came before a failure is kept."""
    found: list[Row] = []
    began = time.monotonic()
    try:
        for page in pages:
            found += page
            if len(found) >= ROWS_PER_COMMIT or time.monotonic() - began > SECONDS_PER_COMMIT:
                yield found
                found, began = [], time.monotonic()
    except ServiceError:
        if found:
            yield found
        raise
    if found:
        yield found
