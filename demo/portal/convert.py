"""From a value sent by a client to the native value a row keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.portal.api import ApiError
from demo.portal.schema import LINKS, MULTIFIELDS, Field
from demo.portal.values import is_empty, is_yes, to_date, to_datetime, to_float, to_int, to_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from demo.portal.store import Store

_UNSET = object()


@dataclass(frozen=True)
class Reading:
    """How values are read: for which method family, with which switches."""

    store: Store
    zone: tzinfo
    item: bool
    empty_to_null: bool = False

    def native(self, known: Field, value: Any) -> Any:
        """The native value; raises ApiError where the portal refuses."""
        if known.multiple:
            return self._multiple(known, value)
        if self.item and self.empty_to_null and is_empty(value):
            return None
        return self._single(known, value)

    def _multiple(self, known: Field, value: Any) -> list[Any]:
        if isinstance(value, dict):
            value = list(value.values())
        if not isinstance(value, list):
            if self.item:
                kind = "string" if isinstance(value, str) else type(value).__name__
                raise ApiError(
                    400, 100, f"Expected iterable value for multiple field, but got {kind} instead"
                )
            value = [value]
        parts = [self._single(known, part) for part in value if part not in ("", None)]
        return [part for part in parts if part is not None]

    def _single(self, known: Field, value: Any) -> Any:
        if known.is_user and (value is None or value == ""):
            return None
        if known.type == "boolean":
            if self.item and self.empty_to_null:
                return str(value).lower() in ("true", "y")
            return is_yes(value)
        reader = _READERS.get(known.type)
        if reader is not None:
            return reader(self, known, value)
        return to_text(value) if not isinstance(value, (list, dict)) else "Array"

    def currency(self, known: Field, value: Any) -> str:
        """A currency code the portal knows."""
        code = to_text(value)
        codes = {row["CURRENCY"] for row in self.store.tables["currency"]}
        if code and codes and code not in codes:
            field_code = "CRM_FIELD_ERROR_VALUE_NOT_VALID" if self.item else ""
            quoted = f'"{known.title}"' if self.item else f"«{known.title}»"
            raise ApiError(400, field_code, f"Неверное значение поля {quoted}")
        return code or self.store.base_currency()

    def money(self, _: Field, value: Any) -> str | None:
        """A money value "amount|CUR"; a bare amount gets the base currency."""
        amount, _separator, currency = to_text(value).partition("|")
        if not amount:
            return None
        return f"{to_float(amount):.2f}|{currency or self.store.base_currency()}"

    def option(self, known: Field, value: Any) -> int | None:
        """The id of an item of the field's own list; anything else is lost."""
        items = (known.user_field or {}).get("LIST") or ()
        chosen = to_int(value)
        return chosen if any(chosen == to_int(item["ID"]) for item in items) else None

    def user_date(self, known: Field, value: Any) -> Any:
        """A date or a moment; unreadable ones are refused only in the portal's own fields."""
        moment = known.type == "datetime"
        read = to_datetime(value, self.zone) if moment else to_date(value)
        if read is None and known.is_user:
            raise ApiError(400, "ERROR_CORE", f"Неверное значение поля «{known.title}»")
        return read


_READERS: dict[str, Callable[[Reading, Field, Any], Any]] = {
    **dict.fromkeys((*LINKS, "integer", "user", "employee"), lambda _r, _k, value: to_int(value)),
    **dict.fromkeys(("crm_category", "location"), lambda _r, _k, value: to_int(value)),
    "double": lambda _r, _k, value: round(to_float(value), 2),
    "char": lambda _r, _k, value: "Y" if is_yes(value) else "N",
    "date": Reading.user_date,
    "datetime": Reading.user_date,
    "crm_currency": Reading.currency,
    "money": Reading.money,
    "enumeration": Reading.option,
}


def merge_multifields(
    store: Store, kind: str, stored: list[dict[str, Any]], sent: Any
) -> list[dict[str, Any]]:
    """Stored values after a change: known IDs are changed or deleted, the rest is added."""
    merged = {value["ID"]: dict(value) for value in stored}
    for part in _parts(sent):
        known_id, value = to_int(part.get("ID")), part.get("VALUE", _UNSET)
        if known_id in merged:
            if is_yes(part.get("DELETE")) or value in ("", None):
                del merged[known_id]
                continue
            changes = {key: part[key] for key in ("VALUE", "VALUE_TYPE") if part.get(key)}
            merged[known_id].update(changes)
        elif value not in ("", None, _UNSET):
            _check(kind, to_text(value))
            new_id = store.next_multifield_id()
            value_type = to_text(part.get("VALUE_TYPE")) or "WORK"
            merged[new_id] = {"ID": new_id, "VALUE_TYPE": value_type, "VALUE": to_text(value)}
    return list(merged.values())


def split_fm(sent: Any) -> dict[str, list[dict[str, Any]]]:
    """The `fm` of crm.item.*, a list or an object keyed by id, as classic values per kind."""
    pairs = sent.items() if isinstance(sent, dict) else enumerate(_parts(sent))
    split: dict[str, list[dict[str, Any]]] = {}
    for key, part in pairs:
        if not isinstance(part, dict) or part.get("typeId") not in MULTIFIELDS:
            continue
        known_id = part.get("id") or (key if str(key).isdigit() and isinstance(key, str) else None)
        value = {"ID": known_id, "VALUE": part.get("value"), "VALUE_TYPE": part.get("valueType")}
        split.setdefault(part["typeId"], []).append(value)
    return split


def _parts(sent: Any) -> list[dict[str, Any]]:
    values = list(sent.values()) if isinstance(sent, dict) else sent
    return [part for part in values if isinstance(part, dict)] if isinstance(values, list) else []


def _check(kind: str, value: str) -> None:
    if kind == "EMAIL" and ("@" not in value or " " in value):
        raise ApiError(400, "ERROR_CORE", "Поле 'Рабочий e-mail' содержит некорректный адрес.")
