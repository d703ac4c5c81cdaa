"""The names of the icons that were put into the sprite."""

from __future__ import annotations

import re
from functools import cache

from core.web.shell import STATIC


@cache
def icons() -> list[str]:
    """In alphabetical order."""
    sprite = (STATIC / "vendor" / "icons.svg").read_text(encoding="utf-8")
    return sorted(re.findall(r'<symbol id="(\w+)"', sprite))
