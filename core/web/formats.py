"""How values look to people, in the viewer's language. None is a dash everywhere."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final, TypeAlias

from babel import dates, numbers
from flask_babel import get_locale, get_timezone

from core.clock import utcnow
from core.web.words import gettext, plural

Number: TypeAlias = int | float | Decimal
NBSP: Final = "\u00a0"
DASH: Final = "—"
# Signs people know although the locale data spells the code.
_SIGNS: Final = {"RUB": "₽", "KZT": "₸", "UAH": "₴", "BYN": "Br"}
_MILLION: Final = 1_000_000
_MINUTE, _DAY = 60, 86_400


def number(value: Number | None, digits: int | None = None) -> str:
    """1 284; with `digits`, exactly so many decimals: 12,40."""
    if value is None:
        return DASH
    pattern = "#,##0.##" if digits is None else "#,##0." + "0" * digits if digits else "#,##0"
    return _typeset(numbers.format_decimal(value, pattern, locale=get_locale()))


def typed(value: Number) -> str:
    """1284,5: as it is typed into a field, without groups."""
    return numbers.format_decimal(value, "0.##########", locale=get_locale())


def signed(value: Number | None) -> str:
    """+12, −5: growth always shows its sign."""
    return _with_plus(number(value), value or 0)


def percent(value: Number | None, *, sign: bool = False) -> str:
    """A share of one as 38,2 %."""
    if value is None:
        return DASH
    pattern = f"#,##0.#{NBSP}%" if _is_russian() else "#,##0.#%"
    text = _typeset(numbers.format_percent(value, pattern, locale=get_locale()))
    return _with_plus(text, value) if sign else text


def money(value: Number | None, currency: str = "RUB") -> str:
    """51 883,33 ₽; whole sums without kopecks."""
    if value is None:
        return DASH
    amount = Decimal(str(value))
    digits = 0 if amount == amount.to_integral_value() else 2
    return _with_currency(number(amount, digits), currency)


def money_short(value: Number | None, currency: str = "RUB") -> str:
    """For tiles: without kopecks, from a million on as 1,2 млн ₽."""
    if value is None:
        return DASH
    amount = Decimal(str(value))
    if abs(amount) < _MILLION:
        return _with_currency(number(amount, 0), currency)
    text = numbers.format_compact_decimal(amount, locale=get_locale(), fraction_digits=1)
    return _with_currency(_typeset(text), currency)


def day(value: date | datetime | None) -> str:
    """21 ноября 2026."""
    if value is None:
        return DASH
    local = _local(value) if isinstance(value, datetime) else value
    return dates.format_date(local, "d MMMM y", locale=get_locale()).replace(" ", NBSP, 1)


def moment(value: datetime | None, zone: tzinfo | None = None) -> str:
    """сегодня, 14:05; 21 ноября, 14:05; another year is named. `zone`: another clock than the viewer's."""
    if value is None:
        return DASH
    zone = zone or get_timezone()
    local, today = value.astimezone(zone), utcnow().astimezone(zone).date()
    time = dates.format_time(local, "HH:mm", locale=get_locale())
    if local.date() == today:
        return gettext("today, %(time)s", time=time)
    if local.date() == today - timedelta(days=1):
        return gettext("yesterday, %(time)s", time=time)
    pattern = "d MMMM" if local.year == today.year else "d MMMM y"
    return f"{dates.format_date(local, pattern, locale=get_locale()).replace(' ', NBSP, 1)}, {time}"


def tick(value: datetime, *, clock: bool) -> str:
    """21 нояб., or 21 нояб., 14:00 with the `clock`: under an axis of a chart, in the viewer's zone."""
    text = dates.format_skeleton("MMMd", value, tzinfo=get_timezone(), locale=get_locale())
    time = dates.format_time(value, "HH:mm", tzinfo=get_timezone(), locale=get_locale())
    return f"{text}, {time}" if clock else text


def month(value: date) -> str:
    """нояб. 2026 г.: under an axis, and at the head of a row."""
    text: str = dates.format_skeleton("yMMM", value, locale=get_locale())
    return text.replace(" ", NBSP)


def currency_sign(currency: str) -> str:
    """₽: at the head of a column of sums."""
    return _SIGNS.get(currency) or numbers.get_currency_symbol(currency, get_locale())


def ago(value: datetime | None) -> str:
    """5 минут назад; pair it with the exact `moment` in a title."""
    if value is None:
        return DASH
    passed = utcnow() - value
    if abs(passed.total_seconds()) < _MINUTE:
        return gettext("just now")
    return dates.format_timedelta(
        -passed, add_direction=True, threshold=1.2, locale=get_locale()
    ).replace(" ", NBSP, 1)


def days(value: Number | timedelta | None) -> str:
    """32 дня, 1,5 дня."""
    if value is None:
        return DASH
    if isinstance(value, timedelta):
        value = round(value.total_seconds() / _DAY, 1)
    return plural(value, "%(n)s day", "%(n)s days")


def initials(name: str) -> str:
    """АВ for «Анна Ветрова», for the round avatar."""
    letters = [next(filter(str.isalpha, word), "") for word in name.split()]
    return "".join(filter(None, letters))[:2].upper()


FILTERS: Final = {
    "number": number,
    "signed": signed,
    "percent": percent,
    "money": money,
    "money_short": money_short,
    "month": month,
    "currency_sign": currency_sign,
    "date": day,
    "datetime": moment,
    "ago": ago,
    "days": days,
    "initials": initials,
}


def _local(value: datetime) -> datetime:
    return value.astimezone(get_timezone())


def _is_russian() -> bool:
    locale = get_locale()
    return locale is not None and locale.language == "ru"


def _with_currency(text: str, currency: str) -> str:
    sign = currency_sign(currency)
    if _is_russian() or len(sign) > 1:
        return f"{text}{NBSP}{sign}"
    return f"−{sign}{text[1:]}" if text.startswith("−") else f"{sign}{text}"


def _with_plus(text: str, value: Number) -> str:
    return f"+{text}" if value > 0 else text


def _typeset(text: str) -> str:
    return text.replace("-", "−").replace(" ", NBSP)
