"""What the settings page sends: read strictly, before anything is asked of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from werkzeug.datastructures import MultiDict

from segments.models import ActiveWindow, ClientMode, ContactMode, DateSource, MarginSource
from segments.worth.choices import Active, Margin, Values
from segments.worth.sale_rules import MOST_SALES, Asked

_OF_PIPELINE = "margin_percent_"
_ALL = Decimal(100)


@dataclass(frozen=True, slots=True)
class RuleForm:
    """The sale rule as the page sent it, and the version it was made from.

    `typed`: numbers that are none, by the name of their input: a person's slip, not another's form.
    """

    version: int
    values: Values
    typed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> RuleForm:
        """ValueError when it is not our form. All pipelines ticked means those to come as well."""
        ticked = tuple(sorted({int(each) for each in form.getlist("pipelines")}))
        source = DateSource(form.get("date_source", ""))
        slips: dict[str, str] = {}
        values = Values(
            pipelines=None if len(ticked) == form.get("offered", type=int) else ticked,
            date_source=source,
            date_field=form.get("date_field") if source is DateSource.CUSTOM else None,
            contact_mode=ContactMode(form.get("contact_mode", "")),
            client_mode=ClientMode(form.get("client_mode", "")),
            margin=_margin(form, slips),
            active=_active(form, slips),
        )
        return cls(int(form.get("version", "")), values, slips)

    @property
    def problem(self) -> str | None:
        """What is left out or typed wrong, if anything."""
        if self.values.pipelines == ():
            return "no_pipelines"
        if self.typed:
            return "active_sales" if "active_sales" in self.typed else "percent"
        margin = self.values.margin
        if margin.source is MarginSource.PERCENT and not margin.has_percents:
            return "no_percent"
        return None

    @property
    def asked(self) -> Asked:
        """The same for the use case, in which () means all pipelines."""
        return Asked(**{**self.values.chosen(), "pipelines": self.values.pipelines or ()})


def _margin(form: MultiDict[str, str], slips: dict[str, str]) -> Margin:
    source = MarginSource(form.get("margin_source", ""))
    if source is MarginSource.NONE:
        return Margin()
    own = {
        int(name.removeprefix(_OF_PIPELINE)): _percent(form, name, slips)
        for name in form
        if name.startswith(_OF_PIPELINE)
    }
    field_code = form.get("margin_field") or None
    return Margin(
        source,
        field_code if Margin(source).of_field else None,
        _percent(form, "margin_percent", slips),
        tuple((key, percent) for key, percent in sorted(own.items()) if percent is not None),
    )


def _percent(form: MultiDict[str, str], name: str, slips: dict[str, str]) -> Decimal | None:
    """A number from 0 to 100, with a comma as well; nothing typed: None."""
    typed = form.get(name, "").strip()
    if not typed:
        return None
    try:
        percent = Decimal(typed.replace(",", "."))
    except InvalidOperation:
        percent = Decimal("NaN")
    if percent.is_finite() and 0 <= percent <= _ALL and percent == round(percent, 2):
        return percent
    slips[name] = typed
    return None


def _active(form: MultiDict[str, str], slips: dict[str, str]) -> Active:
    typed, window = form.get("active_sales", ""), ActiveWindow(form.get("active_window", ""))
    if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= MOST_SALES:
        return Active(int(typed), window)
    slips["active_sales"] = typed
    return Active(window=window)
