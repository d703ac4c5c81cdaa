"""Every English text of code and templates has its Russian words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
KEYWORDS = DEFAULT_KEYWORDS | {"plural": (2, 3), "lazy_gettext": None}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


@pytest.fixture(scope="module")
def used() -> set[tuple[str | tuple[str, ...], str | None]]:
    """Texts with their contexts."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    found: set[tuple[str | tuple[str, ...], str | None]] = set()
    for package in ("core", "integration", "segments", "mailings", "insights"):
        for _, _, message, _, context in extract_from_dir(
            ROOT / package,
            [
                (pattern.removeprefix(f"{package}/"), method)
                for pattern, method in methods
                if pattern.startswith((f"{package}/", "**"))
            ],
            options,
            KEYWORDS,
        ):
            found.add((message, context))
    return found


@pytest.fixture(scope="module")
def russian():
    with (ROOT / "locale/ru/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def test_the_extraction_sees_code_templates_and_plurals(used):
    assert ("Not enough rights", None) in used
    assert ("How is this counted?", None) in used
    assert (("%(n)s day", "%(n)s days"), None) in used


def test_nothing_is_left_untranslated(used, russian):
    missing = []
    for message, context in used:
        entry = russian.get(message if isinstance(message, str) else message[0], context)
        forms = (
            ()
            if entry is None
            else entry.string
            if isinstance(entry.string, tuple)
            else (entry.string,)
        )
        complete = forms and all(forms) and not entry.fuzzy
        if not complete or (isinstance(message, tuple) and len(forms) != 3):
            missing.append(message)
    assert missing == []


def test_translations_keep_the_values_they_are_given(russian):
    for entry in russian:
        if not entry.id:
            continue
        ids = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        strings = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        for string in strings:
            assert set(PLACEHOLDER.findall(string)) == set(PLACEHOLDER.findall(ids[-1])), entry.id


def test_no_text_is_translated_twice():
    text = (ROOT / "locale/ru/LC_MESSAGES/messages.po").read_text(encoding="utf-8")
    ids = re.findall(r'^(?:msgctxt "(.+)"\n)?msgid "(.+)"$', text, re.MULTILINE)
    assert len(ids) > 10
    assert [each for each, times in Counter(ids).items() if times > 1] == []
