"""Custom fields of every type on every kind of item, and believable values for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from demo.data import consents, trades

Row = dict[str, Any]

_DIRECTIONS = tuple(trade.title for trade in trades.TRADES)
_POTENTIAL = ("A — высокий", "B — средний", "C — низкий")
_INTERESTS = ("Скидки", "Новинки", "Обучение", "Партнёрство", "Мероприятия")
_TAGS = ("срочно", "тендер", "отсрочка 30 дней", "VIP", "эл. документы", "ё-моё; с запятой, да")


@dataclass(frozen=True)
class Spec:
    """One custom field; `share` is the part of rows where it is filled."""

    code: str
    kind: str
    label: str
    share: float = 0.0
    multiple: bool = False
    items: tuple[str, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    shown: bool = True


SPECS: dict[str, tuple[Spec, ...]] = {
    "CRM_LEAD": (
        Spec("UF_CRM_DIRECTION", "enumeration", "Направление", 0.8, items=_DIRECTIONS),
        Spec("UF_CRM_FOREIGN", "boolean", "Иностранный лид"),
        Spec("UF_CRM_BUDGET", "money", "Бюджет", 0.3),
        Spec("UF_CRM_CALL_AT", "datetime", "Перезвонить", 0.15),
        Spec("UF_CRM_NEEDED_BY", "date", "Нужно к дате", 0.1),
        Spec("UF_CRM_LANDING", "url", "Страница входа", 0.2),
        Spec("UF_CRM_SCORE", "integer", "Балл", 0.4),
        Spec("UF_CRM_REGION", "string", "Регион", 0.3),
        Spec(consents.FIELD, "boolean", consents.LABEL),
    ),
    "CRM_DEAL": (
        Spec("UF_CRM_DIRECTION", "enumeration", "Направление", 0.9, items=_DIRECTIONS),
        Spec("UF_CRM_MARGIN", "money", "Маржа", 0.25),
        Spec("UF_CRM_CONTRACT_NO", "string", "Номер договора", 0.3),
        Spec("UF_CRM_CONTRACT_DATE", "date", "Дата договора", 0.3),
        Spec("UF_CRM_PREPAID", "boolean", "Предоплата", 0.3),
        Spec("UF_CRM_NEXT_STEP_AT", "datetime", "Следующий шаг", 0.05),
        Spec("UF_CRM_DISCOUNT", "double", "Скидка, %", 0.15),
        Spec("UF_CRM_EXECUTOR", "employee", "Исполнитель", 0.1),
        Spec("UF_CRM_SITE_ADDRESS", "address", "Адрес объекта", 0.05),
        Spec("UF_CRM_TENDER", "url", "Ссылка на тендер", 0.03),
        Spec("UF_CRM_TAGS", "string", "Метки", 0.06, multiple=True, items=_TAGS),
        Spec("UF_CRM_PARTNER", "crm", "Партнёр", 0.03, settings=(("COMPANY", "Y"),)),
        Spec("UF_CRM_CHANNEL", "crm_status", "Канал", 0.05, settings=(("ENTITY_TYPE", "SOURCE"),)),
        Spec("UF_CRM_1721244482250", "string", "Комментарий бухгалтерии", 0.03),
        Spec("UF_CRM_CONTRACT_SCAN", "file", "Скан договора"),
        Spec("UF_CRM_QUANTITY", "integer", "Количество", 0.1),
    ),
    "CRM_CONTACT": (
        Spec("UF_CRM_POTENTIAL", "enumeration", "Потенциал", 0.7, items=_POTENTIAL),
        Spec("UF_CRM_DIRECTION", "enumeration", "Направление", 0.8, items=_DIRECTIONS),
        Spec("UF_CRM_INTERESTS", "enumeration", "Интересы", 0.2, multiple=True, items=_INTERESTS),
        Spec("UF_CRM_FOREIGN", "boolean", "Иностранный клиент"),
        Spec("UF_CRM_LOYALTY_CARD", "string", "Карта лояльности", 0.2),
        Spec("UF_CRM_LAST_VISIT", "datetime", "Последний визит", 0.1),
        Spec("UF_CRM_LICENSE_UNTIL", "date", "Доступ до", 0.1),
        Spec("UF_CRM_DISCOUNT", "double", "Личная скидка, %", 0.2),
        Spec("UF_CRM_MANAGER", "employee", "Личный менеджер", 0.15),
        Spec("UF_CRM_REFERRER", "crm", "Кто рекомендовал", 0.05, settings=(("CONTACT", "Y"),)),
        Spec("UF_CRM_PLAN", "money", "План на год", 0.1),
        Spec("UF_CRM_PORTFOLIO", "url", "Сайт или портфолио", 0.05),
        Spec("UF_CRM_HOME", "address", "Адрес доставки", 0.05),
        Spec("UF_CRM_HOBBIES", "string", "Увлечения", 0.06, multiple=True, items=_TAGS),
        Spec("UF_CRM_CHILDREN", "integer", "Сотрудников в подчинении", 0.1),
        Spec("UF_CRM_SECRET", "string", "Служебное", 0.02, shown=False),
        Spec(consents.FIELD, "boolean", consents.LABEL),
    ),
    "CRM_COMPANY": (
        Spec("UF_CRM_POTENTIAL", "enumeration", "Потенциал", 0.6, items=_POTENTIAL),
        Spec("UF_CRM_DIRECTION", "enumeration", "Направление", 0.9, items=_DIRECTIONS),
        Spec("UF_CRM_INN", "string", "ИНН", 0.7),
        Spec("UF_CRM_CREDIT_LIMIT", "money", "Кредитный лимит", 0.2),
        Spec("UF_CRM_CONTRACT_UNTIL", "date", "Договор до", 0.3),
        Spec("UF_CRM_REVIEW_AT", "datetime", "Пересмотр условий", 0.1),
        Spec("UF_CRM_EDO", "boolean", "Электронный документооборот", 0.4),
        Spec("UF_CRM_SHARE", "double", "Доля в закупках, %", 0.2),
        Spec("UF_CRM_BRANCHES", "integer", "Филиалов", 0.3),
        Spec("UF_CRM_CURATOR", "employee", "Куратор", 0.2),
        Spec("UF_CRM_SHOP", "url", "Магазин", 0.1),
        Spec("UF_CRM_WAREHOUSE", "address", "Склад", 0.1),
        Spec("UF_CRM_TAGS", "string", "Метки", 0.1, multiple=True, items=_TAGS),
        Spec(consents.FIELD, "boolean", consents.LABEL),
    ),
}


def userfields() -> Iterator[Row]:
    """Yield the descriptions of all custom fields as the portal stores them."""
    for number, (entity, spec) in enumerate(_all(), 1):
        row: Row = {
            "ID": number,
            "ENTITY_ID": entity,
            "FIELD_NAME": spec.code,
            "USER_TYPE_ID": spec.kind,
            "XML_ID": None,
            "SORT": 100 + number * 10,
            "MULTIPLE": "Y" if spec.multiple else "N",
            "MANDATORY": "N",
            "SHOW_FILTER": ("I" if spec.items else "E") if spec.shown else "N",
            "SHOW_IN_LIST": "Y",
            "EDIT_IN_LIST": "Y" if spec.shown else "N",
            "IS_SEARCHABLE": "N",
            "SETTINGS": dict(spec.settings),
        }
        for key in ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL"):
            row[key] = {"ru": spec.label, "en": spec.label}
        for key in ("ERROR_MESSAGE", "HELP_MESSAGE"):
            row[key] = {"ru": "", "en": ""}
        if spec.kind == "enumeration":
            first = enumeration_start(entity, spec.code)
            row["LIST"] = [
                {
                    "ID": first + place,
                    "SORT": place * 10 + 10,
                    "VALUE": value,
                    "DEF": "N",
                    "XML_ID": f"{spec.code.lower()}_{place + 1}",
                }
                for place, value in enumerate(spec.items)
            ]
        yield row


def _all() -> list[tuple[str, Spec]]:
    return [(entity, spec) for entity, specs in SPECS.items() for spec in specs]


@cache
def enumeration_start(entity: str, code: str) -> int:
    """Return the id of the field's first list item; ids are one sequence over the portal."""
    number = 21
    for owner, spec in _all():
        if (owner, spec.code) == (entity, code):
            return number
        if spec.kind == "enumeration":
            number += len(spec.items) * 2
    raise KeyError(code)


