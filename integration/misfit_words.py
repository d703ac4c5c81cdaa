"""Why a row or a value of it did not fit, in words: the field by its name, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from core.web.words import gettext as _

LEFT_OUT = "left out: "
"""How a reason begins where the row was stored without some of its values."""
SHAPE = "the row has another shape"
_PHRASE, _AND = ": ", "; "


def misfit(text: str, labels: Mapping[str, str]) -> str:
    """Why a row or a value of it did not fit: `FIELD: what` with the field's label and our words."""
    if text == SHAPE:
        return _("The portal returned the row in an unexpected form")
    trimmed = text.removeprefix(LEFT_OUT)
    said = [_one_misfit(part, labels) for part in trimmed.split(_AND)]
    joined = _AND.join(said)
    if trimmed != text:
        return _("Saved without these values — %(values)s", values=joined)
    return joined


def kinds(text: str) -> set[str]:
    """What is wrong, whatever the field: keys of `misfits`."""
    return {part.rpartition(_PHRASE)[2] for part in text.removeprefix(LEFT_OUT).split(_AND)}


def _one_misfit(text: str, labels: Mapping[str, str]) -> str:
    field, divider, what = text.rpartition(_PHRASE)
    said = misfits().get(what)
    if not divider or said is None:
        return text
    label = labels.get(field) or _system_fields().get(field)
    return f"{label} ({field}): {said}" if label and label != field else f"{field}: {said}"


def misfits() -> dict[str, str]:
    """What can be wrong with a value or a row."""
    return {
        SHAPE: _("another form of the row"),
        "not an id": _("not a number of an object"),
        "not a whole number": _("not a whole number"),
        "not a number": _("not a number"),
        "number out of range": _("the number is too big"),
        "not an amount": _("not an amount of money"),
        "amount out of range": _("the amount is too big"),
        "a time without its offset": _("a time without its time zone"),
        "not a date with time": _("not a date with time"),
        "not a date": _("not a date"),
        "not a code": _("not a code of a dictionary"),
        "missing": _("is missing"),
        "several values in a single-value field": _("several values where there may be one"),
    }


def _system_fields() -> dict[str, str]:
    """Fields every portal has, as its cards call them; either family of methods."""
    words = {
        _("Date of birth"): ("BIRTHDATE",),
        _("Created"): ("DATE_CREATE", "createdTime", "CREATED", "CREATED_TIME"),
        _("Changed"): ("DATE_MODIFY", "updatedTime", "LAST_UPDATED"),
        _("Responsible"): ("ASSIGNED_BY_ID", "assignedById", "RESPONSIBLE_ID"),
        _("Company"): ("COMPANY_ID", "companyId"),
        _("Contact"): ("CONTACT_ID", "contactId"),
        _("Lead"): ("LEAD_ID", "leadId"),
        _("Amount"): ("OPPORTUNITY", "opportunity"),
        _("Yearly revenue"): ("REVENUE",),
        _("Currency"): ("CURRENCY_ID", "currencyId"),
        _("Pipeline"): ("CATEGORY_ID", "categoryId"),
        _("Close date"): ("DATE_CLOSED", "closedate"),
        _("Begin date"): ("begindate",),
        _("Stage changed"): ("MOVED_TIME", "movedTime"),
    }
    return {code: label for label, codes in words.items() for code in codes}
