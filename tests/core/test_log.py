"""Log lines: one object a line, with ids, and without secrets or personal data."""

from __future__ import annotations

import io
import json
import logging

import pytest
import sqlalchemy as sa

from core import log
from core.database import make_engine
from core.log import LineFormatter, bound, mask

TOKEN = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


@pytest.fixture
def lines():
    """Log through this, and read back the objects written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    logger = logging.Logger("test.log")  # noqa: LOG001 - outside the tree, so nothing else hears it
    logger.addHandler(handler)

    def written():
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    return logger, written


@pytest.mark.parametrize(
    "text",
    [
        f"access_token={TOKEN}", f"refresh_token: {TOKEN}", f'"access_token": "{TOKEN}"',
        f"{{'refresh_token': '{TOKEN}'}}", f"AUTH_ID={TOKEN}&AUTH_EXPIRES=3600", f"REFRESH_ID={TOKEN}",
        f"APPLICATION_TOKEN={TOKEN}", f"auth[application_token]={TOKEN}",
        f"auth%5Baccess_token%5D={TOKEN}&x=1", f"%22access_token%22%3A%22{TOKEN}%22",
        f"GET /rest/app.info/?auth={TOKEN} HTTP/1.1", f"client_secret={TOKEN}", f"password={TOKEN}",
        f"Authorization: Bearer {TOKEN}", f"Bearer {TOKEN}", f"session_token={TOKEN}",
        f"https://portal.example.com/rest/1/{TOKEN}/crm.deal.list", f"code={TOKEN}",
        f"postgresql://me:{TOKEN}@db/x", f"redis://:{TOKEN}@redis:6379/0",
        f"oauth/token/?grant_type=refresh_token&client_secret={TOKEN}&refresh_token={TOKEN}",
    ],
)  # fmt: skip
def test_secrets_are_masked(text):
    assert TOKEN not in mask(text)
    assert "***" in mask(text)


@pytest.mark.parametrize(
    ("text", "personal"),
    [
        ("refused for anna.vetrova@example.com", "vetrova"),
        ("refused for <Анна@пример.example>", "Анна"),
        ("to=anna%40example.com", "anna"),
        ("call +7 (495) 000-12-34 back", "000-12-34"),
        ("call 8 495 000 12 34 back", "000 12 34"),
        ("call 84950001234", "84950001234"),
        ("call +49 30 000 12 34", "000 12 34"),
    ],
)
def test_personal_data_is_masked(text, personal):
    assert personal not in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "crm.deal.list answered 503 in 0.25 s", "portal 12: page 40 of 73, 2500 rows",
        "ONCRMDEALUPDATE of deal 123456", "2026-11-22T02:00:00.123", "https://portal.example.com:443",
        "12345678901 rows", "UF_CRM_RUBILNIK_LTV", "uq_sync_runs_one_open_per_portal",
    ],
)  # fmt: skip
def test_what_helps_at_night_is_kept(text):
    assert mask(text) == text


def test_a_line_is_one_object_with_the_bound_ids(lines):
    logger, written = lines
    with bound(portal=3, job="sync-3-9"), bound(request="abc"):
        logger.warning("page %s refused", 4, extra={"seconds": 0.5, "final": True, "reason": None})
    logger.warning("outside")
    first, second = written()
    assert (first["event"], first["level"], first["logger"]) == (
        "page 4 refused", "warning", "test.log",
    )  # fmt: skip
    assert (first["portal"], first["job"], first["request"]) == (3, "sync-3-9", "abc")
    assert (first["seconds"], first["final"], first["reason"]) == (0.5, True, None)
    assert "portal" not in second


def test_control_characters_cannot_forge_a_second_line(lines):
    logger, written = lines
    logger.warning('evil\r\n{"event": "forged"}\x1b[2J\u2028', extra={"reason": "a\nb"})
    (line,) = written()
    assert line["event"].startswith("evil\r\n")
    assert line["reason"] == "a\nb"


def test_values_of_any_type_are_masked(lines):
    logger, written = lines
    extras = {
        "form": {"access_token": TOKEN, "to": ["anna@example.com"]},
        "words": [f"auth={TOKEN}"],
        "raw": f"auth={TOKEN}".encode(),
        "failure": ValueError(f"token={TOKEN}"),
        "broken": "\udcff",
    }
    with bound(portal=f"auth={TOKEN}"):
        logger.warning("said %s", {"refresh_token": TOKEN}, extra=extras)
    (line,) = written()
    assert TOKEN not in json.dumps(line)
    assert "anna" not in json.dumps(line)


def test_a_stack_trace_is_masked_too(lines):
    logger, written = lines
    try:
        int(f"access_token={TOKEN} for anna@example.com")
    except ValueError:
        logger.exception("job failed")
    (line,) = written()
    assert "ValueError" in line["error"]
    assert "test_a_stack_trace_is_masked_too" in line["error"]
    assert TOKEN not in json.dumps(line)
    assert "anna@" not in json.dumps(line)


def test_a_database_error_does_not_repeat_the_values_of_the_statement(settings):
    engine = make_engine(settings.database_url)
    query = sa.text("SELECT 1 / length(:nothing), CAST(:name AS text)")
    with engine.connect() as connection, pytest.raises(sa.exc.DataError) as failure:
        connection.execute(query, {"nothing": "", "name": "Анна Ветрова"})
    engine.dispose()
    assert "division by zero" in str(failure.value)
    assert "Ветрова" not in str(failure.value)


def test_loud_libraries_stay_quiet_even_when_we_debug():
    try:
        log.configure("DEBUG")
        assert logging.getLogger().level == logging.DEBUG
        for name in ("urllib3.connectionpool", "rq.worker", "alembic.runtime"):
            assert not logging.getLogger(name).isEnabledFor(logging.INFO), name
    finally:
        log.configure("WARNING")
