"""Pages are told what has changed while there is room to tell it, and are told in time where there is none."""

from __future__ import annotations

import pytest
from support.mail_results import signed_in, web
from werkzeug.exceptions import Forbidden

from core.web import guard, live


class Day:
    """A clock that goes on while a stream sleeps, and how two topics stand meanwhile."""

    def __init__(self):
        self.at = 0.0
        self.stand = {"tea": 1, "milk": 1}
        self.to_come = []

    def monotonic(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds
        if self.to_come:
            self.stand.update(self.to_come.pop(0))


@pytest.fixture
def day(monkeypatch):
    found = Day()
    monkeypatch.setattr(live, "time", found)
    looks = {
        "tea": lambda *_: found.stand["tea"],
        "milk": lambda _s, _v, of: (found.stand["milk"], of),
    }
    monkeypatch.setattr(live, "_looks", looks)
    return found


@pytest.fixture
def listen(settings, sessions, redis_url, day):
    """Listen till the stream ends; what is told."""
    headers = signed_in(settings, 1, is_admin=False)
    with web(settings, sessions, live.blueprint) as client:

        def ask(*topics, seen="", status=200):
            own = headers | {"Last-Event-ID": seen}
            with client.get("/live", query_string={"on": topics}, headers=own) as answer:
                assert answer.status_code == status
                return answer.get_data(as_text=True)

        yield ask


def values(told, field):
    return [line.partition(": ")[2] for line in told.splitlines() if line.startswith(f"{field}: ")]


def test_a_page_is_told_what_has_changed_and_nothing_else(listen, day):
    day.to_come = [{"tea": 2}, {}, {"milk": 2}]
    told = listen("tea", "milk:7")
    assert values(told, "data") == ["tea", "milk:7"]
    assert values(told, "retry") == ["1000"]
    assert day.at == pytest.approx(live.LIFE, abs=live.EVERY), "it ends by itself"


def test_what_changed_between_two_streams_is_not_lost(listen, day):
    stood = values(listen("tea"), "id")[-1]
    assert values(listen("tea", seen=stood), "data") == []
    day.stand["tea"] = 5
    assert values(listen("tea", seen=stood), "data") == ["tea"]


def test_who_finds_no_room_is_told_once_and_comes_again_later(listen, day):
    stood = values(listen("tea"), "id")[-1]
    day.stand["tea"], began = 2, day.at
    taken = [live._free.acquire(blocking=False) for _ in range(live.MOST)]
    try:
        assert all(taken), "the streams before have given their places back"
        told = listen("tea", seen=stood)
    finally:
        live._free.release(sum(taken))
    assert (values(told, "data"), values(told, "retry")) == (["tea"], ["30000"])
    assert day.at == began, "no thread was held"


def test_a_stream_ends_with_the_right_to_look(listen, day, monkeypatch):
    rights = [guard.enforce]

    def enforce():
        if not rights:
            raise Forbidden
        rights.pop()()

    monkeypatch.setattr(live.guard, "enforce", enforce)
    day.to_come = [{"tea": 2}]
    assert values(listen("tea"), "data") == []
    assert day.at == live.EVERY


def test_nobody_listens_to_nothing(listen):
    assert listen(status=204) == ""
    assert listen("coffee", "tea\n\ndata: x", status=204) == ""
