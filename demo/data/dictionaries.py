"""Small tables: pipelines, stages and other dictionaries, currencies, departments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

Row = dict[str, Any]

SALES, REPEAT, HIRING = 0, 1, 2
CATEGORIES = ((SALES, "Продажи"), (REPEAT, "Повторные продажи"), (HIRING, "Подбор персонала"))

# (code, name, semantics, colour); "A" is an apology: lost, but not by the client's choice.
STAGES: dict[int, tuple[tuple[str, str, str, str], ...]] = {
    SALES: (
        ("NEW", "Новая", "P", "#39A8EF"),
        ("PREPARATION", "Подготовка предложения", "P", "#2FC6F6"),
        ("PREPAYMENT_INVOICE", "Счёт на предоплату", "P", "#55D0E0"),
        ("EXECUTING", "В работе", "P", "#47E4C2"),
        ("FINAL_INVOICE", "Финальный счёт", "P", "#FFA900"),
        ("WON", "Сделка успешна", "S", "#7BD500"),
        ("LOSE", "Сделка провалена", "F", "#FF5752"),
        ("APOLOGY", "Анализ причины провала", "A", "#FF5752"),
    ),
    REPEAT: (
        ("NEW", "Новый заказ", "P", "#39A8EF"),
        ("PREPARATION", "Согласование", "P", "#2FC6F6"),
        ("EXECUTING", "Исполнение", "P", "#47E4C2"),
        ("WON", "Заказ закрыт", "S", "#7BD500"),
        ("LOSE", "Отказ", "F", "#FF5752"),
        ("APOLOGY", "Перенос без даты", "A", "#FF5752"),
    ),
    HIRING: (
        ("NEW", "Отклик", "P", "#39A8EF"),
        ("PREPARATION", "Собеседование", "P", "#2FC6F6"),
        ("EXECUTING", "Проверка и оффер", "P", "#47E4C2"),
        ("WON", "Кандидат принят", "S", "#7BD500"),
        ("LOSE", "Не подошёл", "F", "#FF5752"),
        ("APOLOGY", "Кандидат отказался", "A", "#FF5752"),
    ),
}

LEAD_STAGES = (
    ("NEW", "Не обработан", "P", "#39A8EF"),
    ("IN_PROCESS", "В работе", "P", "#2FC6F6"),
    ("PROCESSED", "Обработан", "P", "#55D0E0"),
    ("CONVERTED", "Качественный лид", "S", "#7BD500"),
    ("JUNK", "Некачественный лид", "F", "#FF5752"),
    ("1", "Дубль или спам", "A", "#FF5752"),
)

PLAIN: dict[str, tuple[tuple[str, str], ...]] = {
    "SOURCE": (
        ("CALL", "Звонок"), ("EMAIL", "Электронная почта"), ("WEB", "Веб-сайт"),
        ("ADVERTISING", "Реклама"), ("PARTNER", "Существующий клиент"),
        ("RECOMMENDATION", "По рекомендации"), ("TRADE_SHOW", "Выставка"),
        ("WEBFORM", "CRM-форма"), ("CALLBACK", "Обратный звонок"),
        ("RC_GENERATOR", "Генератор продаж"), ("STORE", "Интернет-магазин"), ("OTHER", "Другое"),
        ("1|OPENLINE", "Открытая линия"),
    ),
    "CONTACT_TYPE": (
        ("CLIENT", "Клиенты"), ("SUPPLIER", "Поставщики"), ("PARTNER", "Партнёры"),
        ("OTHER", "Другое"),
    ),
    "COMPANY_TYPE": (
        ("CUSTOMER", "Клиент"), ("SUPPLIER", "Поставщик"), ("COMPETITOR", "Конкурент"),
        ("PARTNER", "Партнёр"), ("OTHER", "Другое"),
    ),
    "DEAL_TYPE": (
        ("SALE", "Продажа"), ("COMPLEX", "Комплексная продажа"), ("GOODS", "Продажа товара"),
        ("SERVICES", "Услуги"), ("SERVICE", "Сервисное обслуживание"),
    ),
    "INDUSTRY": (
        ("IT", "Информационные технологии"), ("BUILDING", "Строительство"),
        ("HOTELS", "Гостиницы и туризм"), ("MANUFACTURING", "Производство"),
        ("FINANCE", "Финансы"), ("CONSULTING", "Консалтинг"), ("OTHER", "Другое"),
    ),
    "EMPLOYEES": (
        ("EMPLOYEES_1", "менее 50"), ("EMPLOYEES_2", "50–250"), ("EMPLOYEES_3", "250–500"),
        ("EMPLOYEES_4", "более 500"),
    ),
    "HONORIFIC": (("HNR_RU_1", "г-н"), ("HNR_RU_2", "г-жа")),
}  # fmt: skip

# code, units, roubles per that many units, full name
CURRENCIES = (
    ("RUB", 1, 1.0, "Российский рубль"),
    ("USD", 1, 81.2345, "Доллар США"),
    ("EUR", 1, 93.4567, "Евро"),
    ("KZT", 100, 15.6789, "Казахстанский тенге"),
    ("BYN", 1, 27.1828, "Белорусский рубль"),
    ("CNY", 1, 11.3579, "Китайский юань"),
    ("UZS", 10000, 66.5544, "Узбекский сум"),
)

# id, name, parent, head
DEPARTMENTS = (
    (1, "Пять направлений", None, 1),
    (2, "Отдел продаж", 1, 3),
    (3, "Постоянные клиенты", 2, 7),
    (4, "Отдел персонала", 1, 4),
    (5, "Маркетинг", 1, 5),
)

_EXTRA = {"P": "process", "S": "success", "F": "failure", "A": "apology"}


def stage_entity(category: int) -> str:
    """Return the dictionary of a pipeline's stages; the general pipeline has no number in it."""
    return f"DEAL_STAGE_{category}" if category else "DEAL_STAGE"


