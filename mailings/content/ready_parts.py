"""What ready letters are put together from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mailings.rules.letters import BLOCKS
from mailings.rules.offers import Offer, OfferKind

Block = Mapping[str, str]
_NAMED = re.compile(r"\boffer\.([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready letter; its texts are meant to be changed."""

    kind: OfferKind
    name: str
    subject: str
    preheader: str
    blocks: tuple[Block, ...] = field(default=())

    def content(self, offer: Offer | None = None) -> dict[str, Any]:
        """As a mailing keeps it; what stands on an answer its offer does not give is left out."""
        blocks = self.blocks
        if offer is not None:
            silent = {name for name, value in asdict(offer).items() if not value}
            blocks = tuple(found for each in blocks if (found := _without(each, silent)))
        return {
            "subject": self.subject,
            "preheader": self.preheader,
            "how": "blocks",
            "blocks": [dict(each) for each in blocks],
        }


def _without(block: Block, silent: set[str]) -> Block | None:
    """The block without paragraphs and fields that say nothing; None when nothing is left of it."""
    kept = {}
    for name, value in block.items():
        parts = [part for part in value.split("\n\n") if not silent & set(_NAMED.findall(part))]
        if parts:
            kept[name] = "\n\n".join(parts)
    gone = any(each.needed and each.name not in kept for each in BLOCKS[block["type"]])
    return None if gone else kept


def heading(text: str) -> Block:
    """A title."""
    return {"type": "heading", "text": text}


def text(*paragraphs: str) -> Block:
    """Paragraphs."""
    return {"type": "text", "text": "\n\n".join(paragraphs)}


def button(words: str) -> Block:
    """A button that leads to the offer's page."""
    return {"type": "button", "text": words, "href": "{{ offer.url }}"}


def banner(title: str, words: str, tone: str = "accent") -> Block:
    """A coloured strip."""
    found = {"type": "banner", "title": title, "text": words}
    return found if tone == "accent" else {**found, "tone": tone}


def product(words: str, press: str) -> Block:
    """The product of the offer."""
    return {
        "type": "product",
        "title": "{{ offer.product }}",
        "text": words,
        "price": "{{ offer.price }}",
        "old_price": "{{ offer.old_price }}",
        "button": press,
        "href": "{{ offer.url }}",
    }


def review(words: str, author: str, role: str = "") -> Block:
    """Somebody's words."""
    found = {"type": "review", "text": words, "author": author}
    return {**found, "role": role} if role else found


DIVIDER: Block = {"type": "divider"}
