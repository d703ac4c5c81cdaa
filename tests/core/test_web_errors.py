"""Error pages: words for people in both languages, no secrets, no traces."""

from __future__ import annotations

import logging
import re

import pytest
from support.web_gallery import create

KINDS = ["400", "403", "404", "405", "413", "429", "500", "503", "config", "service", "bug"]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def client():
    return create().test_client()


def words(answer) -> str:
    page = re.sub(
        r"<(script|template|dialog|head).*?</\1>", " ", answer.get_data(as_text=True), flags=re.S
    )
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_says_what_happened_in_the_viewers_language(client, kind):
    russian, english = (words(client.get(f"/break/{kind}?LANG={lang}")) for lang in ("ru", "en"))
    assert re.search("[а-яё]", russian)
    assert not re.search("[а-яё]", english, re.IGNORECASE)
    assert len(english.split()) > 5


@pytest.mark.parametrize("kind", ["config", "service", "bug"])
def test_neither_a_trace_nor_a_detail_reaches_the_page(client, kind, caplog):
    with caplog.at_level(logging.WARNING):
        page = client.get(f"/break/{kind}").get_data(as_text=True)
    assert "s3cret" not in page
    assert "Traceback" not in page
    assert "Error" not in page
    assert "s3cret" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_running_page_gets_a_message_alone(client, kind):
    fragment = client.get(f"/break/{kind}", headers=HTMX).get_data(as_text=True)
    assert "<html" not in fragment
    assert "<title" not in fragment
    assert fragment.lstrip().startswith('<div class="alert')


@pytest.mark.parametrize(
    ("kind", "status"),
    [("404", 404), ("405", 401), ("service", 502), ("config", 500), ("bug", 500)],
)
def test_the_status_tells_programs_the_truth(client, kind, status):
    assert client.get(f"/break/{kind}").status_code == status


def test_a_session_that_is_over_is_told_in_the_language_of_its_page(client):
    answer = client.get("/gallery", headers=HTMX | {"Accept-Language": "en"})
    assert answer.status_code == 401
    assert "Open the application again" in words(answer)