def stage_id(category: int, code: str) -> str:
    """Return the stage code as deals carry it."""
    return f"C{category}:{code}" if category else code


def statuses() -> Iterator[Row]:
    """Yield every dictionary entry, stages first."""
    number = 0
    stages: list[tuple[str, int | None, str, str, str, str]] = [
        (stage_entity(category), category, stage_id(category, code), name, semantics, color)
        for category, rows in STAGES.items()
        for code, name, semantics, color in rows
    ]
    stages += [("STATUS", None, *stage) for stage in LEAD_STAGES]
    sorts: dict[str, int] = {}
    for entity, category, code, name, semantics, color in stages:
        number += 1
        sorts[entity] = sorts.get(entity, 0) + 10
        yield {
            "ID": number,
            "ENTITY_ID": entity,
            "STATUS_ID": code,
            "NAME": name,
            "NAME_INIT": name,
            "SORT": sorts[entity],
            "SYSTEM": "Y" if code.endswith(("NEW", "WON", "LOSE", "CONVERTED", "JUNK")) else "N",
            "CATEGORY_ID": category or None,
            "COLOR": color,
            "SEMANTICS": {"P": None, "S": "S", "F": "F", "A": "F"}[semantics],
            "EXTRA": {"SEMANTICS": _EXTRA[semantics], "COLOR": color},
        }
    for entity, entries in PLAIN.items():
        for position, (code, name) in enumerate(entries, 1):
            number += 1
            yield {
                "ID": number,
                "ENTITY_ID": entity,
                "STATUS_ID": code,
                "NAME": name,
                "NAME_INIT": "",
                "SORT": position * 10,
                "SYSTEM": "N",
                "CATEGORY_ID": None,
                "COLOR": None,
                "SEMANTICS": None,
                "EXTRA": None,
            }


def categories() -> Iterator[Row]:
    """Yield the deal pipelines; the general one has id 0."""
    for number, name in CATEGORIES:
        yield {
            "ID": number,
            "NAME": name,
            "SORT": number * 100 + 100,
            "ENTITY_TYPE_ID": 2,
            "IS_DEFAULT": "N" if number else "Y",
            "ORIGIN_ID": None,
            "ORIGINATOR_ID": None,
        }


def currencies(now: datetime) -> Iterator[Row]:
    """Yield currencies with rates to the rouble, the base one first."""
    for number, (code, units, amount, name) in enumerate(CURRENCIES, 1):
        yield {
            "ID": number,
            "CURRENCY": code,
            "AMOUNT_CNT": units,
            "AMOUNT": amount,
            "BASE": "Y" if code == "RUB" else "N",
            "SORT": number * 100,
            "DECIMALS": 2,
            "FORMAT_STRING": "# ₽" if code == "RUB" else f"# {code}",
            "LID": "ru",
            "FULL_NAME": name,
            "DATE_UPDATE": now,
        }


def departments() -> Iterator[Row]:
    """Yield the company structure; heads are users of `staff.users`."""
    for number, name, parent, head in DEPARTMENTS:
        yield {"ID": number, "NAME": name, "SORT": 500, "PARENT": parent, "UF_HEAD": head}
