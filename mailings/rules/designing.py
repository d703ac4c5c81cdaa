"""Blocks of a letter as MJML: how each of them looks. Everything entered is escaped here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import groupby

from mailings.rules import markup
from mailings.rules.markup import Linked

Block = Mapping[str, str]
_FONT = "-apple-system, 'Segoe UI', Roboto, Arial, sans-serif"
_INK, _PALE, _PAGE = "#1f2933", "#667085", "#f2f4f7"
_STYLES = {
    "p": "margin:0 0 12px",
    "ul": "margin:0 0 12px;padding-left:22px",
    "li": "margin:0 0 4px",
}
_OF_THEIR_OWN = {"product", "review", "banner"}
_TONES = {"accent": ("", "#ffffff"), "dark": ("#1f2933", "#ffffff"), "light": ("#eaf2ff", _INK)}


class Designer:
    """Writes MJML; `linked` gives what stands in `href` for an address."""

    def __init__(self, linked: Linked, colour: str, language: str) -> None:
        self._linked, self._colour, self._language = linked, colour, language

    def document(self, preheader: str, blocks: Sequence[Block], footer: str) -> str:
        """The whole letter."""
        preview = f"<mj-preview>{escape(preheader, quote=False)}</mj-preview>" if preheader else ""
        return (
            f'<mjml lang="{self._language}"><mj-head>{preview}<mj-attributes>'
            f'<mj-all font-family="{_FONT}" />'
            f'<mj-text font-size="16px" line-height="24px" color="{_INK}" padding="8px 32px" />'
            f'<mj-section background-color="#ffffff" padding="0" />'
            f"</mj-attributes></mj-head>"
            f'<mj-body width="600px" background-color="{_PAGE}">'
            f"{_gap(_PAGE, 12)}{_gap('#ffffff', 20)}{self._sections(blocks)}{_gap('#ffffff', 20)}"
            f'<mj-section background-color="{_PAGE}" padding="8px 0 24px"><mj-column>'
            f'<mj-text font-size="12px" line-height="18px" color="{_PALE}" align="center">'
            f"{self._styled(footer, _PALE)}</mj-text></mj-column></mj-section></mj-body></mjml>"
        )

    def _sections(self, blocks: Sequence[Block]) -> str:
        """Blocks of one column share a section: fewer tables, a smaller letter."""
        drawn = [
            (block["type"] in _OF_THEIR_OWN, _DRAWN[block["type"]](self, block)) for block in blocks
        ]
        found = []
        for alone, group in groupby(drawn, key=lambda each: each[0]):
            inside = "".join(text for _, text in group)
            found.append(
                inside if alone else f"<mj-section><mj-column>{inside}</mj-column></mj-section>"
            )
        return "".join(found)

    def heading(self, block: Block) -> str:
        """A title."""
        size, line = ("26px", "32px") if block.get("size") != "small" else ("19px", "26px")
        return (
            f'<mj-text font-size="{size}" line-height="{line}" font-weight="700" '
            f'align="{block.get("align", "left")}">{_line(block, "text")}</mj-text>'
        )

    def text(self, block: Block) -> str:
        """Paragraphs."""
        align = block.get("align", "left")
        return f'<mj-text align="{align}">{self._paragraphs(block)}</mj-text>'

    def image(self, block: Block) -> str:
        """A picture, in full width."""
        return self._picture(block, block.get("alt", ""), "8px 32px")

    def button(self, block: Block) -> str:
        """A call to action."""
        return self._press(block, "text", block.get("align", "center"))

    def product(self, block: Block) -> str:
        """A thing that is sold: picture on the left, words and price on the right."""
        picture = self._picture(block, "", "8px 16px 8px 32px")
        old = _line(block, "old_price")
        price = f"<strong>{_line(block, 'price')}</strong>" if block.get("price") else ""
        cost = price + (f' <s><span class="old">{old}</span></s>' if old else "")
        words = (
            f'<mj-text font-size="18px" font-weight="700" padding="4px 32px 0">{_line(block, "title")}</mj-text>'
            + (f"<mj-text>{self._paragraphs(block)}</mj-text>" if block.get("text") else "")
            + (f'<mj-text font-size="18px">{cost}</mj-text>' if cost else "")
            + self._press(block, "button", "left")
        )
        if not picture:
            return f"<mj-section><mj-column>{words}</mj-column></mj-section>"
        columns = f'<mj-column width="40%">{picture}</mj-column><mj-column width="60%">{words}</mj-column>'
        return f'<mj-section padding="8px 0">{columns}</mj-section>'

    def news(self, block: Block) -> str:
        """What has happened."""
        date = _line(block, "date")
        return (
            (f'<mj-text font-size="13px" color="{_PALE}" padding="8px 32px 0">{date}</mj-text>' if date else "")
            + f'<mj-text font-size="19px" line-height="26px" font-weight="700" padding="4px 32px">{_line(block, "title")}</mj-text>'
            + f"<mj-text>{self._paragraphs(block)}</mj-text>"
            + self._press(block, "button", "left")
        )  # fmt: skip

    def review(self, block: Block) -> str:
        """Somebody's words about us."""
        role = f", {_line(block, 'role')}" if block.get("role") else ""
        return (
            f'<mj-section padding="8px 32px"><mj-column background-color="{_PAGE}" border-radius="10px" padding="8px 0">'
            f'<mj-text padding="12px 20px 0" font-style="italic">{self._paragraphs(block)}</mj-text>'
            f'<mj-text padding="0 20px 12px" font-size="14px" color="{_PALE}">'
            f"<strong>{_line(block, 'author')}</strong>{role}</mj-text></mj-column></mj-section>"
        )

    def banner(self, block: Block) -> str:
        """A coloured strip with few words."""
        back, ink = _TONES[block.get("tone", "accent")]
        pressed = self._press(block, "button", "center", inverse=bool(ink == "#ffffff"))
        words = f'<mj-text align="center" color="{ink}">{self._paragraphs(block)}</mj-text>'
        return (
            f'<mj-section padding="8px 32px"><mj-column background-color="{back or self._colour}" '
            f'border-radius="12px" padding="16px 0"><mj-text align="center" font-size="22px" '
            f'line-height="28px" font-weight="700" color="{ink}">{_line(block, "title")}</mj-text>'
            f"{words if block.get('text') else ''}{pressed}</mj-column></mj-section>"
        )

    def divider(self, _block: Block) -> str:
        """A thin line."""
        return '<mj-divider border-width="1px" border-color="#e4e7ec" padding="12px 32px" />'

    def _paragraphs(self, block: Block) -> str:
        inherits = block["type"] == "banner"
        return self._styled(block.get("text", ""), "inherit" if inherits else self._colour)

    def _styled(self, text: str, ink: str) -> str:
        found = markup.html(text, self._linked)
        for tag, style in {**_STYLES, "a": f"color:{ink}"}.items():
            found = re.sub(rf"<{tag}(?=[ >])", f'<{tag} style="{style}"', found)
        return found

    def _picture(self, block: Block, alt: str, padding: str) -> str:
        if not block.get("src"):
            return ""
        href = f' href="{escape(self._linked(block["href"]))}"' if block.get("href") else ""
        return (
            f'<mj-image src="{escape(block["src"])}" alt="{escape(alt)}"{href} '
            f'padding="{padding}" border-radius="8px" />'
        )

    def _press(self, block: Block, words: str, align: str, *, inverse: bool = False) -> str:
        if not block.get(words):
            return ""
        back, ink = ("#ffffff", _INK) if inverse else (self._colour, "#ffffff")
        return (
            f'<mj-button href="{escape(self._linked(block.get("href", "")))}" background-color="{back}" color="{ink}" '
            f'font-size="16px" font-weight="600" border-radius="10px" inner-padding="13px 26px" '
            f'align="{align}" padding="10px 32px">{_line(block, words)}</mj-button>'
        )


_DRAWN: Mapping[str, Callable[[Designer, Block], str]] = {
    "heading": Designer.heading, "text": Designer.text, "image": Designer.image,
    "button": Designer.button, "product": Designer.product, "news": Designer.news,
    "review": Designer.review, "banner": Designer.banner, "divider": Designer.divider,
}  # fmt: skip


def _gap(colour: str, height: int) -> str:
    return (
        f'<mj-section background-color="{colour}"><mj-column>'
        f'<mj-spacer height="{height}px" /></mj-column></mj-section>'
    )


def _line(block: Block, name: str) -> str:
    return escape(block.get(name, ""), quote=False)
