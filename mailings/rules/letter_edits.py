"""What a person changed in the letter's form, put into the draft: inputs by place, and one action.

An input of a block is named by its place and field: «blocks.0|text». An action: its name and what it is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailings.rules.letters import BLOCKS, MAX_BLOCKS, How, blank

MAX_CHARACTERS = 400_000
_WHOLE = ("subject", "preheader", "source", "footer", "colour", "how")

Draft = dict[str, Any]


class Unreadable(ValueError):
    """What was sent is no draft of a letter, or names a place it has not got."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A draft after a change. `focus`: the block to look at next."""

    draft: Draft
    focus: int | None = None


def parsed(text: str) -> Draft:
    """The draft of this JSON. Raises Unreadable."""
    try:
        raw = json.loads(text) if len(text) <= MAX_CHARACTERS else None
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise Unreadable
    blocks = [each for each in raw.get("blocks") or [] if isinstance(each, dict)]
    return {**raw, "blocks": [each for each in blocks if each.get("type") in BLOCKS]}


def edited(text: str, inputs: Mapping[str, str], action: str) -> Edited:
    """The draft with the form's inputs and then the action. Raises Unreadable."""
    draft = parsed(text)
    name, _, about = action.partition(" ")
    if name == "replace":
        return Edited(draft)
    for field in _WHOLE:
        if field in inputs:
            draft[field] = inputs[field]
    for number, block in enumerate(draft["blocks"]):
        for each in BLOCKS[block["type"]]:
            value = inputs.get(f"blocks.{number}|{each.name}")
            if value is not None:
                block[each.name] = value
    return Edited(draft, _act(draft, name, about) if name else None)


def _act(draft: Draft, name: str, about: str) -> int | None:
    blocks: list[dict[str, str]] = draft["blocks"]
    if name == "how":
        if about not in set(How):
            raise Unreadable
        draft["how"] = about
        return None
    if name == "add":
        kind, _, after = about.partition(" ")
        if kind not in BLOCKS or len(blocks) >= MAX_BLOCKS:
            raise Unreadable
        place = _place(after, blocks) + 1 if after else len(blocks)
        blocks.insert(place, blank(kind))
        return place
    place = _place(about, blocks)
    if name == "copy":
        if len(blocks) >= MAX_BLOCKS:
            raise Unreadable
        blocks.insert(place + 1, dict(blocks[place]))
        return place + 1
    if name == "remove":
        del blocks[place]
        return min(place, len(blocks) - 1) if blocks else None
    if name not in {"up", "down"}:
        raise Unreadable
    other = place + (1 if name == "down" else -1)
    if 0 <= other < len(blocks):
        blocks[place], blocks[other] = blocks[other], blocks[place]
        return other
    return place


def _place(text: str, blocks: list[dict[str, str]]) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < len(blocks)):
        raise Unreadable
    return int(text)
