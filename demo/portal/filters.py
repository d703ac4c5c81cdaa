"""From a REST filter to a test of packed rows, in the dialect of either method family.

Conditions on ID at the top level become a range or a set of ids, equality of a link becomes a look
into an index, so that the caller scans only what is left.
"""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError
from demo.portal.schema import LINKS, Field, FieldSet
from demo.portal.store import Row, Store, Table
from demo.portal.values import to_date, to_datetime, to_float, to_int, to_text

if TYPE_CHECKING:
    from datetime import tzinfo

Test = Callable[[Row], bool]
ValueTest = Callable[[Any], bool]
Converter = Callable[[Any], Any]

_KEY = re.compile(r"(!=%|!%=|!=|!@|!%|!|>=|>|<=|<|=%|%=|=|@|%|)([A-Za-z0-9_]\w*)", re.ASCII)
_ALIASES = {"!": "!=", "": "=", "%=": "=%", "!%=": "!=%"}
_EXACT_ONLY = {"crm_status", "crm_contact", "crm_company", "crm_multifield"}
_INTEGERS = LINKS | {"integer", "user", "employee", "enumeration", "crm_category", "location"}
_NUMBERS = {"double", "money"}
_KEPT_NATIVE = _INTEGERS | {"double", "date", "datetime"}
_ORDER = {">": operators.gt, ">=": operators.ge, "<": operators.lt, "<=": operators.le}
_TIMELINES = {"DATE_MODIFY", "LAST_UPDATED"}
_FEW = 4
_WITH_ZERO = _NUMBERS | {"date", "datetime", "boolean"}
_INDEXED = {"CONTACT_ID", "CONTACT_IDS", "COMPANY_ID", "COMPANY_IDS", "OWNER_ID", "LEAD_ID"}


@dataclass
class Plan:
    """Which rows to look at and how to test them."""

    above: int | None = None
    below: int | None = None
    only: set[int] | None = None
    tests: list[Test] = field(default_factory=list)

    def restrict(self, ids: Iterable[int]) -> None:
        """Keep only these ids."""
        self.only = set(ids) if self.only is None else self.only & set(ids)

    @property
    def test(self) -> Test | None:
        """All tests as one, or None when every candidate row matches."""
        return _all_of(self.tests) if self.tests else None


@dataclass(frozen=True)
class Source:
    """What a filter is compiled against."""

    store: Store
    table: Table
    fields: FieldSet
    zone: tzinfo
    item: bool
    original: bool = False


def compile_filter(source: Source, conditions: dict[str, Any]) -> Plan:
    """The plan of a whole filter; raises ApiError where crm.item.list would."""
    plan = Plan()
    if source.item and str(conditions.get("logic", "AND")).upper() == "OR":
        plan.tests.append(_group(source, conditions))
        return plan
    for key, value in conditions.items():
        _add(source, plan, key, value)
    return plan


def _add(source: Source, plan: Plan, key: str, value: Any) -> None:
    if source.item and (key == "logic" or key.isdigit()):
        if key != "logic" and isinstance(value, dict):
            plan.tests.append(_group(source, value))
        return
    operator, known = _parse(source, key)
    if known is None:
        return
    if known.name == "ID" and _narrow(plan, operator, value):
        return
    if known.name in _INDEXED and operator in ("=", "@") and known.name in source.table.columns:
        links = {to_int(part) for part in _listed(value)}
        if 0 not in links and source.table.name != "company":
            plan.restrict(i for link in links for i in source.table.lookup(known.name, link))
            return
    if known.name in _TIMELINES and operator in (">", ">="):
        _narrow_in_time(source, plan, known.name, value)
    plan.tests.append(_test(source, known, operator, value))


def _narrow_in_time(source: Source, plan: Plan, column: str, value: Any) -> None:
    since = to_datetime(value, source.zone)
    ids = source.table.since(column, since) if since else ()
    if since and len(ids) * _FEW < len(source.table):
        plan.restrict(ids)


def _parse(source: Source, key: str) -> tuple[str, Field | None]:
    match = _KEY.fullmatch(key)
    operator, name = match.groups() if match else ("", key)
    known = source.fields.find(name, item=source.item, original=source.original)
    if known is None and source.item:
        description = f"Invalid filter: field '{name}' is not allowed in filter"
        raise ApiError(400, "INVALID_ARG_VALUE", description)
    operator = _ALIASES.get(operator, operator)
    if known is not None and not source.item and known.type in _EXACT_ONLY and "%" in operator:
        operator = "!=" if operator.startswith("!") else "="
    return operator, known


