"""Addresses as people type them; the quick paths agree with the libraries on everything they take."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from integration.rules import addresses

NUMBER = "000-12-34"
SHAPES = (
    "{0}{1}{2}", "{0} ({1}) {2}", "{0}-{1}-{2}", "{0} {1} {2}", "{0}({1}){2}", "{0}.{1}.{2}",
    " {0} {1}  {2} ", "{0}\u00a0{1}\u00a0{2}", "({0}) {1}-{2}",
)  # fmt: skip


def library_phone(typed):
    """What phonenumbers alone says."""
    try:
        number = phonenumbers.parse(typed, "RU")
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number(number)
    e164 = phonenumbers.PhoneNumberFormat.E164
    return phonenumbers.format_number(number, e164) if possible else None


def phone(typed):
    return [form.value for form in addresses.phones(typed)]


def corpus():
    """Every code a Russian number may begin with, every way people write one, and foreign ones."""
    dice = random.Random(7)
    for code in range(300, 1000):
        for prefix in ("", "7", "8", "+7", "+8"):
            rest = f"{dice.randrange(1000):03}-{dice.randrange(100):02}-{dice.randrange(100):02}"
            yield dice.choice(SHAPES).format(prefix, code, rest)
    for country in (1, 30, 33, 375, 380, 44, 48, 49, 65, 76, 77, 81, 84, 86, 90, 971, 994, 998):
        for length in range(7, 12):
            yield f"+{country}{dice.randrange(10 ** (length - 1), 10**length)}"


def test_the_quick_path_for_russian_numbers_agrees_with_phonenumbers():
    typed = list(corpus())
    assert len(typed) > 3500
    differing = {
        text: (phone(text), library_phone(text))
        for text in typed
        if phone(text) != [library_phone(text)]
    }
    assert differing == {}


@given(st.text("+0123456789 ()-.", min_size=1, max_size=18))
@example("+84 912 345 678")
@example("810 210-29-97")
def test_anything_that_looks_like_a_number_is_read_as_phonenumbers_reads_it(typed):
    if typed.strip():
        assert phone(typed) == [library_phone(typed)]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("8 (495) 000-12-34", ["+74950001234"]), ("+7 495 000 12 34", ["+74950001234"]),
        ("4950001234", ["+74950001234"]), ("+49 30 0001234", ["+49300001234"]),
        ("+84 912 345 678", ["+84912345678"]), ("8 495 000-12-34 доб. 5", ["+74950001234"]),
        ("+7 495 000-12-34, 8 812 000-12-35", ["+74950001234", "+78120001235"]),
        ("84950001234;84950001235", ["+74950001234", "+74950001235"]),
        ("8495000\x001234", ["+74950001234"]), ("нет", [None]), ("12", [None]), ("", [None]),
    ],
)  # fmt: skip
def test_phones(typed, found):
    assert phone(typed) == found


@pytest.mark.parametrize(("typed", "problem"), [("нет", "not_a_phone"), ("12", "wrong_length")])
def test_a_phone_that_is_none_says_why(typed, problem):
    assert [form.problem for form in addresses.phones(typed)] == [problem]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("Anna.Vetrova@Example.COM", "anna.vetrova@example.com"), (" <a@example.com> ", "a@example.com"),
        ("mailto:a@example.com", "a@example.com"), ("иван@пример.example", "иван@xn--e1afmkfd.example"),
        ("a+b_c-d@x-y.example", "a+b_c-d@x-y.example"), ("a@straße.example", "a@xn--strae-oqa.example"),
        ("ß@example.com", "ß@example.com"), ("a@example.com\x00", "a@example.com"),
    ],
)  # fmt: skip
def test_emails(typed, found):
    assert addresses.email(typed).value == found


@pytest.mark.parametrize(
    "typed",
    ["", "нет", "a@", "@example.com", "a b@example.com", "a@example", "a..b@example.com",
     "a@example..com", "a@-x.example", f"a@{'x' * 64}.example", "a@ab--c.example", "a@host.local",
     "a@x.invalid", "a@1.2.3.4", f"{'a' * 250}@example.com", "a@b@example.com", "a@example.com,b@x.ru"],
)  # fmt: skip
def test_what_is_no_email_says_so(typed):
    assert addresses.email(typed) == addresses.Normalised(None, "not_an_email")


@given(
    st.text("abzАя019._+-", min_size=1, max_size=12),
    st.text("abz019-", min_size=1, max_size=8),
    st.sampled_from(["ru", "com", "example", "test", "local", "invalid", "r1", "рф", "x"]),
)
def test_the_quick_path_for_emails_agrees_with_the_library(local, host, tld):
    typed = f"{local}@{host}.{tld}"
    try:
        checked = validate_email(
            typed, check_deliverability=False, test_environment=True, allow_smtputf8=True
        )
        wanted = f"{checked.local_part.lower()}@{checked.ascii_domain.lower()}"
    except EmailNotValidError:
        wanted = None
    assert addresses.email(typed).value == wanted


@pytest.mark.parametrize(
    ("typed", "kind", "found"),
    [
        ("@Anna_V", "TELEGRAM", "telegram:anna_v"), ("https://t.me/Anna_V/", "TELEGRAM", "telegram:anna_v"),
        ("https://vk.com/id1", "VK", "vk:id1"), ("imol|livechat|1|2|3", "OPENLINE", "imol|livechat|1|2|3"),
        ("anna", None, "other:anna"), ("@", "TELEGRAM", None),
    ],
)  # fmt: skip
def test_messengers(typed, kind, found):
    assert addresses.messenger(typed, kind).value == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("https://www.Example.com/shop?a=1", "example.com"), ("пример.example", "xn--e1afmkfd.example"),
        ("example.com:8080", "example.com"), ("", None), ("нет сайта", None), ("..", None),
    ],
)  # fmt: skip
def test_sites(typed, found):
    assert addresses.web(typed).value == found


def test_a_value_may_hold_several_emails():
    found = [
        form.value for form in addresses.emails("Anna@example.com; b@example.org,  c@example.net")
    ]
    assert found == ["anna@example.com", "b@example.org", "c@example.net"]
    assert [form.problem for form in addresses.emails("a@@example.com")] == ["not_an_email"]
