"""What a letter is made of, as its author wrote it: the JSON of `Mailing.content`.

`{"subject", "preheader", "how": "blocks"|"html"|"mjml"|"text", "source", "blocks": [{"type", …}], "footer", "colour"}`.
The fields of each block are rows of BLOCKS: the form, the check and the compiler read the same row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

MAX_BLOCKS = 60
SUBJECT_LENGTH, PREHEADER_LENGTH, SOURCE_LENGTH = 250, 250, 200_000
COLOUR = "#0075ff"
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_ALONE = re.compile(r"\{\{\s*([a-z_]+\.[a-z_]+)\s*\}\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


class How(StrEnum):
    """What the letter is written in."""

    BLOCKS = "blocks"
    HTML = "html"
    MJML = "mjml"
    TEXT = "text"


class Input(StrEnum):
    """What is entered into a field of a block."""

    LINE = "line"
    TEXT = "text"  # paragraphs, **bold**, *italic*, [text](address), «- » lists
    URL = "url"
    IMAGE = "image"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a block; `choices`: the first is meant when nothing is chosen."""

    name: str
    kind: Input = Input.LINE
    needed: bool = False
    choices: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """How much may be entered."""
        return {Input.TEXT: 10_000, Input.URL: 2_000, Input.IMAGE: 2_000}.get(self.kind, 300)