class Filler:
    """Fills rows of one entity with values of its custom fields."""

    def __init__(self, entity: str, rng: Random, *, users: int, linked: int, now: datetime) -> None:
        self.rng = rng
        self.users = users
        self.linked = linked
        self.now = now
        self.today = now.date()
        skip = ("UF_CRM_DIRECTION", "UF_CRM_FOREIGN")
        self.specs = [
            spec
            for spec in SPECS[entity]
            if spec.share and spec.code not in skip and (linked or spec.kind != "crm")
        ]
        self.direction_start = enumeration_start(entity, "UF_CRM_DIRECTION")
        # One draw decides how many fields are filled; they are then picked by weight.
        self.mean = 2 * sum(spec.share for spec in self.specs)
        makers = [(spec, self._maker(entity, spec)) for spec in self.specs]
        self.weighted = [
            (spec.code, make) for spec, make in makers for _ in range(max(1, int(spec.share * 40)))
        ]

    def fill(self, row: Row, trade_index: int) -> None:
        """Add values to a row in place."""
        random = self.rng.random
        if random() < 0.85:
            row["UF_CRM_DIRECTION"] = self.direction_start + trade_index
        weighted = self.weighted
        for _ in range(int(random() * self.mean)):
            code, make = weighted[int(random() * len(weighted))]
            row[code] = make()

    def _maker(self, entity: str, spec: Spec) -> Callable[[], Any]:
        """Return a function that makes a value of the field's type."""
        rng = self.rng
        if spec.kind == "enumeration":
            start = enumeration_start(entity, spec.code)
            size = len(spec.items)
            if spec.multiple:
                options = range(start, start + size)
                return lambda: sorted(rng.sample(options, 1 + int(rng.random() * 3)))
            return lambda: start + int(rng.random() * size)
        if spec.multiple:
            return lambda: rng.sample(spec.items, 1 + int(rng.random() * 3))
        maker: Callable[[], Any] = getattr(self, f"_{spec.kind}")
        return maker

    def _string(self) -> str:
        return f"{1000 + int(self.rng.random() * 9000)}/{20 + int(self.rng.random() * 7)}-Д"

    def _integer(self) -> int:
        return int(self.rng.random() * 120)

    def _double(self) -> float:
        return int(self.rng.random() * 300) / 10

    def _boolean(self) -> bool:
        return self.rng.random() < 0.5

    def _money(self) -> str:
        code = "RUB" if self.rng.random() < 0.9 else "USD"
        return f"{int(self.rng.random() * 5_000_00) / 100 * 10:.2f}|{code}"

    def _date(self) -> date:
        return self.today + timedelta(days=int(self.rng.random() * 900) - 600)

    def _datetime(self) -> datetime:
        moment = int(self.now.timestamp()) + (int(self.rng.random() * 800) - 500) * 86_400
        return datetime.fromtimestamp(moment - moment % 1800, UTC)

    def _employee(self) -> int:
        return 1 + int(self.rng.random() * self.users)

    def _crm(self) -> str:
        # A field tied to one kind of item holds bare numbers; these fields are such.
        return str(1 + int(self.rng.random() * self.linked))

    def _crm_status(self) -> str:
        return ("CALL", "WEB", "RECOMMENDATION")[int(self.rng.random() * 3)]

    def _url(self) -> str:
        return f"https://shop{int(self.rng.random() * 900)}.example.com/каталог?utm_source=crm&x=1"

    def _address(self) -> str:
        city = trades.CITIES[int(self.rng.random() * len(trades.CITIES))]
        house = 1 + int(self.rng.random() * 90)
        return f"г. {city}, Учебная ул., д. {house}|55.{house:04};37.{house:04}|{house}"
