"""Words in the viewer's language: English message ids, Russian read straight from the .po file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from flask_babel import Domain, get_locale, get_translations

if TYPE_CHECKING:
    from decimal import Decimal

LOCALES = Path(__file__).resolve().parents[2] / "locale"
_FEW = 2
_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)


class Catalogue(Domain):  # type: ignore[misc]
    """Reads messages.po itself, so no compiled file can be missing or stale."""

    def get_translations(self) -> NullTranslations:
        """The translations of the current request's language."""
        locale = get_locale()
        return _translations(locale.language) if locale else NullTranslations()


@cache
def _translations(language: str) -> NullTranslations:
    source = LOCALES / language / "LC_MESSAGES" / "messages.po"
    if not source.exists():
        return NullTranslations()
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Meanwhile speak this language: jobs and commands have no viewer to ask."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def _catalogue() -> NullTranslations:
    spoken = _spoken.get()
    return get_translations() if spoken is None else _translations(spoken)


def N_(message: str) -> str:  # noqa: N802 - the name message extractors know
    """Mark a message that is put into the viewer's language later, where it is shown."""
    return message


def spoken_locale() -> str:
    """The locale of the words: that of `speaking`, or the viewer's."""
    return str(_spoken.get() or get_locale() or "en")


def gettext(message: str, **values: Any) -> str:
    """The message in the viewer's language, with `%(name)s` filled in."""
    text: str = _catalogue().gettext(message)
    return text % values if values else text


_ = gettext


def plural(number: float | Decimal, one: str, many: str, **values: Any) -> str:
    """The form that fits `number`: 1 письмо, 2 письма, 5 писем, 1,5 письма.

    `%(n)s` is the number as people write it, 1 284, unless the caller passes its own.
    """
    whole = number == int(number)
    written = format_decimal(number, "#,##0.##", locale=spoken_locale())
    text: str = _catalogue().ngettext(one, many, abs(int(number)) if whole else _FEW)
    return text % {"n": written, **values}
