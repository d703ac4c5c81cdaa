"""A letter tried on real people before it goes out: what stays empty for whom, and where it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from sqlalchemy.orm import Session

from mailings.content import recipients
from mailings.content.rendering import Facts, Letter, RenderFailed
from mailings.rules import templating

PEOPLE = 50


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody the letter is tried on."""

    kind: str
    id: int
    name: str = ""


@dataclass(slots=True)
class Findings:
    """What a trial showed: people by each placeholder that was empty for them; those it broke for."""

    tried: int = 0
    empty: dict[str, list[Person]] = field(default_factory=dict)
    broken: list[tuple[Person, str]] = field(default_factory=list)


class _Noticing:
    """Remembers which placeholders were written empty."""

    def __init__(self) -> None:
        self.empty: set[int] = set()

    def __call__(self, value: Any, number: int) -> Any:
        """A filter after every other one of a placeholder."""
        if value is None or str(value).strip() == "" or value == []:
            self.empty.add(number)
        return value


def check(
    session: Session, portal_id: int, compiled: Mapping[str, Any], people: Iterable[Person]
) -> Findings:
    """Render the letter for each of them."""
    listed = list(people)[:PEOPLE]
    facts = of_people(session, portal_id, listed)
    findings = Findings(tried=len(listed))
    noticing = [(each, _Noticing()) for each in ("subject", "preheader", "html", "text")]
    letters = [(part, notice, _one(compiled, part, notice)) for part, notice in noticing]
    marks = {part: templating.outputs(compiled[part]) for part, _notice in noticing}
    for person in listed:
        known = facts[(person.kind, person.id)]
        missing: dict[str, None] = {}
        try:
            for part, notice, letter in letters:
                notice.empty.clear()
                letter.render(known)
                missing |= dict.fromkeys(marks[part][number] for number in sorted(notice.empty))
        except RenderFailed as error:
            findings.broken.append((person, str(error)))
        for mark in missing:
            findings.empty.setdefault(mark, []).append(person)
    return findings


def of_people(
    session: Session, portal_id: int, people: Iterable[Person]
) -> dict[tuple[str, int], Facts]:
    """The values of people who have no delivery: with an example for what only a delivery has."""
    listed = list(people)
    rows = [
        SimpleNamespace(
            id=number, kind=each.kind, client_id=each.id, address=EXAMPLE, code=EXAMPLE_CODE
        )
        for number, each in enumerate(listed)
    ]
    found = recipients.facts(session, portal_id, rows)
    return {(each.kind, each.id): found[number] for number, each in enumerate(listed)}


EXAMPLE, EXAMPLE_CODE = "client@example.com", "PROMO-0001"


def _one(compiled: Mapping[str, Any], part: str, notice: _Noticing) -> Letter:
    """The letter with nothing but this part, so that numbers of placeholders are of it."""
    blank = dict.fromkeys(("subject", "preheader", "html", "text"), "")
    return Letter({**compiled, **blank, part: compiled[part]}, noted=notice)
