"""Words about a list that comes from a file: what its columns mean, why lines of it were refused."""

from __future__ import annotations

from core.web.words import gettext as _
from segments.members.importing import Meaning, Refusal


def meanings() -> dict[str, str]:
    """What a column of a file is."""
    return {
        Meaning.ID.value: _("Number of the card"),
        Meaning.EMAIL.value: _("E-mail"),
        Meaning.PHONE.value: _("Phone"),
        Meaning.NAME.value: _("Name"),
    }


def refusals() -> dict[str, str]:
    """Why a line of a file was left out."""
    return {
        Refusal.NOTHING.value: _("no number, address or name in the line"),
        Refusal.INVALID.value: _("not an address or a number"),
        Refusal.UNKNOWN.value: _("no such card in the base"),
        Refusal.SEVERAL.value: _("several cards fit"),
        Refusal.TWICE.value: _("the same card as in an earlier line"),
    }


def file_problems() -> dict[str, str]:
    """Why a file can't be read."""
    return {
        "too_big": _("The file is larger than 20 MB."),
        "not_a_table": _("This is neither CSV nor XLSX."),
        "too_many_rows": _("There are more than 100 000 lines in the file."),
        "too_many_cells": _("There are too many columns in the file."),
        "empty": _("The file is empty."),
        "encoding": _("The letters of the file can't be read. Save it as “CSV UTF-8” or XLSX."),
        "damaged": _("The file is damaged."),
        "nothing_mapped": _("Choose what at least one column means."),
    }
