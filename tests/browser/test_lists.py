"""A list in the portal's frame: rows ticked by keys and put away, a view kept, the list found again as it was left."""

from __future__ import annotations

import pytest
from support import axe
from support.live import live_world
from support.walking import until

from segments.members import saving

PAGE = ".app-page iframe"
EVERYBODY = {"version": 1, "clients": {"kinds": ["contact"], "where": {"all": []}}}


@pytest.fixture
def served(settings, portal, redis_url, live_sessions):
    """An application with segments, nothing read yet."""
    with live_world(settings, portal, working=False) as world:
        with world.runtime.sessions.begin() as session:
            for number in range(55):
                name = f"Сегмент {number:02}"
                saving.create(session, world.portal_id, name, EVERYBODY)
        yield world


def open_segments(browser, served):
    browser.goto(f"{served.demo.url}/?user=1")
    browser.click(".side-item >> text=Рубильник")
    browser.wait("#root:not([inert])", frame=PAGE)
    browser.eval("void htmx.ajax('GET', '/segments', {target: '#page'})", frame=PAGE)


def test_rows_are_ticked_put_away_and_the_list_is_found_as_it_was_left(browser, served):
    open_segments(browser, served)
    browser.wait("text=55 сегментов", frame=PAGE)
    browser.fill("[name=search]", "1", frame=PAGE)
    browser.wait("text=15 сегментов", frame=PAGE)
    browser.click("text=Сохранить как вид", frame=PAGE)
    browser.fill("#view-new-name", "Десятки", frame=PAGE)
    browser.press("Enter", "#view-new-name", frame=PAGE)
    browser.wait(".list-view[aria-current] >> text=Десятки", frame=PAGE)

    browser.press("Space", "[data-pick] >> nth=0", frame=PAGE)
    browser.press("Space", "[data-pick] >> nth=1", frame=PAGE)
    assert browser.text("[data-picked-number]", frame=PAGE) == "2"
    browser.click("#picked >> text=Убрать в архив", frame=PAGE)
    browser.wait("text=Выбрано: 2.", frame=PAGE)
    browser.click("#confirm [value=yes]", frame=PAGE)
    browser.wait("text=2 сегмента убраны", frame=PAGE)
    browser.wait("text=13 сегментов", frame=PAGE)

    browser.click("text=Сегмент 13", frame=PAGE)
    browser.wait("text=Все сегменты", frame=PAGE)
    browser.click("text=Все сегменты", frame=PAGE)
    browser.wait("text=13 сегментов", frame=PAGE)
    assert browser.value("[name=search]", frame=PAGE) == "1"

    browser.click(".list-views > a", frame=PAGE)
    browser.wait("text=53 сегмента", frame=PAGE)
    browser.click("[data-pick-all]", frame=PAGE)
    browser.wait("[data-picked-number] >> text=50", frame=PAGE)
    browser.click("text=Выбрать всё найденное", frame=PAGE)
    browser.wait("[data-picked-number] >> text=53", frame=PAGE)
    assert browser.errors() == [], "axe itself does what the policy forbids"
    axe.load(browser, frame=PAGE)
    assert axe.violations(browser, frame=PAGE) == []
    browser.viewport(375, 800)
    assert browser.eval("document.documentElement.scrollWidth <= innerWidth", frame=PAGE)
    assert browser.eval(
        "[...document.querySelectorAll('.table-box')].every((box) => box.scrollWidth <= box.clientWidth)",
        frame=PAGE,
    )
    browser.click("text=Снять выбор", frame=PAGE)
    assert not browser.visible("#picked", frame=PAGE)


HOLD = """(() => {
    URL.createObjectURL = (blob) => { window.held = blob; return "about:blank#held"; };
    HTMLAnchorElement.prototype.click = function () { window.heldName = this.download; };
})()"""
FIRST_BYTES = "window.held.slice(0, 4).arrayBuffer().then((b) => [window.heldName, window.held.type, ...new Uint8Array(b)])"


def test_a_segment_is_saved_as_a_file_of_either_kind_byte_by_byte(browser, served):
    open_segments(browser, served)
    browser.click("text=Сегмент 07", frame=PAGE)
    browser.wait("[aria-label='Скачать XLSX']", frame=PAGE)  # the list has a CSV of its own
    browser.eval(HOLD, frame=PAGE)
    for button, name, kind, begins in (
        ("text=Скачать CSV", "Сегмент 07.csv", "text/csv", b"\xef\xbb\xbf"),
        (
            "[aria-label='Скачать XLSX']",
            "Сегмент 07.xlsx",
            "application/vnd.openxml",
            b"PK\x03\x04",
        ),
    ):
        browser.eval("void (window.held = undefined)", frame=PAGE)
        browser.click(button, frame=PAGE)
        until(browser, "window.held !== undefined", PAGE)
        named, type_, *first = browser.eval(FIRST_BYTES, frame=PAGE)
        assert named == name
        assert type_.startswith(kind)
        assert bytes(first).startswith(begins)
    assert browser.errors() == []
