"""How rows look outside: strings and quirks of classic methods, native values of crm.item.*."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import orjson

from demo.portal.catalogue import SWITCHED_OFF
from demo.portal.schema import LINKS, MULTIFIELDS, Field, FieldSet
from demo.portal.store import Getter, Row, Store
from demo.portal.values import to_float, to_int, to_text

ABSENT = object()
Reader = Callable[[Row], Any]
Columns = list[tuple[str, Reader]]

_INTEGERS = LINKS | {"integer", "user", "employee", "enumeration", "crm_category", "location"}
_SKEWED = {"createdTime", "updatedTime"}
_FLAT = {
    **{f"phone{kind}": ("PHONE", kind.upper()) for kind in ("Mobile", "Work", "Mailing")},
    **{f"email{kind}": ("EMAIL", kind.upper()) for kind in ("Home", "Work", "Mailing")},
    "imol": ("IM", "IMOL"),
    "email": ("EMAIL", ""),
    "phone": ("PHONE", ""),
}


@dataclass(frozen=True)
class Style:
    """What decides how a value is written, besides its field."""

    zone: tzinfo
    skew: timedelta = timedelta()
    one: bool = False
    original_names: bool = False


@lru_cache(maxsize=1 << 15)
def moment(value: datetime, zone: tzinfo) -> str:
    """An ISO moment with the server's offset, whole seconds."""
    return value.astimezone(zone).isoformat(timespec="seconds")


@lru_cache(maxsize=1 << 12)
def day(value: date, zone: tzinfo) -> str:
    """A date as the portal writes it: midnight UTC seen from the server's zone."""
    return moment(datetime.combine(value, time(), UTC), zone)


def number(value: float) -> int | float:
    """A float as PHP encodes it: 10 and not 10.0."""
    value = round(float(value), 4)
    return int(value) if value.is_integer() else value


def classic_columns(store: Store, fields: FieldSet, select: list[str], style: Style) -> Columns:
    """The readers of a classic list (`select`) or card; `*` has no user fields nor multifields."""
    everything = not select
    columns: Columns = []
    for known in fields.by_name.values():
        if not known.in_classic or known.write_only:
            continue
        starred = "UF_*" if known.is_user else "" if known.name in MULTIFIELDS else "*"
        if (everything and (style.one or starred)) or known.name in select or starred in select:
            columns.append((known.name, _classic(store, fields, known, style)))
    return columns


def item_columns(store: Store, fields: FieldSet, select: list[str], style: Style) -> Columns:
    """The readers of crm.item.*; unknown names are left out without a word."""
    everything = not select or "*" in select
    columns: Columns = []
    for known in fields.by_name.values():
        if known.name in MULTIFIELDS:
            continue
        original = style.original_names and known.is_user
        name = known.name if original else known.item
        if everything or known.item in select or (original and known.name in select):
            columns.append((name, _item(store, fields, known, style)))
    computed = _computed(store, fields)
    for name, read in computed.items():
        if everything or (name in select and name != "fm"):
            columns.append((name, read))
    return columns


def encode(columns: Columns, row: Row) -> orjson.Fragment:
    """One row as JSON."""
    return orjson.Fragment(orjson.dumps(as_dict(columns, row) or []))


def as_dict(columns: Columns, row: Row) -> dict[str, Any]:
    """One row as it will be encoded."""
    pairs = ((name, read(row)) for name, read in columns)
    return {name: value for name, value in pairs if value is not ABSENT}


def _read(store: Store, fields: FieldSet, known: Field) -> Getter:
    table = store.tables[fields.entity.name]
    if known.name == "CONTACT_IDS" and fields.entity.name == "company":
        row_id, people = table.getter("ID"), store.tables["contact"]
        return lambda row: tuple(people.lookup("COMPANY_IDS", row_id(row)))
    return table.getter(known.name)