_ALIGN = Field("align", Input.CHOICE, choices=("left", "center"))
BLOCKS: Mapping[str, tuple[Field, ...]] = {
    "heading": (
        Field("text", needed=True),
        Field("size", Input.CHOICE, choices=("large", "small")),
        _ALIGN,
    ),
    "text": (Field("text", Input.TEXT, needed=True), _ALIGN),
    "image": (
        Field("src", Input.IMAGE, needed=True),
        Field("alt", needed=True),
        Field("href", Input.URL),
    ),
    "button": (
        Field("text", needed=True),
        Field("href", Input.URL, needed=True),
        Field("align", Input.CHOICE, choices=("center", "left")),
    ),
    "product": (
        Field("title", needed=True),
        Field("src", Input.IMAGE),
        Field("text", Input.TEXT),
        Field("price"),
        Field("old_price"),
        Field("button"),
        Field("href", Input.URL),
    ),
    "news": (
        Field("title", needed=True),
        Field("date"),
        Field("text", Input.TEXT, needed=True),
        Field("button"),
        Field("href", Input.URL),
    ),
    "review": (Field("text", Input.TEXT, needed=True), Field("author", needed=True), Field("role")),
    "banner": (
        Field("title", needed=True),
        Field("text", Input.TEXT),
        Field("tone", Input.CHOICE, choices=("accent", "dark", "light")),
        Field("button"),
        Field("href", Input.URL),
    ),
    "divider": (),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a letter, and where: `blocks.2.href`, `subject`. `part`: the words it is about."""

    path: str
    code: str
    part: str = ""


class BadLetter(Exception):
    """A letter that can't be sent as it is: `problems`."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{each.path}: {each.code} {each.part}" for each in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Content:
    """A letter as its author wrote it."""

    subject: str = ""
    preheader: str = ""
    how: How = How.BLOCKS
    source: str = ""
    blocks: tuple[Mapping[str, str], ...] = field(default=())
    footer: str = ""
    colour: str = COLOUR

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Content:
        """From JSON of any origin: what has no place is left out, what is too long or unfit raises BadLetter."""
        problems: list[Problem] = []
        blocks = raw.get("blocks") or []
        if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS:
            raise BadLetter([Problem("blocks", "too_many", str(MAX_BLOCKS))])
        how = raw.get("how") or How.BLOCKS
        if how not in set(How):
            raise BadLetter([Problem("how", "unknown", str(how)[:40])])
        colour = str(raw.get("colour") or COLOUR).lower()
        if not _COLOUR.fullmatch(colour):
            problems.append(Problem("colour", "colour", colour[:40]))
        found = cls(
            subject=_line(raw.get("subject"), "subject", SUBJECT_LENGTH, problems),
            preheader=_line(raw.get("preheader"), "preheader", PREHEADER_LENGTH, problems),
            how=How(how),
            source=_text(raw.get("source"), "source", SOURCE_LENGTH, problems),
            blocks=tuple(_block(each, f"blocks.{n}", problems) for n, each in enumerate(blocks)),
            footer=_text(raw.get("footer"), "footer", 2_000, problems),
            colour=colour,
        )
        if problems:
            raise BadLetter(problems)
        return found

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        kept = {
            "subject": self.subject, "preheader": self.preheader, "how": self.how.value,
            "source": self.source, "blocks": [dict(each) for each in self.blocks],
            "footer": self.footer, "colour": self.colour,
        }  # fmt: skip
        return {name: value for name, value in kept.items() if value or name in {"subject", "how"}}

    def with_values(self, values: Mapping[str, str]) -> Content:
        """With these put in for `{{ name }}` that stands alone, so that what turns out empty leaves no gap."""

        def filled(text: str) -> str:
            return _ALONE.sub(lambda found: values.get(found.group(1), found.group()), text)

        written = self.how in {How.HTML, How.MJML}
        return replace(
            self,
            subject=_BREAKS.sub(" ", filled(self.subject)).strip(),
            preheader=_BREAKS.sub(" ", filled(self.preheader)).strip(),
            blocks=tuple({name: filled(value) for name, value in b.items()} for b in self.blocks),
            footer=filled(self.footer),
            source=self.source if written else filled(self.source),
        )

    def unfinished(self) -> Iterator[Problem]:
        """What must still be filled in before the letter can be sent."""
        if not self.subject.strip():
            yield Problem("subject", "empty")
        if self.how is not How.BLOCKS:
            if not self.source.strip():
                yield Problem("source", "empty")
            return
        if not self.blocks:
            yield Problem("blocks", "empty")
        for number, block in enumerate(self.blocks):
            for each in BLOCKS[block["type"]]:
                if each.needed and not block.get(each.name, "").strip():
                    yield Problem(f"blocks.{number}.{each.name}", "empty")
            if block.get("button") and not block.get("href"):
                yield Problem(f"blocks.{number}.href", "empty")


def blank(kind: str) -> dict[str, str]:
    """A new block of this type."""
    return {"type": kind}


def _block(raw: Any, path: str, problems: list[Problem]) -> Mapping[str, str]:
    kind = raw.get("type") if isinstance(raw, dict) else None
    if kind not in BLOCKS:
        problems.append(Problem(path, "unknown", str(kind)[:40]))
        return {"type": "divider"}
    found = {"type": str(kind)}
    for each in BLOCKS[str(kind)]:
        place = f"{path}.{each.name}"
        read = _text if each.kind is Input.TEXT else _line
        value = read(raw.get(each.name), place, each.longest, problems)
        if each.kind in {Input.URL, Input.IMAGE}:
            value = value.strip()
        if each.choices and value and value not in each.choices:
            problems.append(Problem(place, "unknown", value[:40]))
        elif value and value != next(iter(each.choices), None):
            found[each.name] = value
    return found


def _line(raw: Any, path: str, longest: int, problems: list[Problem]) -> str:
    value = _text(raw, path, longest, problems)
    if _BREAKS.search(value):
        problems.append(Problem(path, "line_break"))
    return value


def _text(raw: Any, path: str, longest: int, problems: list[Problem]) -> str:
    if raw is None:
        return ""
    if not isinstance(raw, str):
        problems.append(Problem(path, "not_text"))
        return ""
    value = raw.replace("\r\n", "\n").replace("\r", "\n") if "\n" in raw else raw
    if _CONTROL.search(value):
        problems.append(Problem(path, "control"))
    if len(value) > longest:
        problems.append(Problem(path, "too_long", str(longest)))
    return value
