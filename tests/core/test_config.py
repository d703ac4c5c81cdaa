"""Settings: what is missing or wrong is named, with what to do, and without the secret in it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.config import OFFICIAL_OAUTH_URLS, Settings
from core.errors import ConfigError

KEY = "dGVzdHMtb25seS1lbmNyeXB0aW9uLWtleS0zMmJ5dGU="
ENOUGH = {
    "PUBLIC_URL": "https://crm.example.com/",
    "SECRET_KEY": "forty characters that nobody will guess.",
    "ENCRYPTION_KEYS": KEY,
}


def read(**changed):
    return Settings.from_env(ENOUGH | changed)


def refusal(**changed):
    with pytest.raises(ConfigError) as refused:
        read(**changed)
    return str(refused.value)


def test_three_settings_are_enough():
    settings = read()
    assert settings.public_url == "https://crm.example.com"
    assert settings.encryption_keys == (KEY,)
    assert (settings.port, settings.log_level, settings.data_dir.name) == (8000, "INFO", ".data")
    assert settings.b24_oauth_urls == OFFICIAL_OAUTH_URLS
    assert not settings.allow_private_portals
    assert (settings.database_url, settings.redis_url, settings.b24_client_id) == ("", "", "")


@pytest.mark.parametrize("name", ENOUGH)
@pytest.mark.parametrize("value", ["", "   "])
def test_a_missing_setting_names_itself_and_how_to_get_it(name, value):
    message = refusal(**{name: value})
    assert message.startswith(f"{name} is not set.")
    assert len(message) > len(f"{name} is not set.") + 20


@pytest.mark.parametrize("name", ENOUGH)
def test_the_program_does_not_start_without_it_and_says_which(name, root):
    env = {"PATH": os.environ["PATH"]} | {k: v for k, v in ENOUGH.items() if k != name}
    code = "from core.config import Settings; Settings.from_env()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"{name} is not set" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "web"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "-1"), ("PORT", "80²"),
        ("PORT", "8000.5"), ("LOG_LEVEL", "loud"), ("ALLOW_PRIVATE_PORTALS", "perhaps"),
        ("PUBLIC_URL", "crm.example.com"), ("PUBLIC_URL", "ftp://crm.example.com"),
        ("PUBLIC_URL", "https://"), ("PUBLIC_URL", "https://me:pw@crm.example.com"),
        ("PUBLIC_URL", "https://crm.example.com/?x=1"), ("PUBLIC_URL", "https://crm.example.com/#a"),
        ("PUBLIC_URL", "https://crm example.com"), ("SECRET_KEY", "short"),
        ("ENCRYPTION_KEYS", "not-a-key"), ("ENCRYPTION_KEYS", f"{KEY},broken"),
        ("ENCRYPTION_KEYS", ","), ("DATABASE_URL", "mysql://db/x"), ("DATABASE_URL", "db.internal"),
        ("REDIS_URL", "http://redis"), ("B24_OAUTH_URLS", "http://oauth.example.com"),
        ("B24_OAUTH_URLS", "http://127.0.0.1.example.com"),
        ("B24_OAUTH_URLS", "http://localhost.example.com"),
        ("B24_OAUTH_URLS", "http://127.0.0.1@example.com"), ("B24_OAUTH_URLS", "oauth.example.com"),
        ("B24_OAUTH_URLS", "https://oauth.example.com,ftp://x"), ("B24_CLIENT_ID", "local.1"),
        ("B24_CLIENT_SECRET", "s3cret"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_its_setting(name, value):
    assert name in refusal(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "s3cret"),
        ("ENCRYPTION_KEYS", f"{KEY},s3cret"),
        ("DATABASE_URL", "mysql://me:s3cret@db/x"),
        ("REDIS_URL", "http://:s3cret@redis"),
        ("B24_CLIENT_SECRET", "s3cret"),
    ],
)
def test_an_error_never_repeats_a_secret(name, value):
    message = refusal(**{name: value})
    assert "s3cret" not in message
    assert KEY not in message


@pytest.mark.parametrize(
    ("name", "value", "read_as"),
    [
        ("PORT", " 9000 ", 9000),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("ALLOW_PRIVATE_PORTALS", "Yes", True),
        ("ALLOW_PRIVATE_PORTALS", "off", False),
        ("DATA_DIR", "/var/lib/rubilnik", Path("/var/lib/rubilnik")),
        ("DATABASE_URL", "postgres://db/x", "postgres://db/x"),
        ("DATABASE_URL", "postgresql+psycopg://db/x", "postgresql+psycopg://db/x"),
        ("REDIS_URL", "rediss://redis:6380/1", "rediss://redis:6380/1"),
        ("ENCRYPTION_KEYS", f" {KEY} , {KEY} ", (KEY, KEY)),
        ("B24_OAUTH_URLS", "http://127.0.0.1:8900/", ("http://127.0.0.1:8900",)),
        ("B24_OAUTH_URLS", "http://[::1]:8900", ("http://[::1]:8900",)),
        ("PUBLIC_URL", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_right_value_is_read(name, value, read_as):
    assert getattr(read(**{name: value}), name.lower()) == read_as


def test_a_pair_of_application_keys_is_read():
    settings = read(B24_CLIENT_ID="local.1", B24_CLIENT_SECRET="s3cret")
    assert (settings.b24_client_id, settings.b24_client_secret) == ("local.1", "s3cret")


def test_secrets_stay_out_of_what_settings_look_like():
    text = repr(read(B24_CLIENT_ID="local.1", B24_CLIENT_SECRET="s3cret"))
    for secret in ("s3cret", KEY, ENOUGH["SECRET_KEY"]):
        assert secret not in text


def test_settings_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().port = 1
