"""Questions other packages add to the catalogue: related rows of theirs, with words, lists and facts.

Segments know nothing of who is built on them: the composition root joins what those packages describe, in every
process that reads or keeps segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segments.conditions import catalog, options
from segments.conditions.catalog import FactReader
from segments.conditions.options import Reader
from segments.conditions.phrases import ROW_WORDS, RowWords
from segments.conditions.relations import RELATIONS, Relation


@dataclass(frozen=True, slots=True)
class Joined:
    """A relation of another package. `lists`: values to choose from, by the names its fields give.

    `fact` reads once what its rows need to know of the portal; they find it in `Scope.facts` by the relation's key.
    """

    relation: Relation
    words: RowWords
    lists: Mapping[str, Reader] = field(default_factory=dict)
    fact: FactReader | None = None


def join(*additions: Joined) -> None:
    """Make these relations part of the catalogue; joining one again changes nothing."""
    for each in additions:
        key = each.relation.key
        RELATIONS[key] = each.relation
        ROW_WORDS[key] = each.words
        options.READERS.update(each.lists)
        if each.fact is not None:
            catalog.FACTS[key] = each.fact