def _classic(store: Store, fields: FieldSet, known: Field, style: Style) -> Reader:
    read = _read(store, fields, known)
    if known.name in MULTIFIELDS:
        return _multifield(read, known.name)
    if known.is_user:
        return _classic_user_field(read, known, style)
    if known.type == "datetime":
        return lambda row: moment(v, style.zone) if (v := read(row)) else ""
    if known.type == "date":
        return lambda row: day(v, style.zone) if (v := read(row)) else ""
    if known.type == "double":
        zero = "0" if known.name == "REVENUE" else "0.00"
        return lambda row: f"{v:.2f}" if (v := read(row)) else zero
    if known.type == "char":
        return lambda row: read(row) or "N"
    if known.name == "CATEGORY_ID":
        return lambda row: str(read(row) or 0)
    return lambda row: None if (v := read(row)) is None else to_text(v)


def _multifield(read: Getter, kind: str) -> Reader:
    def values(row: Row) -> Any:
        parts = read(row)
        if not parts:
            return ABSENT
        return [
            {
                "ID": str(p["ID"]),
                "VALUE_TYPE": p["VALUE_TYPE"],
                "VALUE": p["VALUE"],
                "TYPE_ID": kind,
            }
            for p in parts
        ]

    return values


def _classic_user_field(read: Getter, known: Field, style: Style) -> Reader:
    write = _user_value(known, style, item=False)
    if known.multiple:
        empty = False if style.one else None
        # Numbers of a multiple field come from a serialised PHP array and stay numbers.
        native = _user_value(known, style, item=known.type in _INTEGERS)
        return lambda row: [native(part) for part in v] if (v := read(row)) else empty
    unset = "" if style.one else None
    if known.type == "boolean":
        return lambda row: unset if (v := read(row)) is None else write(v)
    return lambda row: unset if (v := read(row)) is None or v == "" else write(v)


def _item(store: Store, fields: FieldSet, known: Field, style: Style) -> Reader:
    read = _read(store, fields, known)
    if known.multiple:
        write = _user_value(known, style, item=True) if known.is_user else to_int
        return lambda row: [write(part) for part in read(row) or ()]
    if known.is_user:
        write = _user_value(known, style, item=True)
        return lambda row: None if (v := read(row)) is None else write(v)
    if known.type == "datetime":
        skew = style.skew if known.item in _SKEWED else timedelta()
        return lambda row: moment(v + skew, style.zone) if (v := read(row)) else None
    if known.type == "date":
        return lambda row: day(v, style.zone) if (v := read(row)) else None
    if known.type == "double":
        return lambda row: number(read(row) or 0)
    if known.type == "char":
        return lambda row: read(row) or "N"
    if known.name == "CATEGORY_ID":
        return lambda row: read(row) or 0
    return read


def _user_value(known: Field, style: Style, *, item: bool) -> Callable[[Any], Any]:
    if known.type == "datetime":
        return lambda value: moment(value, style.zone)
    if known.type == "date":
        return lambda value: day(value, style.zone)
    if known.type == "boolean":
        words = ("N", "Y") if item else ("0", "1")
        return lambda value: words[bool(to_int(value))]
    if known.type in _INTEGERS:
        return to_int if item else lambda value: str(to_int(value))
    if known.type == "double":
        return (lambda v: number(to_float(v))) if item else (lambda v: str(number(to_float(v))))
    return to_text


def _computed(store: Store, fields: FieldSet) -> dict[str, Reader]:
    """What crm.item.* shows besides fields; `fm` comes only with everything."""
    entity, table = fields.entity, store.tables[fields.entity.name]
    readers: dict[str, Reader] = dict.fromkeys(SWITCHED_OFF[entity.name], lambda _: None)
    if entity.name != "deal":
        for name, (kind, value_type) in _FLAT.items():
            readers[name] = _flat(table.getter(kind), value_type)
        readers["fm"] = _fm({kind: table.getter(kind) for kind in MULTIFIELDS})
    readers["entityTypeId"] = lambda _: entity.type_id
    return readers


def _flat(read: Getter, value_type: str) -> Reader:
    def first(row: Row) -> str:
        for part in read(row) or ():
            if not value_type or part["VALUE_TYPE"] == value_type:
                return str(part["VALUE"])
        return ""

    return first


def _fm(readers: dict[str, Getter]) -> Reader:
    return lambda row: [
        {"id": p["ID"], "valueType": p["VALUE_TYPE"], "value": p["VALUE"], "typeId": kind}
        for kind, read in readers.items()
        for p in read(row) or ()
    ]
