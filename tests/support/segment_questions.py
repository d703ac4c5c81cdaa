"""Questions to small portals: random definitions, and each field with each of its operators."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from support.segment_portal import TODAY, WORDS

from segments.conditions import definitions
from segments.conditions import relations as catalogue
from segments.conditions.card_fields import CARD
from segments.conditions.operators import OPERATORS, Type
from segments.rules.tree import Kind, Measure

RELATIONS = {
    key: catalogue.RELATIONS[key]
    for key in (
        "deals", "leads", "activities", "stage_moves", "products", "addresses", "recurring_deals",
    )
}  # fmt: skip
"""Those of segments themselves: what other packages join is tried beside them."""

UNITS = ("day", "week", "month", "quarter", "year")
_DATES = [(TODAY - timedelta(days=days)).isoformat() for days in (-3, 0, 1, 30, 365, 800)]


_TEXTS = [*(word for word in WORDS if word), "%", "_", "ан", "1", "mail.ru", "+7", "\\"]
_NUMBERS = [-100, 0, 0.5, 1, 2, 3, 10, 100, 200, 9000, 45000]
_CHOICES = [
    "1", "2", "3", "0", "P", "S", "F", "NEW", "WON", "WEB", "CLIENT", "contact:CLIENT", "RUB",
    "email", "phone", "IT", "a", "б", "SALE", "JUNK", "best", "lost", "new_without_orders",
    "lost_without_orders", "active", "returned", "cooling", "sleeping", "never_bought", "new",
]  # fmt: skip


def _some(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


def _ordered(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.tuples(st.sampled_from(values), st.sampled_from(values)).map(sorted)


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "nothing": st.none(),
    "text": st.sampled_from(_TEXTS),
    "texts": _some(_TEXTS),
    "pattern": st.sampled_from(["^а", "o", "[0-9]", "(анна|заря)$"]),
    "number": st.sampled_from(_NUMBERS),
    "numbers": _ordered(_NUMBERS),
    "day": st.sampled_from(_DATES),
    "days": _ordered(_DATES),
    "period": st.fixed_dictionaries(
        {"n": st.sampled_from([0, 1, 2, 7, 30, 365]), "unit": st.sampled_from(UNITS)}
    ),
    "unit": st.sampled_from(UNITS),
    "months": _some(list(range(1, 13))),
    "weekdays": _some(list(range(1, 8))),
    "choices": _some(_CHOICES),
    "count": st.integers(1, 3),
}


_SAMPLES = {
    "text": "а", "texts": ["а"], "pattern": "^а", "number": 1, "numbers": [1, 2], "day": _DATES[0],
    "days": [_DATES[1], _DATES[0]], "period": {"n": 1, "unit": "day"}, "unit": "day", "months": [1],
    "weekdays": [1], "choices": ["1"], "count": 1,
}  # fmt: skip


def every_value(shape: str) -> Any:
    """Some value of the shape, always the same."""
    return _SAMPLES.get(shape)


def _conditions(fields: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    pairs = [
        (key, op)
        for key, field in fields.items()
        for op in field.operators.values()
        if field.type not in {Type.SAMPLE, Type.SEGMENT} and op.key != "top"
    ]

    def with_value(pair: Any) -> st.SearchStrategy[dict[str, Any]]:
        key, op = pair
        return _VALUES[op.shape.key].map(
            lambda value: {"field": key, "op": op.key} | ({} if value is None else {"value": value})
        )

    return st.sampled_from(pairs).flatmap(with_value)


def _groups(leaves: st.SearchStrategy[Any], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    parts = leaves if depth <= 1 else st.one_of(leaves, leaves, _groups(leaves, depth - 1))
    return st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(parts, max_size=3)).map(
        lambda pair: {pair[0]: pair[1]}
    )


def _related(scope: Any, kinds: set[Kind]) -> st.SearchStrategy[dict[str, Any]]:
    def of_relation(relation: Any) -> st.SearchStrategy[dict[str, Any]]:
        fields = {each.key: each for each in relation.context.listed(scope)}
        where = st.none() | _groups(_conditions(fields), 2)
        measures = [
            m for m in Measure if relation.ordered or m not in {Measure.FIRST, Measure.LAST}
        ]

        def of_measure(measure: Measure) -> st.SearchStrategy[dict[str, Any]]:
            base: dict[str, Any] = {
                "related": st.just(relation.key), "measure": st.just(measure.value), "where": where,
            }  # fmt: skip
            if not measure.compares:
                return st.fixed_dictionaries(base)
            able = [None] if measure is Measure.COUNT else [
                key for key in fields if definitions.measured(relation, measure, key, scope)
            ]  # fmt: skip
            if not able:
                return st.fixed_dictionaries({**base, "measure": st.just("any")})

            def compared(of: str | None) -> st.SearchStrategy[dict[str, Any]]:
                kind = definitions.measured(relation, measure, of, scope)
                assert kind is not None
                fake = {"x": type("F", (), {"operators": OPERATORS[kind], "type": kind})}
                given_of = {} if of is None else {"of": st.just(of)}
                return st.tuples(
                    st.fixed_dictionaries({**base, **given_of}), _conditions(fake)
                ).map(
                    lambda pair: {**pair[0], **{k: v for k, v in pair[1].items() if k != "field"}}
                )

            return st.sampled_from(able).flatmap(compared)

        return st.sampled_from(measures).flatmap(of_measure)

    able = [relation for relation in RELATIONS.values() if set(relation.kinds) & kinds]
    return (
        st.sampled_from(able)
        .flatmap(of_relation)
        .map(lambda found: {key: value for key, value in found.items() if value is not None})
    )


def _side(scope: Any, kinds: set[Kind]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {each.key: each for each in CARD.listed(scope) if set(each.kinds) & kinds}
    leaves = st.one_of(_conditions(fields), _related(scope, kinds))
    return _groups(leaves, 3).map(lambda tree: {"where": tree})


def random_definitions(scope: Any) -> st.SearchStrategy[dict[str, Any]]:
    clients = _side(scope, {Kind.CONTACT, Kind.COMPANY})
    leads = _side(scope, {Kind.LEAD})
    version = st.just(1)
    return st.one_of(
        st.fixed_dictionaries({"version": version, "clients": clients}),
        st.fixed_dictionaries({"version": version, "leads": leads}),
        st.fixed_dictionaries({"version": version, "clients": clients, "leads": leads}),
    )


def _every_condition(scope: Any) -> list[tuple[str | None, dict[str, Any], Any]]:
    """(relation or None, field and operator, its strategy of values) of the whole catalogue.

    Of a relation whose fields another one has as well, each field by one operator.
    """
    asked: list[Any] = []
    found: list[tuple[str | None, dict[str, Any], Any]] = []
    for relation, context in (
        (None, CARD),
        *((key, each.context) for key, each in RELATIONS.items()),
    ):
        at_most = 1 if context.fields in asked else None
        asked.append(context.fields)
        for field in context.listed(scope):
            if field.type in {Type.SAMPLE, Type.SEGMENT}:
                continue
            able = [op for op in field.operators.values() if op.key != "top"]
            found += [
                (relation, {"field": field.key, "op": op.key}, _VALUES[op.shape.key])
                for op in able[:at_most]
            ]
    return found


def _questions(scope: Any, relation: str | None, raw: dict[str, Any]) -> list[dict[str, Any]]:
    """The condition alone, asked of clients and of leads as far as they have it."""
    node = raw if relation is None else {"related": relation, "where": {"all": [raw]}}
    able = RELATIONS[relation].kinds if relation else CARD.find(raw["field"], scope).kinds
    sides = [("clients", {Kind.CONTACT, Kind.COMPANY}), ("leads", {Kind.LEAD})]
    return [
        {"version": 1, side: {"where": {"all": [node]}}}
        for side, kinds in sides
        if kinds & set(able)
    ]


def every_condition(scope: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Definitions that ask each field by each operator, with some value of its shape."""

    def of_condition(relation: str | None, raw: dict[str, Any], values: Any) -> Any:
        def asked(value: Any) -> list[dict[str, Any]]:
            return _questions(scope, relation, raw | ({} if value is None else {"value": value}))

        return values.map(asked)

    each = [of_condition(*condition) for condition in _every_condition(scope)]
    return st.tuples(*each).map(lambda found: [question for part in found for question in part])
