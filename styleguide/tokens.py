"""The design tokens as they stand in the style sheets: names, and values in the light and in the dark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from core.web.shell import STATIC

_TOKEN = re.compile(r"^  --([\w-]+): (.+);$", re.MULTILINE)
_COLOUR = re.compile(r"#[0-9a-f]{6}(?:[0-9a-f]{2})?")
_SIZE = re.compile(r"\d+px")
_KINDS = {"r": "radius", "h": "height", "fs": "type", "sh": "shadow", "t": "time"}


@dataclass(frozen=True)
class Token:
    """A design token; `dark` is None where it is the same in both themes."""

    name: str
    light: str
    dark: str | None = None

    @property
    def kind(self) -> str:
        """What it is for: colour, type, radius, height, shadow, time or other."""
        if _COLOUR.fullmatch(self.light):
            return "colour"
        return _KINDS.get(self.name.partition("-")[0], "other")

    @property
    def pixels(self) -> int | None:
        """A length as a number."""
        return int(self.light.removesuffix("px")) if _SIZE.fullmatch(self.light) else None


@cache
def tokens() -> dict[str, list[Token]]:
    """All tokens by kind, in their order."""
    light, dark = _read("tokens.css"), _read("dark.css")
    found: dict[str, list[Token]] = {}
    for name, value in light.items():
        token = Token(name, value, dark.get(name))
        found.setdefault(token.kind, []).append(token)
    return found


def _read(sheet: str) -> dict[str, str]:
    """What the first block of a style sheet says; later ones are for small windows."""
    block = (STATIC / sheet).read_text(encoding="utf-8").partition("\n}")[0]
    return dict(_TOKEN.findall(block))
