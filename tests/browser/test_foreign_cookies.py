"""The tests' browser lets a frame of another site keep nothing: what works in it works where people block that."""

from __future__ import annotations

import pytest
from flask import Flask
from support.web_gallery import serving


@pytest.fixture
def address():
    """A page that frames itself, by another name of this machine, and sets a cookie wherever it is open."""
    app = Flask("cookies", static_folder=None)

    @app.get("/<name>")
    def page(name):
        inner = f"<iframe src='//localhost:{port}/inner'></iframe>" if name == "outer" else ""
        cookie = {"Set-Cookie": "kept=1; SameSite=None; Secure; Path=/"}
        return f"<!doctype html><title>x</title><p>{name}</p>{inner}", cookie

    with serving(app) as found:
        port = found.rpartition(":")[2]
        yield f"//localhost:{port}", found


def test_a_frame_of_another_site_keeps_no_cookies(browser, address):
    own, other = address
    browser.goto(f"http:{own}/inner")
    assert browser.eval("document.cookie") == "kept=1", "at the top of a window it is kept"
    browser.goto(f"{other}/outer")
    browser.wait("text=inner", frame="iframe")
    assert browser.eval("document.cookie", frame="iframe") == ""
    browser.goto("about:blank")
