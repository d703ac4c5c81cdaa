"""The glossary explains every stage and group the pages can name, by the names this portal gave them."""

from __future__ import annotations

from insights import glossary
from segments.rules import lifecycle, rfm


def test_every_word_is_there_once_and_explained():
    chapters = {chapter.key: dict(chapter.terms) for chapter in glossary.chapters({})}
    assert len(chapters["stages"]) == len(lifecycle.STAGES)
    assert len(chapters["groups"]) == len(rfm.ALL_GROUPS)
    assert all(text for terms in chapters.values() for text in terms.values())
    assert [len(chapter.terms) for chapter in glossary.chapters({})] == [
        len(terms) for terms in chapters.values()
    ]


def test_a_group_has_the_name_an_administrator_gave_it():
    groups = next(c for c in glossary.chapters({"best": "Золотые"}) if c.key == "groups")
    assert dict(groups.terms)["Золотые"] == "Buy lately, often and for much."
