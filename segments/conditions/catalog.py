"""Every field a condition can name, once: its key, label, type, list of values and SQL.

A `Context` is what a condition speaks about: the card itself, or rows that belong to it (deals, addresses,
calls…: `segments.conditions.relations`). The portal's custom fields join the card's, the leads' and the deals' fields by
their own codes. An operator comes with the type (`segments.conditions.operators`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.database import any_of
from core.web.words import N_
from integration.mirror import Currency, CustomField
from integration.models import Portal
from segments import asked_fields
from segments.conditions.operators import OPERATORS, Expression, Operator, Type
from segments.rules import lifecycle
from segments.rules.tree import CLIENTS, Kind
from segments.scoring.scored import ScoreBasis
from segments.worth import sales, trust

_EVERY = (*CLIENTS, Kind.LEAD)


@dataclass(frozen=True, slots=True)
class Scope:
    """A portal and a moment: what compiling a condition needs to know. `ids` narrows to these cards.

    `known`: the facts of the cards may answer where they can (`segments.card_facts`); `known_fields` are the
    custom fields they repeat, by entity.
    """

    rule: sales.Rule
    now: datetime
    rates: Mapping[str, Decimal]
    custom: Mapping[str, Mapping[str, CustomField]]
    ids: tuple[int, ...] | sa.SelectBase | None = None
    stages: Mapping[str, lifecycle.Edges] = field(default_factory=dict)
    known: bool = False
    known_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def portal_id(self) -> int:
        """Our id of the portal."""
        return self.rule.portal_id

    @property
    def today(self) -> date:
        """The portal's day."""
        return (self.now + timedelta(minutes=self.rule.utc_offset_minutes)).date()

    def among(self, card_id: Expression) -> list[Expression]:
        """That the card is one of those the scope is narrowed to."""
        if self.ids is None:
            return []
        if isinstance(self.ids, tuple):
            return [card_id == any_of(self.ids)]
        # An array, not IN: the planner takes it for a handful of cards and looks each up.
        return [card_id == sa.any_(sa.func.array(self.ids.scalar_subquery()))]

    def stages_of(self, kind: str) -> lifecycle.Edges:
        """Where the stages of life of this kind of client begin."""
        return self.stages.get(kind, lifecycle.FALLBACK)


def scope_of(session: Session, portal_id: int, now: datetime | None = None) -> Scope:
    """The portal's facts, as of `now`."""
    portal = session.get_one(Portal, portal_id)
    custom: dict[str, dict[str, CustomField]] = {}
    query = sa.select(CustomField).where(CustomField.portal_id == portal.id)
    for row in session.scalars(query.order_by(CustomField.label, CustomField.code)):
        custom.setdefault(row.entity, {})[row.code] = row
    rates = sa.select(Currency.code, Currency.rate).where(Currency.portal_id == portal_id)
    in_order = rates.order_by(Currency.code)  # `segments.members.basis` compares the select's words
    rule = sales.rule_of(session, portal_id)
    return Scope(
        rule=rule,
        now=now or utcnow(),
        rates=dict(session.execute(in_order).all()),
        custom=custom,
        stages=_stages(session, portal_id),
        known=trust.believed(session, rule),
        known_fields=asked_fields.known(session, portal_id),
        facts={key: read(session, portal_id) for key, read in FACTS.items()},
    )


FactReader = Callable[[Session, int], Any]
FACTS: dict[str, FactReader] = {}
"""What joined relations need to know of a portal, by their keys (`segments.conditions.joining`)."""


def _stages(session: Session, portal_id: int) -> dict[str, lifecycle.Edges]:
    query = sa.select(ScoreBasis.kind, ScoreBasis.stages).where(ScoreBasis.portal_id == portal_id)
    return {row[0]: lifecycle.Edges(*row[1]) for row in session.execute(query)}


Column = Callable[[Any, Scope], Expression]
"""From a row (an alias of the context's table, or a bundle of them) to the field's value."""


@dataclass(frozen=True, slots=True)
class Field:
    """A row of the catalogue.

    `label` is a message id, or the portal's own label of a custom field (`code`). `options` names the list
    of values (`segments.conditions.options`). `missing` is the value of a card without a row, such as LTV 0 of who
    never bought. `kinds`: the cards that have the field; on the others it is empty.
    """

    key: str
    label: str
    type: Type
    column: Column
    group: str
    options: str | None = None
    missing: Decimal | None = None
    kinds: tuple[Kind, ...] = _EVERY
    code: str | None = None

    @property
    def operators(self) -> Mapping[str, Operator]:
        """What it can be compared by."""
        return OPERATORS[self.type]


@dataclass(frozen=True, slots=True)
class Context:
    """What a condition speaks about. `custom`: the mirror's entities whose custom fields it has.

    `seen_as`: whose words and lists a custom field has that several entities share.
    """

    key: str
    label: str
    fields: Mapping[str, Field]
    custom: tuple[str, ...] = field(default=())
    seen_as: tuple[str, ...] = field(default=())

    def of(self, kinds: Iterable[Kind]) -> Context:
        """The same as cards of these kinds have it."""
        return replace(self, seen_as=tuple(kind.value for kind in kinds))

    def find(self, key: str, scope: Scope) -> Field | None:
        """The field of this key, or None."""
        known = self.fields.get(key)
        return known if known is not None else _custom_field(key, self, scope)

    def listed(self, scope: Scope) -> list[Field]:
        """All fields, the portal's custom ones last."""
        codes = dict.fromkeys(code for e in self.custom for code in scope.custom.get(e, {}))
        found = [_custom_field(code, self, scope) for code in codes]
        return [*self.fields.values(), *(each for each in found if each is not None)]


