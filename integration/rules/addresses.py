"""Phones, e-mails and messengers as people type them → one normal form, or the reason there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import idna
import phonenumbers
from email_validator import EmailNotValidError, validate_email

_SEVERAL = re.compile(r"\s*[,;/|\n]\s*")
_SEVERAL_EMAILS = re.compile(r"[\s,;]+")
_BETWEEN_DIGITS = str.maketrans("", "", " ().-\u00a0")
_RUSSIAN = re.compile(r"(?:\+?7|8|(?!810))([3489][0-9]{9})")  # 8 10 dials abroad
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9](?:\.?[a-z0-9_+-]++)*+@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!arpa|invalid|local|onion)[a-z]{2,63}"
)
_PLAIN_LOCAL = re.compile(r"[a-z0-9](?:[a-z0-9_+-]|\.(?!\.)){0,62}(?<!\.)")
_PROFILE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:t\.me|telegram\.me|vk\.com|m\.vk\.com)/@?", re.IGNORECASE
)
_LONGEST_ACCOUNT = 254
_PHONE_DIGITS = 10


@dataclass(slots=True)
class Normalised:
    """What one typed value holds: a normal form, or None with a problem code."""

    value: str | None
    problem: str | None = None


_NO_EMAIL = Normalised(None, "not_an_email")


def phones(typed: str, region: str = "RU") -> list[Normalised]:
    """Every number of a typed value in E.164 (extension dropped); a value may hold several."""
    if (plain := _plain_russian(typed, region)) is not None:
        return [plain]
    parts = [part for part in _SEVERAL.split(typed.replace("\x00", "")) if part] or [typed]
    return [_plain_russian(part, region) or _parsed_phone(part, region) for part in parts]


def _plain_russian(part: str, region: str) -> Normalised | None:
    """What nearly every number is, many times faster than the library knows it."""
    russian = _RUSSIAN.fullmatch(part.translate(_BETWEEN_DIGITS)) if region == "RU" else None
    return Normalised(f"+7{russian[1]}") if russian else None


@lru_cache(maxsize=4096)
def _parsed_phone(part: str, region: str) -> Normalised:
    try:
        number = phonenumbers.parse(part, region)
    except phonenumbers.NumberParseException:
        return Normalised(None, "not_a_phone")
    if not phonenumbers.is_possible_number(number):
        return Normalised(None, "wrong_length")
    return Normalised(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def whole(typed: str, region: str = "RU") -> str | None:
    """The e-mail or phone that somebody typed in full to look for it, in its normal form."""
    if (found := email(typed).value) is not None:
        return found
    digits = sum(each.isdigit() for each in typed)
    return phones(typed, region)[0].value if digits >= _PHONE_DIGITS else None


def emails(typed: str) -> list[Normalised]:
    """Every address of a typed value; a value may hold several."""
    if typed.count("@") > 1:
        parts = [part for part in _SEVERAL_EMAILS.split(typed) if part]
        if all(part.count("@") == 1 for part in parts):
            return [email(part) for part in parts]
    return [email(typed)]


def email(typed: str) -> Normalised:
    """An address in lower case, its domain in IDNA."""
    trimmed = typed.replace("\x00", "").strip().strip("<>").removeprefix("mailto:")
    if trimmed.count("@") != 1 and '"' not in trimmed:
        return _NO_EMAIL
    lower = trimmed.lower()
    if (
        len(lower) <= 254
        and trimmed.isascii()
        and "--" not in lower
        and _PLAIN_EMAIL.fullmatch(lower)
    ):
        return Normalised(lower)
    local, _, host = lower.partition("@")
    if not host.isascii() and _PLAIN_LOCAL.fullmatch(local):
        ascii_host = _ascii_host(host)
        return Normalised(f"{local}@{ascii_host}") if ascii_host else _NO_EMAIL
    try:
        checked = validate_email(
            trimmed, check_deliverability=False, test_environment=True, allow_smtputf8=True
        )
    except EmailNotValidError:
        return _NO_EMAIL
    return Normalised(f"{checked.local_part.lower()}@{checked.ascii_domain.lower()}")


@lru_cache(maxsize=1024)
def _ascii_host(host: str) -> str | None:
    """A host of other letters in IDNA: slow to work out, and few hosts have many addresses."""
    try:
        checked = validate_email(f"a@{host}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return checked.ascii_domain.lower()


def messenger(typed: str, value_type: str | None) -> Normalised:
    """`telegram:name`, `vk:id1`, `imol:…`: the network and the account in it."""
    account = _PROFILE.sub("", typed.replace("\x00", "").strip()).lstrip("@").rstrip("/")
    if not account:
        return Normalised(None, "empty")
    if len(account) > _LONGEST_ACCOUNT:
        return Normalised(None, "too_long")
    network = (value_type or "other").lower()
    return Normalised(account if account.startswith("imol|") else f"{network}:{account.casefold()}")


def web(typed: str) -> Normalised:
    """Host of a site, in lower-case IDNA, without `www.`."""
    host = (
        re.sub(r"^\w+://", "", typed.replace("\x00", "").strip()).split("/", 1)[0].split(":", 1)[0]
    )
    try:
        return Normalised(idna.encode(host.lower().removeprefix("www."), uts46=True).decode())
    except (idna.IDNAError, UnicodeError):
        return Normalised(None, "not_a_site")
