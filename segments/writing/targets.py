"""Which field of the portal may take which figure, by their types; no database, no words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from integration.fields import METRICS
from segments.models import ClientKind


class Refusal(StrEnum):
    """Why a field can't take a figure."""

    MULTIPLE = "multiple"  # holds several values
    FRACTION = "fraction"  # whole numbers only: kopecks would be lost
    NOT_MONEY = "not_money"  # for money, and the figure is none
    TIME = "time"  # holds a time of day, and the figure has none
    TYPE = "type"  # another kind of value altogether
    UNKNOWN = "unknown"  # the portal has no such field
    LEFT_OUT = "left_out"  # its values are not read, so what it holds isn't known
    TAKEN = "taken"  # takes another figure already


_TAKES = {
    "money": ("money", "double", "string"),
    "integer": ("integer", "double", "string"),
    "double": ("double", "string"),
    "date": ("date", "string"),
    "string": ("string",),
}
_NUMBERS = ("money", "integer", "double")


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of one kind of client and the field it goes to, as they were when this was chosen."""

    kind: ClientKind
    metric: str
    code: str
    type_id: str
    label: str

    @property
    def own(self) -> bool:
        """Whether it is the field we create for this figure."""
        return self.code == METRICS[self.metric].code

    @property
    def key(self) -> str:
        """`contact.ltv`: what is chosen for, in forms and stored versions."""
        return f"{self.kind}.{self.metric}"

    @property
    def place(self) -> str:
        """`contact.UF_CRM_…`: the field, unambiguous among kinds."""
        return f"{self.kind}.{self.code}"


def own(kind: ClientKind, metric: str) -> Target:
    """The target that is our own field."""
    field = METRICS[metric]
    return Target(kind, metric, field.code, field.type_id, field.ru)


def refusal(metric: str, type_id: str, *, multiple: bool) -> Refusal | None:
    """Why a field of this type can't take the figure; None: it can."""
    figure = METRICS[metric].type_id
    if multiple:
        return Refusal.MULTIPLE
    if type_id in _TAKES[figure]:
        return None
    if figure in _NUMBERS and type_id == "integer":
        return Refusal.FRACTION
    if figure in _NUMBERS and type_id == "money":
        return Refusal.NOT_MONEY
    if figure == "date" and type_id == "datetime":
        return Refusal.TIME
    return Refusal.TYPE
