"""People: Russian and foreign names, with the spellings that break naive code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MEN = _words("""
Александр Алексей Анатолий Андрей Антон Артём Богдан Борис Вадим Валерий Василий Виктор
Виталий Владимир Владислав Вячеслав Геннадий Георгий Глеб Григорий Даниил Денис Дмитрий Евгений
Егор Иван Игорь Илья Кирилл Константин Лев Леонид Максим Марат Михаил Никита Николай Олег Павел
Пётр Роман Руслан Семён Сергей Станислав Степан Тимур Фёдор Юрий Ярослав
""")
WOMEN = _words("""
Александра Алёна Алина Алла Анастасия Анжелика Анна Валентина Валерия Вера Виктория
Галина Дарья Диана Евгения Екатерина Елена Елизавета Жанна Зинаида Инна Ирина Карина Кристина
Ксения Лариса Лидия Любовь Людмила Маргарита Марина Мария Милана Надежда Наталья Нина Оксана Ольга
Полина Раиса Светлана София Таисия Тамара Татьяна Ульяна Фаина Эльвира Юлия Яна
""")
SURNAMES = _words("""
Агапов Алфёров Белозёров Берёзкин Богатырёв Вершинин Ветров Воронцов Гаврилов
Голубев Горчаков Грачёв Гришин Давыдов Дёмин Дроздов Ермилов Журавлёв Заварзин Звягинцев Зимин
Зорин Зубарев Игнатьев Калашников Карасёв Кирсанов Ковалёв Колесов Королёв Костин Кравцов Кречетов
Кузнецов Лагутин Лапшин Лебедев Логинов Макаров Маслов Мельников Меркулов Мухин Назаров Нестеров
Никифоров Облонков Овчинников Осокин Панфилов Пахомов Пестов Плетнёв Поздняков Рожков Рябинин
Савельев Садовников Самойлов Селезнёв Синицын Снегирёв Соболев Сорокин Стрельцов Сурков Терентьев
Тихомиров Трёхгорнов Уваров Устинов Фадеев Филатов Фирсов Хомутов Хохлов Цветков Чернышёв Чижов
Шаповалов Шестаков Щербаков Щукин Юдин Яковлев Ястребов
""")
INDECLINABLE = _words("Седых Черных Коваленко Петренко Шевчук Лисовец Гогоберидзе Ким Цой Белых")
FATHERS = _words("""
Александр:ович:овна Алексей:евич:евна Анатолий:ьевич:ьевна Андрей:евич:евна
Борис:ович:овна Виктор:ович:овна Владимир:ович:овна Дмитрий:евич:евна Евгений:ьевич:ьевна
Иван:ович:овна Игорь:евич:евна Константин:ович:овна Леонид:ович:овна Михаил:ович:овна
Николай:евич:евна Олег:ович:овна Павл:ович:овна Пётр:ович:овна Роман:ович:овна Семён:ович:овна
Сергей:евич:евна Фёдор:ович:овна Юрий:ьевич:ьевна
""")
FOREIGN_GIVEN = _words("""
John Emma Liam Olivia Hans Greta François Amélie José Lucía Wei Yuki Ahmet Zeynep
Nursultan Aigerim Timur Madina Søren Zoë Aleš Łukasz Małgorzata Anna-Lena Jean-Pierre
""")
FOREIGN_FAMILY = _words("""
Smith-Jones O'Neill Müller Großmann Lefèvre Núñez Zhang Tanaka Yılmaz Öztürk
Abenov Sadykova Bakirov Sørensen Novák Kowalczyk van-der-Berg Johnson Brown Schneider Rossi Costa
Petrosyan Karimov D'Angelo
""")
POSTS = [
    "Генеральный директор", "Коммерческий директор", "Директор по персоналу", "Главный инженер",
    "Начальник отдела закупок", "Менеджер проекта", "Финансовый директор", "Офис-менеджер",
    "Руководитель отдела подбора", "Прораб", "Управляющий отелем", "ИТ-директор", "Бухгалтер",
    "Индивидуальный предприниматель", "Специалист по тендерам", None, None, None,
]  # fmt: skip
DIRTY = [
    ("Мария 🌸", "Весенняя", None),
    ("Игорь", "Длиннофамильный-" + "Очень" * 60, "Игоревич"),
    ("Нуль\x00евой", "Байтов", "Сергеевич"),
    ("  Пробел ", " Краевой\t", ""),
    ('"; DROP TABLE contacts; --', "O'Кавычкин", None),
    ("<b>Тег</b>", "&amp; Амперсандов", None),
    ("👩‍💻 Zoë", "Комбинируе\u0301мая", None),
    ("", "ИВАНЦОВ ИВАН ИВАНОВИЧ", None),
    ("тест", "тест", "тест"),
    ("Имя\u00a0Неразрывное", "Строка\nПеренос", None),
]

TRANSLIT = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        _words("a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya"),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Person:
    """A person's name as it stands on a card."""

    name: str
    last_name: str
    second_name: str | None
    honorific: str | None
    foreign: bool = False


@lru_cache(maxsize=4096)
def latin(text: str) -> str:
    """Transliterate to lower-case ASCII letters, as mailbox names are made."""
    letters = (TRANSLIT.get(char, char) for char in text.lower())
    return "".join(char for char in "".join(letters) if char.isascii() and char.isalpha())


def feminine(surname: str) -> str:
    """Return the feminine form of a surname ending in -ов, -ев, -ин or the like."""
    return surname + "а" if surname.endswith(("ов", "ев", "ёв", "ин", "ын")) else surname


def _patronymic(rng: Random, woman: bool) -> str:
    stem, male, female = FATHERS[int(rng.random() * len(FATHERS))].split(":")
    if male != "ович" and stem.endswith(("й", "ь")):
        stem = stem[:-2] if male.startswith("ь") else stem[:-1]
    return {"Пётр": "Петр"}.get(stem, stem) + (female if woman else male)


def russian(rng: Random) -> Person:
    """Invent a Russian person: often without a patronymic, sometimes with a double surname."""
    woman = rng.random() < 0.5
    pool = WOMEN if woman else MEN
    name = pool[int(rng.random() * len(pool))]
    surname = SURNAMES[int(rng.random() * len(SURNAMES))]
    draw = rng.random()
    if draw < 0.06:
        surname = INDECLINABLE[int(rng.random() * len(INDECLINABLE))]
    elif woman:
        surname = feminine(surname)
    if 0.06 <= draw < 0.10:
        other = SURNAMES[int(rng.random() * len(SURNAMES))]
        surname = f"{surname}-{feminine(other) if woman else other}"
    second = _patronymic(rng, woman) if rng.random() < 0.55 else None
    honorific = ("HNR_RU_2" if woman else "HNR_RU_1") if rng.random() < 0.2 else None
    return Person(name, surname, second, honorific)


def foreign(rng: Random) -> Person:
    """Invent a foreign person."""
    given = FOREIGN_GIVEN[int(rng.random() * len(FOREIGN_GIVEN))]
    family = FOREIGN_FAMILY[int(rng.random() * len(FOREIGN_FAMILY))]
    return Person(given, family.replace("van-der-", "van der "), None, None, foreign=True)
