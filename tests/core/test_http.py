"""Outgoing HTTP against a real local server: caps, timeouts, redirects, reuse, secrets in errors."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import responses

from core.addresses import AddressPolicy
from core.errors import ResponseTooLarge
from core.http import Http, NoAnswer, NoConnection

BOMB = gzip.compress(b"\0" * 50_000_000)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.client_address, dict(self.headers), self.path))
        getattr(self, self.path.strip("/").split("?")[0], self.plain)()

    def do_POST(self):
        self.do_GET()

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def plain(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.answer(self.rfile.read(length) or b"ok", Set_Cookie="a=b")

    def bomb(self):
        self.answer(BOMB, Content_Encoding="gzip")

    def redirect(self):
        self.answer(b"", 302, Location="http://169.254.169.254/")

    def slow(self):
        self.server.released.wait(5)
        self.close_connection = True

    def drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        try:
            for _ in range(20):
                self.wfile.write(b"x" * 10)
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass

    def cut(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.handle_error = lambda *_: None  # clients hang up on purpose here
    made.seen = []
    made.released = threading.Event()
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.released.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def http():
    made = Http(allow_private=True)
    yield made
    made.close()


def test_body_and_status_come_back(server, http):
    reply = http.post(server.url + "/x", b"payload", headers={"Content-Type": "text/plain"})
    assert (reply.status, reply.body) == (200, b"payload")
    assert reply.seconds > 0


def test_a_connection_is_reused_and_cookies_are_not_kept(server, http):
    for _ in range(3):
        http.get(server.url + "/x")
    assert len({address for address, _, _ in server.seen}) == 1
    assert all("Cookie" not in headers for _, headers, _ in server.seen)


def test_a_fork_does_not_share_the_parents_socket(server, http, monkeypatch):
    http.get(server.url + "/x")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    http.get(server.url + "/x")
    assert len({address for address, _, _ in server.seen}) == 2


def test_a_redirect_is_an_answer(server, http):
    reply = http.get(server.url + "/redirect")
    assert reply.status == 302
    assert reply.headers["location"] == "http://169.254.169.254/"
    assert len(server.seen) == 1


def test_proxies_of_the_environment_are_ignored(server, http, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    assert http.get(server.url + "/x").status == 200


def test_a_gzip_bomb_stops_at_the_cap(server):
    http = Http(allow_private=True, max_bytes=1_000_000)
    with pytest.raises(ResponseTooLarge):
        http.get(server.url + "/bomb")
    assert http.get(server.url + "/x").body == b"ok"
    http.close()


def test_silence_ends_in_no_answer(server, http):
    started = time.monotonic()
    with pytest.raises(NoAnswer):
        http.get(server.url + "/slow", read_timeout=0.2)
    assert time.monotonic() - started < 1.2


def test_a_dripping_answer_ends_too(server, http):
    started = time.monotonic()
    with pytest.raises(NoAnswer):
        http.get(server.url + "/drip", read_timeout=0.3)
    assert time.monotonic() - started < 1.5


def test_a_cut_body_is_no_answer(server, http):
    with pytest.raises(NoAnswer):
        http.get(server.url + "/cut")


def test_a_closed_port_is_no_connection_and_tells_no_secrets(http):
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    with pytest.raises(NoConnection) as caught:
        http.get(f"http://127.0.0.1:{port}/rest/1/webhooksecret/x", params={"auth": "tokensecret"})
    assert "secret" not in f"{caught.value!r} {caught.value.detail}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert str(port) in caught.value.detail


def test_an_unknown_name_is_no_connection():
    def nowhere(*_args, **_kwargs):
        raise OSError("no such name")

    with pytest.raises(NoConnection):
        Http(policy=AddressPolicy.build(resolve=nowhere)).get("https://portal.example.com/")


@responses.activate
def test_it_can_be_mocked():
    responses.get("https://portal.example.com/rest/", json={"result": 1})
    assert Http().get("https://portal.example.com/rest/").body == b'{"result": 1}'
