"""How values of the portal's rows are shown to people: Russian money, dates, names, links."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from demo.portal.schema import ENTITIES, Entity, Field

if TYPE_CHECKING:
    from demo.portal.state import Portal

NBSP = "\u00a0"
MINUS = "\u2212"
SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "BYN": "Br", "CNY": "¥"}
MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)
BLANK_NAMES = {"contact": "Без имени", "company": "Без названия"}

Link = dict[str, str]


def number(value: float, *, decimals: int = 2) -> str:
    """1234567.5 -> «1 234 567,5»; zeros after the comma are dropped."""
    text = f"{abs(value):,.{decimals}f}".replace(",", NBSP).replace(".", ",")
    if "," in text:
        text = text.rstrip("0").rstrip(",")
    return MINUS + text if value < 0 and text != "0" else text


def money(amount: float, currency: str | None) -> str:
    """«51 883,33 ₽»: kopecks always two digits, and only when there are any."""
    text = number(amount)
    if "," in text and len(text.rsplit(",", 1)[1]) == 1:
        text += "0"
    return f"{text}{NBSP}{SIGNS.get(currency or 'RUB', currency)}"


def day(value: date) -> str:
    """«21 ноября 2026»."""
    return f"{value.day}{NBSP}{MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime, portal: Portal) -> str:
    """«21 ноября 2026, 14:05» on the portal's clock."""
    local = value.astimezone(portal.time_zone)
    return f"{day(local.date())}, {local:%H:%M}"


def person_name(row: dict[str, Any]) -> str:
    """«Имя Фамилия», or nothing."""
    return " ".join(filter(None, (row.get("NAME"), row.get("LAST_NAME"))))


def item_title(entity: str, row: dict[str, Any]) -> str:
    """What an item is called in lists and over its card."""
    title = person_name(row) if entity == "contact" else row.get("TITLE")
    if not title and entity == "lead":
        title = person_name(row)
    fallback = BLANK_NAMES.get(entity) or f"{ENTITIES[entity].title} №{NBSP}{row['ID']}"
    return str(title or fallback)


def face(title: str, row_id: int) -> dict[str, Any]:
    """A round picture without a picture: two letters and a colour of its own."""
    words = [word for word in title.replace("«", " ").split() if word[0].isalpha()]
    letters = "".join(word[0] for word in words[:2]).upper()
    return {"initials": letters or "–", "hue": row_id * 47 % 360}


def card_path(entity: str, row_id: int) -> str:
    """The address of an item's card."""
    return f"/crm/{entity}/details/{row_id}/"


def item_link(portal: Portal, entity: str, row_id: int) -> Link | None:
    """A link to an item that exists."""
    row = portal.store.tables[entity].get(row_id)
    if row is None:
        return None
    return {"text": item_title(entity, row), "href": card_path(entity, row_id)}


def user_name(portal: Portal, user_id: Any) -> str:
    """An employee's name, or nothing."""
    row = portal.store.tables["user"].get(user_id) if user_id else None
    return person_name(row) if row else ""


def label(field: Field) -> str:
    """What a field is called in Russian."""
    if field.user_field is None:
        return field.title
    words = field.user_field.get("EDIT_FORM_LABEL")
    if isinstance(words, dict):
        words = words.get("ru") or next(iter(words.values()), "")
    return str(words or field.name)


def dictionary(portal: Portal, field: Field) -> dict[str, str]:
    """Choices of a field with a closed list: value -> words."""
    if field.type == "enumeration" and field.user_field:
        return {str(item["ID"]): str(item["VALUE"]) for item in field.user_field.get("LIST") or ()}
    if field.type == "crm_status":
        settings = (field.user_field or {}).get("SETTINGS") or {}
        kind = field.status_type or settings.get("ENTITY_TYPE", "")
        rows = portal.store.statuses(kind)
        return {code: str(row["NAME"]) for code, row in rows.items()}
    if field.type in ("user", "employee"):
        users = portal.store.tables["user"]
        return {str(row["ID"]): person_name(row) for row in users if portal.user(row["ID"])}
    if field.type == "crm_currency":
        rows_ = portal.store.tables["currency"]
        return {row["CURRENCY"]: str(row.get("FULL_NAME") or row["CURRENCY"]) for row in rows_}
    return {}


def _amount(value: Any, row: dict[str, Any]) -> str:
    amount, _, currency = str(value).partition("|")
    return money(float(amount or 0), currency or row.get("CURRENCY_ID"))


def text(portal: Portal, field: Field, value: Any, row: dict[str, Any]) -> str:
    """One value of a field in words; empty when there is nothing to show."""
    if value is None or value == "":
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, (text(portal, field, one, row) for one in value)))
    if isinstance(value, datetime):
        return moment(value, portal)
    if isinstance(value, date):
        return day(value)
    return _scalar(portal, field, value, row)


def _scalar(portal: Portal, field: Field, value: Any, row: dict[str, Any]) -> str:
    if field.type == "money" or field.name in ("OPPORTUNITY", "REVENUE"):
        return _amount(value, row)
    if field.type in ("boolean", "char"):
        return "да" if value in (True, 1, "1", "Y") else "нет"
    if field.type in ("user", "employee"):
        return user_name(portal, value)
    if field.type in ("enumeration", "crm_status", "crm_currency"):
        return dictionary(portal, field).get(str(value), str(value))
    if field.type == "address":
        return str(value).split("|", 1)[0]
    if field.type == "crm_multifield" and isinstance(value, dict):
        return str(value.get("VALUE", ""))
    if isinstance(value, float):
        return number(value)
    return str(value)


def links(portal: Portal, field: Field, value: Any) -> list[Link]:
    """Where a value leads: items of the CRM, addresses, phones."""
    values = value if isinstance(value, (list, tuple)) else [value]
    found = (_link(portal, field, one) for one in values if one not in (None, "", 0))
    return [one for one in found if one]


def _link(portal: Portal, field: Field, value: Any) -> Link | None:
    if field.type.startswith("crm_") and field.type[4:] in ENTITIES:
        return item_link(portal, field.type[4:], int(value))
    if field.type == "crm" and field.user_field is not None:
        return _bound(portal, field.user_field, value)
    if field.type == "url" or field.name == "WEB":
        address = value["VALUE"] if isinstance(value, dict) else str(value)
        return {"text": address, "href": address if "://" in address else f"https://{address}"}
    if field.name in ("PHONE", "EMAIL"):
        scheme = "tel" if field.name == "PHONE" else "mailto"
        return {"text": value["VALUE"], "href": f"{scheme}:{value['VALUE'].replace(' ', '')}"}
    return None


def _bound(portal: Portal, user_field: dict[str, Any], value: Any) -> Link | None:
    """A value of a "CRM items" field: `C_12`, or a bare number when one kind is allowed."""
    code, _, tail = str(value).rpartition("_")
    by_code: dict[str, Entity] = {entity.code: entity for entity in ENTITIES.values()}
    settings = user_field.get("SETTINGS") or {}
    allowed = next((name for name in ENTITIES if settings.get(name.upper()) == "Y"), None)
    name = by_code[code].name if code in by_code else allowed
    return item_link(portal, name, int(tail)) if name and tail.isdigit() else None
