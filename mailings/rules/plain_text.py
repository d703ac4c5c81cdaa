"""The text part of a letter, made of its HTML: paragraphs, lists, and links one can read."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_APART = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote"}
_BREAKING = _APART | {"div", "tr", "li", "hr", "center", "dl", "dt", "dd", "pre"}
_SILENT = {"style", "title", "head", "script"}
_WIDE = re.compile(r"[^\S\n]+")


def text(html: str) -> str:
    """What the letter says, without its looks; hidden marks and links' addresses stay."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [_WIDE.sub(" ", line).strip() for line in "".join(reader.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0
        self._hidden = 0
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _SILENT:
            self._silent += 1
        elif self._hidden or "display:none" in given.get("style", "").replace(" ", ""):
            self._hidden += tag not in {"br", "img", "hr", "col"}
        elif tag == "br":
            self.pieces.append("\n")
        elif tag == "hr":
            self.pieces.append("\n\n")
        elif tag == "img":
            self.pieces.append(given.get("alt", ""))
        elif tag == "a":
            self._links.append((given.get("href", ""), len(self.pieces)))
        elif tag == "li":
            self.pieces.append("\n- ")
        elif tag in _BREAKING:
            self.pieces.append("\n\n" if tag in _APART else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif self._hidden:
            self._hidden -= 1
        elif tag == "a" and self._links:
            self._close_link(*self._links.pop())
        elif tag in _BREAKING and tag != "li":
            self.pieces.append("\n\n" if tag in _APART else "\n")

    def handle_data(self, data: str) -> None:
        if not self._silent and not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))

    def handle_comment(self, data: str) -> None:
        if re.fullmatch(r"qzm\d+mzq", data):
            self.pieces.append(data)

    def _close_link(self, href: str, start: int) -> None:
        words = "".join(self.pieces[start:]).strip()
        address = href.removeprefix("mailto:").removeprefix("tel:")
        if words and address and address != words:
            self.pieces.append(f": {address} ")
