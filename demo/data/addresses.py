"""Phones, e-mails and messengers the way people really type them. All of them are unassigned."""

from __future__ import annotations

from random import Random
from typing import Any

from demo.data import names

Values = list[dict[str, Any]]

# Russian mobile codes not given to any operator, so every number is well-formed and nobody's.
_CODES = (943, 944, 945, 946, 947, 948, 973, 974, 975, 976)
_DOMAINS = (
    "example.com", "example.net", "example.org", "mail.example.com", "corp.example.net", "biz.example"
)  # fmt: skip
_FOREIGN_PHONES = ("+1202555{:04}", "+7717200{:04}", "+86130000{:05}", "+97150000{:04}",
                   "+99890000{:04}", "+493023125{:03}")  # fmt: skip


def subscriber(index: int) -> str:
    """Return ten digits unique to the index (below a hundred million)."""
    mixed = index * 7_654_321 % 10_000_000
    return f"{_CODES[index // 10_000_000 % 10 ^ index % 2]}{mixed:07}"


# How often a number is written in each way, in percent; a is the code, b c d the rest.
_WRITINGS = (
    (40, "+7{a}{b}{c}{d}"),
    (20, "8 ({a}) {b}-{c}-{d}"),
    (14, "+7 ({a}) {b}-{c}-{d}"),
    (10, "8{a}{b}{c}{d}"),
    (5, "7{a}{b}{c}{d}"),
    (3, " {a} {b} {c} {d} "),
    (2, "+7 {a} {b}-{c}-{d} доб. 1{c}"),
    (2, "8({a}){b}{c}{d}, 8 (495) 000-{c}-{d}"),
    (1, "8-{a}-{b}-{c}-{d} (Мария, до 18:00)"),
    (1, "{c}-{d}"),
    (1, "+7\u00a0{a}\u2011{b}\u2011{c}{d}"),
    (1, "нет"),
)
_WAYS = tuple(pattern for percent, pattern in _WRITINGS for _ in range(percent))


def write_phone(digits: str, rng: Random) -> str:
    """Write a Russian number in one of the habitual ways."""
    pattern = _WAYS[int(rng.random() * len(_WAYS))]
    return pattern.format(a=digits[:3], b=digits[3:6], c=digits[6:8], d=digits[8:])


def foreign_phone(rng: Random) -> str:
    """Return a well-formed number of another country, from blocks kept free."""
    pattern = _FOREIGN_PHONES[int(rng.random() * len(_FOREIGN_PHONES))]
    number = int(rng.random() * 100)
    if "202555" in pattern:
        number += 100
    return pattern.format(number)


def mailbox(person: names.Person, index: int) -> str:
    """Return a clean address unique to the index."""
    local = names.latin(person.name)[:1] + "." + (names.latin(person.last_name)[:40] or "client")
    return f"{local}{index}@{_DOMAINS[index % len(_DOMAINS)]}"


def write_email(address: str, rng: Random) -> str:
    """Spoil a clean address now and then."""
    draw = rng.random()
    if draw < 0.88:
        return address
    local, domain = address.split("@")
    if draw < 0.92:
        return f"{local.capitalize()}@{domain.upper()}"
    if draw < 0.94:
        return f"  {address} "
    if draw < 0.96:
        return f"{local}@пример.испытание"
    if draw < 0.97:
        return f"почта{local[-4:]}@пример.испытание"
    if draw < 0.98:
        return f"{address}; {local}.work@example.org"
    broken = (
        f"{local}@",
        f"{local}.example.com",
        f"{local}@example,com",
        "нет почты",
        f"{local}@@{domain}",
    )
    return broken[int(rng.random() * len(broken))]


def messengers(local: str, index: int, rng: Random) -> Values:
    """Return zero to two messenger accounts."""
    draw = rng.random()
    values: Values = []
    if draw < 0.12:
        values.append({"VALUE_TYPE": "TELEGRAM", "VALUE": f"@{local}_{index}"})
    if 0.08 < draw < 0.16:
        values.append({"VALUE_TYPE": "VK", "VALUE": f"https://vk.example.com/id{index}"})
    if 0.15 < draw < 0.21:
        line = f"imol|telegrambot|1|{900_000_000 + index}|{index}"
        values.append({"VALUE_TYPE": "OPENLINE", "VALUE": line})
    return values


class Multifields:
    """Numbers multifield values with one sequence of ids, as the portal does."""

    def __init__(self, start: int) -> None:
        self.next_id = start

    def put(self, row: dict[str, Any], key: str, values: Values) -> None:
        """Set a multifield of a row, if there is anything to set."""
        if not values:
            return
        for value in values:
            value["ID"] = self.next_id
            self.next_id += 1
        row[key] = values
