"""The markup of texts in letters: paragraphs, «- » lists, **bold**, *italic*, [text](address).

Liquid marks are hidden (`Marks`) while anything else works on a text, so nothing takes them for markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from mailings.rules.templating import MARK

_HIDDEN = re.compile(r"qzm(\d+)mzq|<!--qzm(\d+)mzq-->")
_LINK = re.compile(r"\[([^\[\]\n]+)\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)")
_BOLD = re.compile(r"\*\*(\S(?:[^*\n]*\S)?)\*\*")
_ITALIC = re.compile(r"(?<![*\w])\*(\S(?:[^*\n]*\S)?)\*(?![*\w])")
_ITEM = re.compile(r"\s*[-–—•]\s+")

Linked = Callable[[str], str]
"""What stands in `href` for an address of the text."""


class Marks:
    """Liquid marks taken out of a text, and put back."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def hide(self, text: str, *, in_html: bool = False) -> str:
        """The text with words for marks; in HTML a tag between elements becomes a comment, which moves nothing."""

        def hidden(found: re.Match[str]) -> str:
            self.all.append(found.group())
            word = f"qzm{len(self.all) - 1}mzq"
            before = text[: found.start()]
            between = before.rfind("<") <= before.rfind(">")
            return f"<!--{word}-->" if in_html and between and found.group()[1] == "%" else word

        return MARK.sub(hidden, text)

    def show(self, text: str) -> str:
        """The text with its marks again."""
        return _HIDDEN.sub(lambda found: self.all[int(found.group(1) or found.group(2))], text)

    def missing(self, text: str) -> list[str]:
        """Marks that are no longer in the text."""
        left = {int(found.group(1) or found.group(2)) for found in _HIDDEN.finditer(text)}
        return [mark for number, mark in enumerate(self.all) if number not in left]

    @staticmethod
    def among(text: str) -> bool:
        """Whether any hidden mark is in the text."""
        return _HIDDEN.search(text) is not None


def html(text: str, linked: Linked) -> str:
    """As HTML: `<p>` and `<ul>` only, with links through `linked`."""
    pieces = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.split("\n")
        if all(_ITEM.match(line) for line in lines):
            items = (f"<li>{_inline(_ITEM.sub('', line, count=1), linked)}</li>" for line in lines)
            pieces.append(f"<ul>{''.join(items)}</ul>")
        else:
            pieces.append(f"<p>{'<br />'.join(_inline(line, linked) for line in lines)}</p>")
    return "".join(pieces)


def _inline(line: str, linked: Linked) -> str:
    done, position = [], 0
    for found in _LINK.finditer(line):
        done.append(_emphasised(line[position : found.start()]))
        words, address = found.groups()
        done.append(f'<a href="{escape(linked(address))}">{_emphasised(words)}</a>')
        position = found.end()
    return "".join((*done, _emphasised(line[position:])))


def _emphasised(text: str) -> str:
    safe = escape(text, quote=False)
    return _ITALIC.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", safe))