def named(name: str) -> Column:
    """The column of this name of the row."""
    return lambda row, _scope: getattr(row, name)


def rows_of(*fields: Field) -> dict[str, Field]:
    """The fields by their keys."""
    return {each.key: each for each in fields}


def in_base_currency(amount: Expression, currency: Expression, scope: Scope) -> Expression:
    """The amount in the portal's base currency at today's rate; a currency without a rate is empty."""
    known = {**scope.rates, "": Decimal(1), scope.rule.base_currency: Decimal(1)}
    rates = [
        (sa.func.coalesce(currency, "") == name, amount * rate) for name, rate in known.items()
    ]
    return sa.case(*rates)


_CUSTOM_TYPES = {
    "string": Type.TEXT,
    "url": Type.TEXT,
    "address": Type.TEXT,
    "integer": Type.NUMBER,
    "double": Type.NUMBER,
    "money": Type.MONEY,
    "boolean": Type.FLAG,
    "date": Type.DATE,
    "datetime": Type.MOMENT,
    "enumeration": Type.CHOICE,
    "employee": Type.CHOICE,
    "crm_status": Type.CHOICE,
    "crm": Type.TEXT,
    "iblock_element": Type.TEXT,
    "iblock_section": Type.TEXT,
}
NOT_KEPT = frozenset({"file"})
"""Types of custom fields whose values the mirror leaves out: no condition can ask for them."""


def _custom_field(code: str, context: Context, scope: Scope) -> Field | None:
    """A custom field; contacts and companies may share a code, then the first one's type counts."""
    having = [entity for entity in context.custom if code in scope.custom.get(entity, {})]
    if not having:
        return None
    row = scope.custom[having[0]][code]
    if row.type_id in NOT_KEPT:
        return None
    same = [e for e in having if _shape(scope.custom[e][code]) == _shape(row)]
    kind = Type.LIST if row.multiple else _CUSTOM_TYPES.get(row.type_id, Type.TEXT)
    seen = next((entity for entity in context.seen_as if entity in same), having[0])
    return Field(
        key=code,
        label=scope.custom[seen][code].label,
        type=kind,
        column=_CUSTOM_SQL[kind](code),
        group=N_("Custom fields"),
        options=_custom_options(row, seen),
        kinds=tuple(Kind(e) for e in same if e in set(Kind)),
        code=code,
    )


def _shape(row: CustomField) -> tuple[str, bool]:
    return row.type_id, row.multiple


def _custom_options(row: CustomField, entity: str) -> str | None:
    if row.type_id == "employee":
        return "users"
    if row.type_id in {"enumeration", "crm_status"}:
        return f"custom:{entity}:{row.code}"
    return None


def _json(row: Any, code: str) -> Expression:
    # A literal, so that an index on the expression can serve; codes are of the portal's own list.
    found: Expression = _values(row, code).op("->", return_type=JSONB)(_quoted(code))
    return found


def _text(row: Any, code: str) -> Expression:
    found: Expression = _values(row, code).op("->>", return_type=sa.Text)(_quoted(code))
    return found


def _values(row: Any, code: str) -> Any:
    """The custom values with this one among them; a card may have them in two places."""
    return row.values_with(code) if hasattr(row, "values_with") else row.custom


def _quoted(code: str) -> Expression:
    return sa.literal_column("'" + code.replace("'", "''") + "'", sa.Text)


def _valid(value: Expression, kind: str, type_: Any) -> Expression:
    """The text as this type; NULL when it isn't one: the mirror may hold what the field was before."""
    fits = sa.func.pg_input_is_valid(value, sa.literal_column(f"'{kind}'"))
    return sa.case((fits, sa.cast(value, type_)))


def _number_sql(code: str) -> Column:
    return lambda row, _: _valid(_text(row, code), "numeric", sa.Numeric)


def _flag_sql(code: str) -> Column:
    return lambda row, _: _valid(_text(row, code), "boolean", sa.Boolean)


def _date_sql(code: str) -> Column:
    return lambda row, _: _valid(_text(row, code), "date", sa.Date)


def _moment_sql(code: str) -> Column:
    return lambda row, _: _valid(_text(row, code), "timestamptz", sa.DateTime(timezone=True))


def _text_sql(code: str) -> Column:
    return lambda row, _: sa.func.nullif(_text(row, code), "")


def _list_sql(code: str) -> Column:
    def column(row: Any, _scope: Scope) -> Expression:
        value = _json(row, code)
        filled = sa.and_(
            sa.func.jsonb_typeof(value) == "array", value != sa.literal_column("'[]'::jsonb")
        )
        return sa.case((filled, value))

    return column


def _money_sql(code: str) -> Column:
    def column(row: Any, scope: Scope) -> Expression:
        value = _json(row, code)
        amount = _valid(value.op("->>")("amount"), "numeric", sa.Numeric)
        return in_base_currency(amount, value.op("->>", return_type=sa.Text)("currency"), scope)

    return column


_CUSTOM_SQL: dict[Type, Callable[[str], Column]] = {
    Type.TEXT: _text_sql,
    Type.NUMBER: _number_sql,
    Type.MONEY: _money_sql,
    Type.FLAG: _flag_sql,
    Type.DATE: _date_sql,
    Type.MOMENT: _moment_sql,
    Type.CHOICE: _text_sql,
    Type.LIST: _list_sql,
}