def _group(source: Source, conditions: dict[str, Any]) -> Test:
    tests: list[Test] = []
    for key, value in conditions.items():
        if key == "logic":
            continue
        if key.isdigit() and isinstance(value, dict):
            tests.append(_group(source, value))
            continue
        operator, known = _parse(source, key)
        if known is not None:
            tests.append(_test(source, known, operator, value))
    if str(conditions.get("logic", "AND")).upper() == "OR":
        return _any_of(tests)
    return _all_of(tests)


def _narrow(plan: Plan, operator: str, value: Any) -> bool:
    number = to_int(value)
    if operator in (">", ">="):
        above = number - (operator == ">=")
        plan.above = above if plan.above is None else max(plan.above, above)
    elif operator in ("<", "<="):
        below = number + (operator == "<=")
        plan.below = below if plan.below is None else min(plan.below, below)
    elif operator in ("=", "@"):
        plan.restrict(to_int(part) for part in _listed(value))
    else:
        return False
    return True


def _test(source: Source, known: Field, operator: str, value: Any) -> Test:
    read = source.table.getter(known.name)
    if known.name == "CONTACT_IDS" and source.fields.entity.name == "company":
        company = source.table.getter("ID")
        people = source.store.tables["contact"].index("COMPANY_IDS")
        read = lambda row: tuple(people.get(company(row), ()))  # noqa: E731
    accept = _value_test(known, operator, value, source)
    if operator.startswith("!") or not (known.multiple or known.type == "crm_multifield"):
        if known.multiple:
            return lambda row: all(map(accept, _plain(read(row)) or (None,)))
        return lambda row: accept(read(row))
    return lambda row: any(map(accept, _plain(read(row)) or (None,)))


def _value_test(known: Field, operator: str, value: Any, source: Source) -> ValueTest:
    if operator.startswith("!"):
        accept = _value_test(known, _ALIASES.get(operator[1:], operator[1:]), value, source)
        return lambda stored: not accept(stored)
    if "%" in operator:
        return _like(operator, value)
    convert = _converter(known, source)
    if operator in ("=", "@"):
        parts = _listed(value)
        wanted = {convert(part) for part in parts if not _is_unset(part)} - {None}
        blank = _has_empty(value) or (known.type in _INTEGERS and 0 in wanted)
        if known.type in _WITH_ZERO:
            return lambda stored: convert(stored) in wanted if stored is not None else blank
        return lambda stored: convert(stored) in wanted if stored else blank
    bound = convert(value)
    return (lambda _: False) if bound is None else _compare(operator, bound, known, convert)


def _compare(operator: str, bound: Any, known: Field, convert: Converter) -> ValueTest:
    """A test of order; values kept in their own type are compared as they are."""
    if known.type in _KEPT_NATIVE:
        return lambda stored: stored is not None and _ORDER[operator](stored, bound)
    return lambda stored: stored is not None and _ORDER[operator](convert(stored), bound)


def _converter(known: Field, source: Source) -> Converter:
    if known.type in _INTEGERS:
        return to_int
    if known.type in _NUMBERS:
        return to_float
    if known.type == "datetime":
        return lambda value: to_datetime(value, source.zone)
    if known.type == "date":
        return to_date
    if known.type == "boolean":
        return to_int
    return lambda value: to_text(value).casefold()


def _like(operator: str, value: Any) -> ValueTest:
    patterns = [to_text(part).casefold() for part in _listed(value)]
    if operator == "%":
        return lambda stored: (
            stored is not None
            and any(pattern in to_text(stored).casefold() for pattern in patterns)
        )
    regexes = [
        re.compile(re.escape(p).replace("%", ".*").replace("_", "."), re.DOTALL) for p in patterns
    ]
    return lambda stored: (
        stored is not None and any(regex.fullmatch(to_text(stored).casefold()) for regex in regexes)
    )


def _plain(value: Any) -> tuple[Any, ...]:
    parts = value if isinstance(value, tuple) else () if value is None else (value,)
    return tuple(part["VALUE"] if isinstance(part, dict) else part for part in parts)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _is_unset(value: Any) -> bool:
    return value is None or value is False or value == ""


def _has_empty(value: Any) -> bool:
    return any(map(_is_unset, _listed(value)))


def _all_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _any_of(tests: list[Test]) -> Test:
    return lambda row: any(test(row) for test in tests)
