"""A compiled letter with one recipient's values in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailings.rules import written
from mailings.rules.templating import RenderFailed, Template

__all__ = ["Facts", "Letter", "RenderFailed", "Rendered"]

LINK = re.compile(r"rubilnik-link:(\d+);")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Facts:
    """A recipient's values by name, in plain dicts; sums and days are written in the letter's language."""

    values: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter to one person."""

    subject: str
    preheader: str
    html: str
    text: str


class Letter:
    """A compiled letter, parsed once."""

    def __init__(
        self, compiled: Mapping[str, Any], noted: Callable[[Any, int], Any] | None = None
    ) -> None:
        offer = written.values(compiled.get("offer") or {}, "ru")
        self._common = {"offer": offer, "unsubscribe": "rubilnik-link:0;"}
        self._language = str(compiled.get("language") or "ru")
        self._urls = {int(each["number"]): str(each["url"]) for each in compiled["links"]}
        self._subject = Template(compiled["subject"], html=False, noted=noted)
        self._preheader = Template(compiled["preheader"], html=False, noted=noted)
        self._html = Template(compiled["html"], html=True, noted=noted)
        self._text = Template(compiled["text"], html=False, noted=noted)

    def render(self, facts: Facts, linked: Callable[[int], str] | None = None) -> Rendered:
        """The letter for this person; raises RenderFailed.

        `linked` gives the address of a link by its number, 0 being the way out; without it they are the plain ones.
        """
        values = written.values(facts.values, self._language)
        values |= {**self._common, "code": facts.code or None}
        address = linked or self._plain

        def put(found: re.Match[str]) -> str:
            return address(int(found.group(1)))

        return Rendered(
            subject=" ".join(_BREAKS.sub(" ", self._subject.render(values)).split()),
            preheader=" ".join(_BREAKS.sub(" ", self._preheader.render(values)).split()),
            html=LINK.sub(put, self._html.render(values)),
            text=LINK.sub(put, self._text.render(values)),
        )

    def _plain(self, number: int) -> str:
        return self._urls.get(number, "#")
