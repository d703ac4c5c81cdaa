"""The choices a sale rule is made of: values and their parts, without the portal they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from segments.models import (
    ActiveWindow,
    ClientMode,
    ContactMode,
    DateSource,
    MarginSource,
    RuleColumns,
)

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "pipelines": ("pipelines",),
    "date": ("date_source", "date_field"),
    "contacts": ("contact_mode",),
    "client": ("client_mode",),
    "margin": ("margin",),
    "active": ("active",),
}
"""What an administrator decides about, in the order of the page, and the values it is made of."""


@dataclass(frozen=True, slots=True)
class Margin:
    """How a sale's margin is known. Where `source` tells no cost of a deal, the percents are used."""

    source: MarginSource = MarginSource.NONE
    field: str | None = None
    percent: Decimal | None = None
    by_pipeline: tuple[tuple[int, Decimal], ...] = ()

    @property
    def counted(self) -> bool:
        """Whether there is a margin at all."""
        return self.source is not MarginSource.NONE

    @property
    def of_field(self) -> bool:
        """Whether a field of the deal tells it."""
        return self.source in {MarginSource.COST, MarginSource.MARGIN}

    @property
    def has_percents(self) -> bool:
        """Whether a deal without a known cost may have a margin."""
        return self.percent is not None or bool(self.by_pipeline)


@dataclass(frozen=True, slots=True)
class Active:
    """Who is an active client: at least so many sales since the first day of the window."""

    sales: int = 1
    window: ActiveWindow = ActiveWindow.MONTH

    def since(self, on: date) -> date:
        """First day of the window that ends on this day."""
        if self.window is ActiveWindow.MONTH:
            return on.replace(day=1)
        return on - timedelta(days=int(self.window) - 1)


@dataclass(frozen=True, slots=True)
class Values:
    """The choices of a sale rule. `pipelines` None means all of them, those to come included."""

    pipelines: tuple[int, ...] | None = None
    date_source: DateSource = DateSource.CLOSED
    date_field: str | None = None
    contact_mode: ContactMode = ContactMode.PRIMARY
    client_mode: ClientMode = ClientMode.EACH
    margin: Margin = Margin()
    active: Active = Active()

    @classmethod
    def of(cls, row: RuleColumns | None) -> Values:
        """The values of a stored row; of none, those in force before anyone chose."""
        if row is None:
            return cls()
        percents = ((int(key), Decimal(text)) for key, text in row.margin_by_pipeline.items())
        return cls(
            None if row.pipelines is None else tuple(row.pipelines),
            DateSource(row.date_source),
            row.date_field,
            ContactMode(row.contact_mode),
            ClientMode(row.client_mode),
            Margin(
                MarginSource(row.margin_source),
                row.margin_field,
                row.margin_percent,
                tuple(sorted(percents)),
            ),
            Active(row.active_sales, ActiveWindow(row.active_window)),
        )

    def columns(self) -> dict[str, Any]:
        """The same for a stored row."""
        return {
            "pipelines": None if self.pipelines is None else list(self.pipelines),
            "date_source": self.date_source,
            "date_field": self.date_field,
            "contact_mode": self.contact_mode,
            "client_mode": self.client_mode,
            "margin_source": self.margin.source,
            "margin_field": self.margin.field,
            "margin_percent": self.margin.percent,
            "margin_by_pipeline": {str(key): str(value) for key, value in self.margin.by_pipeline},
            "active_sales": self.active.sales,
            "active_window": self.active.window,
        }

    def listed(self) -> dict[str, Any]:
        """The same for the command line, as it is typed there."""
        percents = ",".join(
            f"{key}:{value.normalize():f}" for key, value in self.margin.by_pipeline
        )
        return {**self.columns(), "margin_by_pipeline": percents or None}

    def chosen(self) -> dict[str, Any]:
        """The values alone, by name: of a rule as well, which holds more."""
        return {each.name: getattr(self, each.name) for each in fields(Values)}

    def with_part(self, name: str, other: Values) -> Values:
        """These values with one part taken from others."""
        return replace(self, **{each: getattr(other, each) for each in PARTS[name]})

    def differing(self, other: Values) -> tuple[str, ...]:
        """The parts in which they differ."""
        return tuple(
            name
            for name, held in PARTS.items()
            if any(getattr(self, each) != getattr(other, each) for each in held)
        )
