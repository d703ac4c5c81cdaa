"""How often frames and events may come: per address, per portal, never without Redis."""

from __future__ import annotations

import pytest
from flask import Flask
from redis import Redis
from werkzeug.exceptions import TooManyRequests

import integration.views
from core.web import throttle

APP = Flask("throttle")


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


def caller(peer, forwarded=None):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with APP.test_request_context(environ_base={"REMOTE_ADDR": peer}, headers=headers):
        return throttle.caller()


@pytest.mark.parametrize(
    ("peer", "forwarded", "known"),
    [
        ("93.184.216.34", None, "93.184.216.34"),
        ("93.184.216.34", "198.51.100.1", "93.184.216.34"),  # a stranger may say anything
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.4", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", None, ""),
        ("127.0.0.1", "nonsense", ""),
    ],
)
def test_an_address_is_believed_only_from_a_proxy_of_ours(peer, forwarded, known):
    assert caller(peer, forwarded) == known


def test_one_who_knocks_too_often_waits_and_nobody_else_does(redis):
    for _ in range(3):
        throttle.limit(redis, "frames", "198.51.100.1", 3)
    with pytest.raises(TooManyRequests):
        throttle.limit(redis, "frames", "198.51.100.1", 3)
    throttle.limit(redis, "frames", "198.51.100.2", 3)
    throttle.limit(redis, "events", "198.51.100.1", 3)
    assert all(redis.ttl(key) > 0 for key in redis.keys("rubilnik:rate:*"))


def test_without_redis_everybody_is_let_in():
    with Redis.from_url("redis://127.0.0.1:1/0") as away:
        for _ in range(5):
            throttle.limit(away, "frames", "198.51.100.1", 1)


def test_frames_and_events_are_limited_by_address_and_by_portal(world, monkeypatch):
    for name in ("FRAMES_OF_ADDRESS", "EVENTS_OF_PORTAL", "FRAMES_OF_PORTAL"):
        monkeypatch.setattr(integration.views, name, 3)
    outside = {"X-Forwarded-For": "198.51.100.1"}
    path = "/placement/crm_contact_detail_tab"
    statuses = [world.browser.post(path, headers=outside).status_code for _ in range(4)]
    assert statuses == [403, 403, 403, 429]
    assert world.open().status_code == 200, "others open their pages"

    event = {
        "event": "ONCRMCONTACTUPDATE",
        "data[FIELDS][ID]": "1",
        "auth[member_id]": world.member_id,
        "auth[application_token]": "forged",
    }
    forged = [world.browser.post("/events", data=event).status_code for _ in range(4)]
    assert forged == [403] * 4, "a forger uses up nothing of the portal's"
    event["auth[application_token]"] = world.keys["application_token"]
    genuine = [world.browser.post("/events", data=event).status_code for _ in range(4)]
    assert genuine == [200, 200, 200, 429]
