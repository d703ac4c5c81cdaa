"""The portal's own people: users with their rights, and who answers for a row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

Row = dict[str, Any]

# name, surname, patronymic, post, departments, rights to CRM (A all, D department, S own, "" none)
_PEOPLE = (
    ("Вера", "Облонкова", "Андреевна", "Генеральный директор", [1], "A"),
    ("Тимур", "Зарецкий", "Ильич", "Администратор портала", [1], "A"),
    ("Семён", "Кречетов", "Олегович", "Руководитель отдела продаж", [2], "A"),
    ("Алёна", "Белозёрова", None, "Руководитель отдела персонала", [4], "D"),
    ("Фёдор", "Журавлёв-Ким", None, "Руководитель маркетинга", [5], "A"),
    ("Ксения", "Рябинина", "Павловна", "Менеджер по продажам", [2], "S"),
    ("Артём", "Пахомов", "Сергеевич", "Менеджер по продажам", [2, 3], "D"),
    ("Инна", "Чижова", None, "Менеджер по работе с клиентами", [3], "S"),
    ("Глеб", "Уваров", None, "Менеджер по продажам (уволен)", [2], "S"),
    ("Zoë", "Müller", None, "Подрядчик, аналитика", [5], ""),
)
USERS = len(_PEOPLE)
ADMINS = (1, 2)
DISMISSED = 9
# An integrator's account: it owns rows, but user.get never shows it.
HIDDEN = 4001
_OWNER_TABLE = (3, 3, 6, 6, 6, 6, 7, 7, 7, 8, 8, 8, 8, 1, 9) * 16 + (HIDDEN,)


def users(now: datetime, start: int) -> Iterator[Row]:
    """Yield users; `CRM_RIGHTS` and `ADMIN` are for the portal itself, not for REST."""
    for number, (name, surname, patronymic, post, places, rights) in enumerate(_PEOPLE, 1):
        admin = number in ADMINS
        yield {
            "ID": number,
            "ACTIVE": number != DISMISSED,
            "NAME": name,
            "LAST_NAME": surname,
            "SECOND_NAME": patronymic or "",
            "EMAIL": f"user{number}@portal.example.com",
            "WORK_POSITION": post,
            "WORK_PHONE": f"+7 (495) 000-00-{number:02}",
            "PERSONAL_MOBILE": "",
            "PERSONAL_GENDER": "F" if surname.endswith(("ва", "на")) else "M",
            "PERSONAL_BIRTHDAY": "",
            "TIME_ZONE": "Asia/Yekaterinburg" if number == 7 else "",
            "DATE_REGISTER": datetime.fromtimestamp(start - 86_400 * (40 - number), UTC),
            "LAST_LOGIN": now,
            "IS_ONLINE": "N",
            "UF_DEPARTMENT": list(places),
            "USER_TYPE": "employee",
            "ADMIN": "Y" if admin else "N",
            "CRM_RIGHTS": rights,
        }


def owner(rng: Random) -> int:
    """Pick the user responsible for a row, now and then one nobody can look up."""
    return _OWNER_TABLE[int(rng.random() * len(_OWNER_TABLE))]
