"""The five trades mixed in one portal: what each sells, to whom, how often and for how much."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Trade:
    """One trade's flavour: `median` is a typical deal in roubles, `gap` days between purchases."""

    code: str
    title: str
    median: int
    spread: float
    gap: int
    services: tuple[str, ...]
    objects: tuple[str, ...]
    companies: tuple[str, ...]
    industry: str


TRADES = (
    Trade(
        "construction", "Строительство", 1_400_000, 0.9, 150,
        ("Фасадные работы", "Монолитные работы", "Кровля", "Отделка мест общего пользования",
         "Благоустройство территории", "Инженерные сети", "Остекление", "Проект и смета"),
        ("ЖК «Северный берег»", "ЖК «Кленовый парк»", "БЦ «Меридиан-7»", "склад в Восточном",
         "школа на 550 мест", "ТЦ «Орбита-Юг»", "ЖК «Три сосны»", "коттедж, участок 14"),
        ("СтройКонтур", "Монолит-Сервис", "Домострой-Юг", "Фасадные решения", "УК «Тёплый дом»"),
        "BUILDING",
    ),
    Trade(
        "hotels", "Гостиницы", 160_000, 0.7, 75,
        ("Номерной фонд на конференцию", "Банкет", "Корпоративный тариф", "Конференц-зал",
         "Групповой заезд", "Размещение делегации", "Выездной тренинг", "Новогодний корпоратив"),
        ("25 номеров", "60 гостей", "3 ночи", "зал «Янтарь»", "весенний форум", "12 номеров, 5 ночей",
         "семинар партнёров", "120 гостей"),
        ("Турбюро «Маршрут»", "Деловые поездки", "Форум-Центр", "Отель «Приморский дворик»"),
        "HOTELS",
    ),
    Trade(
        "jobads", "Реклама вакансий", 48_000, 0.6, 40,
        ("Размещение вакансий", "Пакет «Массовый подбор»", "Брендированная страница работодателя",
         "Реклама в мессенджерах", "Баннер на главной", "Доступ к базе резюме", "Таргет на рабочих"),
        ("30 вакансий", "месяц", "водители и курьеры", "квартал", "склад и логистика",
         "сезонный набор", "розничная сеть", "10 вакансий"),
        ("Кадры Плюс", "Сеть магазинов «Рядом»", "ЛогистЭкспресс", "Завод «Электромаш-3»"),
        "OTHER",
    ),
    Trade(
        "software", "Разработка ПО", 420_000, 0.8, 60,
        ("Внедрение CRM", "Доработка интернет-магазина", "Техподдержка", "Интеграция с 1С",
         "Мобильное приложение", "Аудит безопасности", "Лицензии", "Миграция в облако"),
        ("этап 1", "этап 2", "40 часов", "год", "25 рабочих мест", "личный кабинет", "пилот",
         "склад и доставка"),
        ("ЦифраСофт", "Интернет-магазин «Лавка»", "ТехноСфера-Н", "Логика данных", "АвтоДеталь24"),
        "IT",
    ),
    Trade(
        "finance", "Финансы", 230_000, 1.0, 95,
        ("Лизинг оборудования", "Банковская гарантия", "Бухгалтерское сопровождение", "Факторинг",
         "Страхование грузов", "Аудит отчётности", "Налоговая консультация", "Кредитная линия"),
        ("2 единицы техники", "44-ФЗ", "квартал", "контракт с сетью", "партия из 3 машин",
         "годовая отчётность", "реструктуризация", "лимит 5 млн"),
        ("Капитал-Учёт", "ФинПартнёр", "Агролизинг-М", "Торговый дом «Весна»", "ГрузТранс"),
        "FINANCE",
    ),
)  # fmt: skip

HR_POSITIONS = (
    "Менеджер по продажам", "Прораб", "Администратор отеля", "Python-разработчик", "Бухгалтер",
    "Рекрутер", "Водитель", "Кредитный аналитик",
)  # fmt: skip
FORMS = ("ООО", "ООО", "ООО", "АО", "ИП", "ПАО")
PLACES = ("Север", "Юг", "Восток", "Центр", "Поволжье", "Урал", "Нева", "Ока", "Кама", "Сибирь")
CITIES = (
    "Москва", "Санкт-Петербург", "Казань", "Екатеринбург", "Новосибирск", "Самара", "Тюмень",
    "Краснодар", "Пермь", "Орёл", "Королёв", "Набережные Челны",
)  # fmt: skip
FOREIGN_COMPANIES = (
    "Blue Lagoon Trading Ltd.", "Nordlicht GmbH", "Société Exemple", "Kök Jer LLP", "Белсвязьтест ОДО",
    "Sample & Sons, Inc.", "东方样本有限公司", "Örnek A.Ş.",
)  # fmt: skip


def pick_title(trade: Trade, rng: Random) -> str:
    """Compose a deal title the way managers of this trade write it."""
    service = trade.services[int(rng.random() * len(trade.services))]
    thing = trade.objects[int(rng.random() * len(trade.objects))]
    return f"{service}, {thing}" if rng.random() < 0.8 else service


def pick_company(trade: Trade, rng: Random, number: int) -> str:
    """Compose a company title; the number keeps the names of a big portal apart."""
    if rng.random() < 0.05:
        return f"{FOREIGN_COMPANIES[int(rng.random() * len(FOREIGN_COMPANIES))]} {number}"
    base = trade.companies[int(rng.random() * len(trade.companies))]
    place = PLACES[int(rng.random() * len(PLACES))]
    form = FORMS[int(rng.random() * len(FORMS))]
    core = f"{base}-{place}" if "»" not in base else f"{base} {place}"
    return f"{form} «{core} {number}»" if "«" not in core else f"{form} {core} {number}"
