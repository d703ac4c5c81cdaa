"""How numbers, money, dates and words look in Russian and English."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask, g
from support.web_gallery import viewer

from core.web import formats, i18n
from core.web.words import plural

S = "\u00a0"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def app():
    app = Flask("formats", static_folder=None)
    i18n.register(app)
    return app


@pytest.fixture(params=["ru"])
def lang(request):
    return request.param


@pytest.fixture(autouse=True)
def _request(app, lang, monkeypatch):
    monkeypatch.setattr(formats, "utcnow", lambda: NOW)
    with app.test_request_context():
        g.viewer = viewer(lang=lang)
        yield


english = pytest.mark.parametrize("lang", ["en"], indirect=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("51883.33"), f"51{S}883,33{S}₽"),
        (Decimal("51883.30"), f"51{S}883,30{S}₽"),
        (Decimal("1200.00"), f"1{S}200{S}₽"),
        (0, f"0{S}₽"),
        (Decimal("-1.5"), f"−1,50{S}₽"),
        (0.1 + 0.2, f"0,30{S}₽"),
        (None, "—"),
    ],
)
def test_money(value, text):
    assert formats.money(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("51883.33"), f"51{S}883{S}₽"),
        (Decimal("999999"), f"999{S}999{S}₽"),
        (Decimal("1234567"), f"1,2{S}млн{S}₽"),
        (Decimal("2000000"), f"2{S}млн{S}₽"),
        (Decimal("-2500000000"), f"−2,5{S}млрд{S}₽"),
        (None, "—"),
    ],
)
def test_money_of_a_tile_has_no_kopecks(value, text):
    assert formats.money_short(value) == text


def test_other_currencies_keep_their_sign():
    assert formats.money(Decimal("10.5"), "USD") == f"10,50{S}$"
    assert formats.money(Decimal("10.5"), "KZT") == f"10,50{S}₸"


@english
def test_english_money():
    assert formats.money(Decimal("-51883.33")) == "−₽51,883.33"
    assert formats.money_short(Decimal("1234567")) == "₽1.2M"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1284, None, f"1{S}284"),
        (1.5, None, "1,5"),
        (12.4, 2, "12,40"),
        (-5, 0, "−5"),
        (None, None, "—"),
    ],
)
def test_numbers(value, digits, text):
    assert formats.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1284.5, "1284,5"), (Decimal("1.50"), "1,5"), (-0.25, "-0,25"), (7, "7")]
)
def test_a_field_holds_a_number_as_people_type_it(value, text):
    assert formats.typed(value) == text


def test_growth_shows_its_sign():
    assert [formats.signed(n) for n in (12, 0, -5)] == ["+12", "0", "−5"]
    assert [formats.percent(n, sign=True) for n in (0.124, 0, -0.031)] == [
        f"+12,4{S}%", f"0{S}%", f"−3,1{S}%",
    ]  # fmt: skip


@english
def test_english_percent():
    assert formats.percent(0.382) == "38.2%"


def test_days_of_the_calendar():
    assert formats.day(date(2026, 11, 21)) == f"21{S}ноября 2026"
    assert formats.day(None) == "—"


def test_a_day_is_counted_in_the_time_zone_of_the_portal():
    late = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    assert formats.day(late) == f"21{S}ноября 2026"
    i18n.use("America/New_York")
    assert formats.day(late) == f"20{S}ноября 2026"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOW - timedelta(minutes=55), "сегодня, 14:05"),
        (NOW - timedelta(days=1), "вчера, 15:00"),
        (datetime(2026, 3, 8, 11, 5, tzinfo=UTC), f"8{S}марта, 14:05"),
        (datetime(2025, 11, 21, 11, 5, tzinfo=UTC), f"21{S}ноября 2025, 14:05"),
        (None, "—"),
    ],
)
def test_moments(value, text):
    assert formats.moment(value) == text


@english
def test_english_moments():
    assert formats.moment(NOW) == "today, 15:00"
    assert formats.day(NOW) == f"21{S}November 2026"


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=20), "только что"),
        (timedelta(minutes=5), f"5{S}минут назад"),
        (timedelta(hours=3), f"3{S}часа назад"),
        (timedelta(days=2), f"2{S}дня назад"),
        (timedelta(days=-2), f"через{S}2 дня"),
    ],
)
def test_how_long_ago(passed, text):
    assert formats.ago(NOW - passed) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 дней"), (1, "1 день"), (2, "2 дня"), (5, "5 дней"), (11, "11 дней"), (21, "21 день"),
     (22, "22 дня"), (112, "112 дней"), (1.5, "1,5 дня"), (Decimal("5.0"), "5 дней")],
)  # fmt: skip
def test_russian_plurals(number, text):
    assert formats.days(number) == text


def test_a_plural_writes_its_number_for_people_and_takes_another_wording():
    assert plural(1284, "%(n)s day", "%(n)s days") == f"1{S}284 дня"
    assert plural(3, "%(n)s day", "%(n)s days", n="почти 3") == "почти 3 дня"


@english
def test_english_plurals():
    assert [formats.days(n) for n in (1, 2, 1.5)] == ["1 day", "2 days", "1.5 days"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("Анна Ветрова", "АВ"), ("ООО «Пример»", "ОП"), ("anna", "A"), ("", ""), ("7 ☂", "")],
)
def test_initials(name, text):
    assert formats.initials(name) == text


@pytest.mark.parametrize(
    ("address", "headers", "language"),
    [
        ("/?LANG=ru", {}, "ru"),
        ("/?LANG=kz", {}, "ru"),
        ("/?LANG=en", {}, "en"),
        ("/?LANG=de", {}, "en"),
        ("/", {}, "ru"),
        ("/", {"Accept-Language": "en"}, "ru"),
        ("/", {"Accept-Language": "en", "HX-Request": "true"}, "en"),
    ],
)
def test_the_language_of_a_request_without_a_viewer(app, address, headers, language):
    with app.test_request_context(address, headers=headers):
        g.pop("viewer", None)
        assert i18n.choose_language() == language


def test_the_viewers_own_language_wins(app):
    with app.test_request_context("/?LANG=ru"):
        g.viewer = viewer(lang="en")
        assert i18n.choose_language() == "en"
