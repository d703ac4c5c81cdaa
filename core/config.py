"""Every setting of the program, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from core.addresses import parse_target
from core.crypto import Vault
from core.errors import ConfigError, ForbiddenAddress

OFFICIAL_OAUTH_URLS = ("https://oauth.bitrix24.tech", "https://oauth.bitrix.info")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SHORTEST_SECRET_KEY = 32
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Settings:
    """One attribute per environment variable, with the same name in lower case.

    Empty `database_url` / `redis_url` mean: run our own servers under `data_dir`.
    """

    port: int = 8000
    data_dir: Path = Path(".data")
    database_url: str = ""
    redis_url: str = ""
    public_url: str = ""
    secret_key: str = field(default="", repr=False)
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    b24_client_id: str = ""
    b24_client_secret: str = field(default="", repr=False)
    b24_oauth_urls: tuple[str, ...] = OFFICIAL_OAUTH_URLS
    allow_private_portals: bool = False
    smtp_url: str = field(default="", repr=False)
    mail_from: str = ""
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read and check the environment; raises ConfigError naming the first wrong variable."""
        raw = os.environ if env is None else env
        required = {
            name: raw.get(name, "").strip()
            for name in ("PUBLIC_URL", "SECRET_KEY", "ENCRYPTION_KEYS")
        }
        for name, value in required.items():
            if not value:
                raise ConfigError(f"{name} is not set. {_HOW_TO_GET[name]}")
        _check_pair(raw)
        return cls(
            port=_port(raw),
            data_dir=Path(raw.get("DATA_DIR", "").strip() or ".data").resolve(),
            database_url=_server_url(raw, "DATABASE_URL", "postgresql", "postgres"),
            redis_url=_server_url(raw, "REDIS_URL", "redis", "rediss", "unix"),
            public_url=_public_url(required["PUBLIC_URL"]),
            secret_key=_secret_key(required["SECRET_KEY"]),
            encryption_keys=_encryption_keys(required["ENCRYPTION_KEYS"]),
            b24_client_id=raw.get("B24_CLIENT_ID", "").strip(),
            b24_client_secret=raw.get("B24_CLIENT_SECRET", "").strip(),
            b24_oauth_urls=_oauth_urls(raw),
            allow_private_portals=_bool(raw, "ALLOW_PRIVATE_PORTALS"),
            smtp_url=_smtp_url(raw),
            mail_from=_mail_from(raw),
            log_level=_log_level(raw),
        )


_HOW_TO_GET = {
    "PUBLIC_URL": "It is the https address Bitrix24 and your clients reach, e.g. https://crm.example.com.",
    "SECRET_KEY": "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
    "ENCRYPTION_KEYS": (
        "Make one with: python -c 'from cryptography.fernet import Fernet; "
        "print(Fernet.generate_key().decode())'"
    ),
}


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _port(raw: Mapping[str, str]) -> int:
    value = raw.get("PORT", "").strip()
    if not value:
        return Settings.port
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise ConfigError(f"PORT must be a number from 1 to 65535, got {value!r}")
    return int(value)


def _bool(raw: Mapping[str, str], name: str) -> bool:
    value = raw.get(name, "").strip().lower()
    if value in {"", "0", "no", "false", "off"}:
        return False
    if value in {"1", "yes", "true", "on"}:
        return True
    raise ConfigError(f"{name} must be 1 or 0, got {value!r}")


def _log_level(raw: Mapping[str, str]) -> str:
    value = raw.get("LOG_LEVEL", "").strip().upper() or Settings.log_level
    if value not in LOG_LEVELS:
        raise ConfigError(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, got {value!r}")
    return value


def _secret_key(value: str) -> str:
    if len(value) < SHORTEST_SECRET_KEY:
        raise ConfigError(
            f"SECRET_KEY is shorter than {SHORTEST_SECRET_KEY} characters. {_HOW_TO_GET['SECRET_KEY']}"
        )
    return value


def _encryption_keys(value: str) -> tuple[str, ...]:
    """The keys themselves stay out of the error."""
    keys = _list(value)
    Vault(keys)
    return keys


def _check_pair(raw: Mapping[str, str]) -> None:
    given = [n for n in ("B24_CLIENT_ID", "B24_CLIENT_SECRET") if raw.get(n, "").strip()]
    if len(given) == 1:
        raise ConfigError(
            "B24_CLIENT_ID and B24_CLIENT_SECRET belong together: set both, or neither and use "
            f"`portals add`; only {given[0]} is set"
        )


def _server_url(raw: Mapping[str, str], name: str, *schemes: str) -> str:
    """The address may hold a password, so the error repeats no more than its beginning."""
    value = raw.get(name, "").strip()
    if value and value.partition("://")[0].partition("+")[0] not in schemes:
        raise ConfigError(f"{name} must begin with {schemes[0]}://")
    return value


def _smtp_url(raw: Mapping[str, str]) -> str:
    """`smtps://user:password@host:465` (TLS) or `smtp://…:587` (STARTTLS, but for this machine itself)."""
    value = raw.get("SMTP_URL", "").strip()
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        fits = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError("SMTP_URL must look like smtp://user:password@mail.example.com:587")
    if not raw.get("MAIL_FROM", "").strip():
        raise ConfigError("MAIL_FROM is not set: the address letters of SMTP_URL come from")
    return value


def _mail_from(raw: Mapping[str, str]) -> str:
    """`sales@example.com` or `Name <sales@example.com>`."""
    value = raw.get("MAIL_FROM", "").strip()
    address = parseaddr(value)[1]
    if value and (address.count("@") != 1 or not all(address.split("@"))):
        raise ConfigError(f"MAIL_FROM must be an address like sales@example.com, got {value!r}")
    return value


def _public_url(value: str) -> str:
    try:
        parse_target(value)
    except ForbiddenAddress as error:
        raise ConfigError(f"PUBLIC_URL: {error.detail}. {_HOW_TO_GET['PUBLIC_URL']}") from error
    if urlsplit(value).query or urlsplit(value).fragment:
        raise ConfigError(f"PUBLIC_URL must end with its path. {_HOW_TO_GET['PUBLIC_URL']}")
    return value.rstrip("/")


def _oauth_urls(raw: Mapping[str, str]) -> tuple[str, ...]:
    urls = _list(raw.get("B24_OAUTH_URLS", "")) or OFFICIAL_OAUTH_URLS
    for url in urls:
        try:
            target = parse_target(url)
        except ForbiddenAddress as error:
            raise ConfigError(f"B24_OAUTH_URLS: {url!r}: {error.detail}") from error
        if target.scheme != "https" and target.host not in _LOOPBACK:
            raise ConfigError(
                f"B24_OAUTH_URLS: {url!r} must be https (plain http only for loopback)"
            )
    return tuple(url.rstrip("/") for url in urls)
