"""The colours of the design tokens can be told apart, in the light and in the dark (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re

import pytest

from core.web.shell import STATIC
from styleguide.tokens import tokens

GROUNDS = ("surface", "surface-2", "surface-3", "tile", "bg")
WORDS = [
    *((ink, ground) for ink in ("text", "text-2", "link") for ground in GROUNDS),
    *((f"on-{tone}-soft", f"{tone}-soft") for tone in ("success", "warning", "danger")),
    *(("link", "primary-soft"), ("sel-text", "sel-bg"), ("ai", "ai-soft")),
    ("placeholder", "surface"),
]
FILLED_IN = {
    "components.css": (".input", ".check input", ".switch-track"),
    "segments.css": (".lookup-box .search",),
}
"""What one types into, ticks or turns: it is known by its edge alone."""
EDGE = re.compile(
    r"(?:box-shadow: inset|border:|background:)[^;]*?var\(--(field|line[\w-]*|text-\d)\)"
)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first, second):
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.fixture(params=["light", "dark"])
def colours(request):
    return {each.name: getattr(each, request.param) or each.light for each in tokens()["colour"]}


def test_words_are_readable_on_their_ground(colours):
    faint = {pair: contrast(*(colours[name] for name in pair)) for pair in WORDS}
    assert {pair: round(found, 2) for pair, found in faint.items() if found < 4.5} == {}


def test_what_is_filled_in_is_told_from_its_ground(colours):
    edges = {
        EDGE.search(rule(sheet, selector))[1]
        for sheet, selectors in FILLED_IN.items()
        for selector in selectors
    }
    faint = {
        (edge, ground): contrast(colours[edge], colours[ground])
        for edge in (*edges, "primary", "danger")
        for ground in GROUNDS
        if edge in edges or ground == "surface"
    }
    assert {pair: round(found, 2) for pair, found in faint.items() if found < 3} == {}


def test_only_readable_colours_are_given_to_words():
    """What a field says while it is empty, and the words of drawings, are seen by no browser's check."""
    words = re.compile(
        r"[^{}\n]*(?:placeholder|text)\b[^{}\n]*{[^{}]*?(?:color|fill): var\(--([\w-]+)\)"
    )
    given = {
        name
        for sheet in STATIC.glob("*.css")
        for name in words.findall(sheet.read_text(encoding="utf-8"))
    }
    assert "placeholder" in given
    assert given <= {ink for ink, _ in WORDS}


def rule(sheet, selector):
    text = (STATIC / sheet).read_text(encoding="utf-8")
    return re.search(rf"^{re.escape(selector)} {{(.+?)}}", text, re.MULTILINE | re.DOTALL)[1]
