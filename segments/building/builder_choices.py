"""Lists of values in the builder: what a condition may choose from, and what it has chosen, by name.

A list the portal may have thousands of lines of is searched; a card is searched among the portal's cards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from segments.conditions import options
from segments.conditions.catalog import Context, Field, Scope
from segments.conditions.operators import Type
from segments.conditions.options import Options
from segments.members import people
from segments.rules.tree import Kind

FEW = 8
SHOWN = 50
_CARDS = {
    "company": Kind.COMPANY,
    "client_company": Kind.COMPANY,
    "client_contact": Kind.CONTACT,
}


@dataclass(frozen=True, slots=True)
class Choices:
    """`offered`: the whole list when it is short. `typed`: there is no list, values are typed."""

    chosen: Options
    offered: Options = ()  # type: ignore[assignment]
    typed: bool = False


@dataclass
class Lists:
    """The portal's lists, each read once."""

    session: Session
    scope: Scope
    _read: dict[str, Options] = field(default_factory=dict)

    def choices(self, asked: Field, context: Context, value: object) -> Choices:
        """What the condition on this field has chosen, and may."""
        ids = [str(each) for each in value] if isinstance(value, list) else []
        if kind := card_kind(asked, context):
            names = people.names(self.session, self.scope.portal_id, kind, ids)
            return Choices([(each, names.get(each, f"#{each}")) for each in ids])
        if asked.options is None:
            return Choices([(each, each) for each in ids], typed=True)
        known = self.listed(asked.options)
        if 0 < len(known) <= FEW:
            lost = [(each, each) for each in ids if each not in dict(known)]
            return Choices(lost, offered=known)
        words = dict(known)
        return Choices([(each, words.get(each, each)) for each in ids])

    def search(self, asked: Field, context: Context, typed: str) -> Options:
        """Lines of the list that hold what was typed, the first ones only."""
        if kind := card_kind(asked, context):
            found = people.find(self.session, self.scope.portal_id, typed, (kind,))
            return [(str(each.id), each.name) for each in found]
        words = typed.casefold().split()
        fitting = [
            (value, text)
            for value, text in self.listed(asked.options or "")
            if all(word in text.casefold() for word in words)
        ]
        return fitting[:SHOWN]

    def listed(self, name: str) -> Options:
        """The whole list."""
        if name not in self._read:
            self._read[name] = options.options(self.session, self.scope.portal_id, name)
        return self._read[name]


def card_kind(asked: Field, context: Context) -> Kind | None:
    """The kind of cards the field points at, when its values are cards."""
    if context.key != "card" or asked.type is not Type.CHOICE or asked.options is not None:
        return None
    return _CARDS.get(asked.key)
