"""Rows 16 and 17: a portal that was renamed is followed once; other redirects lead nowhere."""

from __future__ import annotations

import logging
import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from support.trouble import assert_as_without_faults, finish, hits, newest, write_all

from integration.models import PortalState


def rename(world):
    """The portal answers to the name of this machine from now on; its new domain."""
    domain = f"localhost:{urlsplit(world.demo.url).port}"
    world.demo.control("rename", {"domain": domain})
    return domain


def verifications(world):
    return world.demo.counters().get("oauth.app.info", 0)


def test_a_renamed_portal_is_followed_once_and_remembered(world, fault_free):
    domain, before = rename(world), verifications(world)
    assert world.sync().status == "done"
    assert verifications(world) - before == 1, "verified once, then known"
    assert (world.portal.domain, world.portal.endpoint) == (domain, f"http://{domain}/rest/")
    finish(world)
    assert verifications(world) - before == 1
    assert_as_without_faults(world, fault_free)


def test_a_rename_before_the_writing_loses_no_body(world, fault_free):
    assert world.sync().status == "done"
    world.count()
    rename(world)
    mark = newest(world)
    report = world.write()
    assert (report.failed, report.reason) == (0, None)
    entries = world.demo.control(f"log?since={mark}&limit=10000")
    updates = [entry for entry in entries if entry["method"].endswith(".update")]
    assert len(updates) == report.written
    assert all(entry["params"]["fields"] for entry in updates)
    write_all(world)
    assert_as_without_faults(world, fault_free)


def test_a_rename_found_with_a_token_out_of_date(world, fault_free):
    domain = rename(world)
    world.demo.control("tokens/expire", {})
    finish(world)
    assert world.portal.domain == domain
    assert_as_without_faults(world, fault_free)


@pytest.fixture
def dialled(monkeypatch):
    """Every address this process connects to."""
    addresses = []
    connect = socket.socket.connect

    def spy(self, address):
        addresses.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", spy)
    return addresses


@pytest.fixture
def stranger():
    """A listening socket that must not hear anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        yield listener


def assert_unheard(listener):
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/rest/",
        "http://127.0.0.1:{port}\\@{domain}/rest/",
        "http://{domain}@127.0.0.1:{port}/rest/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_redirect_to_somebody_else_is_refused_without_a_connection(
    world, fault_free, stranger, dialled, caplog, location
):
    target = location.format(port=stranger.getsockname()[1], domain=world.portal.domain)
    world.demo.fault("redirect", "crm.contact.list", location=target, times=-1)
    before = world.portal.endpoint
    dialled.clear()
    with caplog.at_level(logging.WARNING):
        assert world.sync().status == "failed"
    assert "PortalMoved" in world.progress().reason
    assert "redirect refused" in caplog.text
    assert hits(world) == 1
    own = {urlsplit(url).port for url in (world.demo.url, world.demo.oauth_url)}
    own.add(urlsplit(world.runtime.settings.redis_url).port)
    assert {address[1] for address in dialled if isinstance(address, tuple)} <= own
    assert_unheard(stranger)
    assert world.portal.endpoint == before
    assert world.portal.state == PortalState.ACTIVE

    world.demo.clear_faults()
    finish(world)
    assert_as_without_faults(world, fault_free)


def test_an_oauth_server_that_redirects_gets_no_secret_sent_elsewhere(world, fault_free, stranger):
    world.demo.control("tokens/expire", {})
    target = f"http://127.0.0.1:{stranger.getsockname()[1]}/oauth/token/"
    world.demo.fault("redirect", "oauth.token", location=target)
    assert world.sync().status == "failed"
    assert_unheard(stranger)
    finish(world)
    assert_as_without_faults(world, fault_free)
