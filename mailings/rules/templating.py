"""The little language of letters, Liquid: `{{ client.name | default: "коллега" }}`, and all it may not do.

Only values of plain dicts are reached, by a list of tags and filters; what a template may cost is bounded before it is
rendered (its length, its loops) and while it is (what it writes, and every single value).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from liquid import Environment
from liquid.exceptions import LiquidError

MAX_SOURCE = 300_000
MAX_MARKS, MAX_MARK = 10_000, 1_000
_MAX_VALUE = 20_000
_MAX_NUMBER = 10**15
_TAGS = frozenset({"content", "output", "illegal", "if", "unless", "case", "for", "assign"})
_WORDS = _TAGS | {"elsif", "else", "when", "endif", "endunless", "endcase", "endfor"}
_FILTERS = (
    *("default", "upcase", "downcase", "capitalize", "strip", "truncate", "truncatewords"),
    *("append", "prepend", "replace", "remove", "size", "first", "last", "join"),
    *("plus", "minus", "times", "divided_by", "round"),
)
_INSIDE = (
    r"(?:(?!\{\{|\{%|\}\}|%\}).)*"  # stops at the next bracket: a thousand open ones stay cheap
)
MARK = re.compile(rf"\{{\{{{_INSIDE}\}}\}}|\{{%{_INSIDE}%\}}", re.DOTALL)
_OPEN = re.compile(r"\{\{|\{%")
_NAME = re.compile(r"\{%-?\s*(\w+|#)?")
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
_UNSAFE = frozenset("<>&\"'")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a template: a code, and the part it is about."""

    code: str
    part: str = ""


class RenderFailed(Exception):
    """The template can't be rendered for these values: it costs too much, or computes nonsense."""


class _TooMuch(LiquidError):
    """A value grew beyond every use in a letter."""


class _Limited(Environment):
    block_nesting_limit = 10
    context_depth_limit = 20
    loop_iteration_limit = 100
    output_stream_limit = 500_000
    local_namespace_limit = _MAX_VALUE

    def __init__(self, *, html: bool, noted: Callable[[Any, int], Any] | None = None) -> None:
        super().__init__(autoescape=html)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        self.filters = {name: _bounded(name, self.filters[name]) for name in _FILTERS}
        if noted is not None:
            self.filters["noted"] = noted


class Template:
    """A template that passed `troubles`, ready to be rendered many times."""

    def __init__(
        self, source: str, *, html: bool, noted: Callable[[Any, int], Any] | None = None
    ) -> None:
        if not MARK.search(source):
            self._constant: str | None = source
            return
        environment = _HTML if html else _TEXT
        if noted is not None:
            environment = _Limited(html=html, noted=noted)
            source = _with_notes(source)
        self._constant, self._parsed = None, environment.from_string(source)

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for these values; raises RenderFailed."""
        if self._constant is not None:
            return self._constant
        try:
            return self._parsed.render(values)
        except (LiquidError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
            raise RenderFailed(str(error).partition("\n")[0]) from error


def troubles(source: str, known: Callable[[tuple[str, ...]], bool]) -> list[Trouble]:
    """Why the template is refused, if it is; `known` tells whether there is a value of this path."""
    if len(source) > MAX_SOURCE:
        return [Trouble("too_long")]
    marks = MARK.findall(source)
    if sum(map(len, marks)) > MAX_MARKS:
        return [Trouble("too_many_marks")]
    if stray := _OPEN.search(MARK.sub("", source)):
        return [Trouble("unpaired", stray.group())]
    found = [trouble for mark in marks if (trouble := _of_mark(mark))]
    return found or list(_of_meaning(source, known))


def outputs(source: str) -> list[str]:
    """The marks that write a value, in their order."""
    return [mark for mark in MARK.findall(source) if mark.startswith("{{")]


def _of_mark(mark: str) -> Trouble | None:
    inside = mark[2:-2]
    if len(mark) > MAX_MARK:
        return Trouble("expression", mark[:80])
    if not inside.strip(" \t\r\n-"):
        return Trouble("empty", mark)
    if mark.startswith("{%"):
        name = _NAME.match(mark)
        if name is None or name.group(1) not in _WORDS:
            return Trouble("tag", mark)
    if any(_UNSAFE & set(text[1:-1]) for text in _QUOTED.findall(inside)):
        return Trouble("quoted", mark)
    bare = _QUOTED.sub("", inside)
    if ".." in bare or "[" in bare or "noted" in bare:
        return Trouble("expression", mark)
    return None


def _of_meaning(source: str, known: Callable[[tuple[str, ...]], bool]) -> Iterator[Trouble]:
    try:
        analysis = _TEXT.from_string(source).analyze()
    except (LiquidError, ValueError, RecursionError) as error:
        yield Trouble("syntax", str(error).partition("\n")[0])
        return
    for name in sorted(set(analysis.filters) - set(_FILTERS)):
        yield Trouble("syntax", name)
    for variables in analysis.globals.values():
        for path in sorted({tuple(map(str, each.segments)) for each in variables}):
            if not known(path):
                yield Trouble("unknown_name", ".".join(path))


def _with_notes(source: str) -> str:
    number = iter(range(MAX_MARKS))

    def noted(mark: re.Match[str]) -> str:
        text = mark.group()
        if text.startswith("{%"):
            return text
        opening, closing = ("{{-" if text[2] == "-" else "{{"), ("-}}" if text[-3] == "-" else "}}")
        inside = text[len(opening) : -len(closing)]
        return f"{opening} {inside} | noted: {next(number)} {closing}"

    return MARK.sub(noted, source)


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(value: Any, *arguments: Any, **named: Any) -> Any:
        if name == "replace" and len(str(value)) * len(str(arguments[-1:])) > _MAX_VALUE**2 / 100:
            raise _TooMuch("a replacement is too long", token=None)
        found = function(value, *arguments, **named)
        if isinstance(found, str) and len(found) > _MAX_VALUE:
            raise _TooMuch("a value is too long", token=None)
        if isinstance(found, int | float) and abs(found) > _MAX_NUMBER:
            raise _TooMuch("a number is too large", token=None)
        return found

    return call


_HTML, _TEXT = _Limited(html=True), _Limited(html=False)
