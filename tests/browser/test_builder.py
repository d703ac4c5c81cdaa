"""A marketer in the segment builder: by mouse, by keyboard alone, counted while one types, undone, reopened."""

from __future__ import annotations

import time

import pytest
from support.live import live_world
from support.story import PAGE, Story, let_start

MARKETER = 2
TOTAL = "[data-counter=contacts]"


@pytest.fixture
def served(settings, portal, redis_url, live_sessions):
    with live_world(settings, portal) as world:
        deadline = time.monotonic() + 60
        while world.progress() is None or world.progress().status != "done":
            assert time.monotonic() < deadline, "the first reading did not end"
            time.sleep(0.2)
        let_start(world, MARKETER)
        yield world


def open_builder(browser, world):
    story = Story(browser, world, user=MARKETER)
    story.begin()
    browser.click("a >> text=Сегменты", frame=PAGE)
    browser.wait("text=Сегментов пока нет", frame=PAGE)
    browser.click("a >> text=Новый сегмент", frame=PAGE)
    browser.wait("#builder", frame=PAGE)
    return story


def until(browser, expression, seconds=30):
    """The value of the expression in the page, once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := browser.eval(expression, frame=PAGE)):
        assert time.monotonic() < deadline, expression
        time.sleep(0.05)
    return found


def counted(browser, unlike=None):
    """The contacts of the whole draft, once they are known; with `unlike`, once they are not so many."""
    shown = f"(document.querySelector('{TOTAL}')?.textContent.replace(/\\s/g, '') ?? '')"
    return int(until(browser, f"/^\\d+$/.test({shown}) && {shown} !== '{unlike}' && {shown}"))


def test_clients_with_lost_deals_are_built_by_mouse_counted_saved_and_reopened(browser, served):
    story = open_builder(browser, served)
    everybody = counted(browser)
    browser.click("[id='add-clients']", frame=PAGE)
    browser.fill("[data-filter]", "сделки состояние", frame=PAGE)
    browser.click(".menu-row:visible >> text=Сделки: Состояние", frame=PAGE)
    browser.wait("text=Не закончено", frame=PAGE)
    assert counted(browser) == everybody, "an unfinished condition is left out"
    browser.click("label.tick >> text=проиграна", frame=PAGE)
    lost = counted(browser, unlike=everybody)
    assert 0 < lost < everybody
    browser.wait("#count-clients\\.0 b", frame=PAGE)
    assert "проиграна" in browser.text("#sentence", frame=PAGE)

    browser.click("[data-history='-1']", frame=PAGE)
    assert counted(browser, unlike=lost) == everybody
    assert not browser.eval("document.querySelector('.tick input[value=F]').checked", frame=PAGE)
    browser.click("[data-history='1']", frame=PAGE)
    assert counted(browser, unlike=everybody) == lost
    assert browser.eval("document.querySelector('.tick input[value=F]').checked", frame=PAGE)
    story.look()

    browser.click("a >> text=Отмена", frame=PAGE)
    browser.wait("#confirm[open]", frame=PAGE)
    browser.click("#confirm [value=no]", frame=PAGE)
    browser.fill("#segment-name", "Клиенты с проваленными сделками", frame=PAGE)
    browser.click("#save", frame=PAGE)
    browser.wait(".alert.success", frame=PAGE)
    browser.wait("h1 >> text=Клиенты с проваленными сделками", frame=PAGE)
    assert counted(browser) == lost
    browser.wait("text=Почему здесь", frame=PAGE)

    browser.click("a >> text=Изменить", frame=PAGE)
    browser.wait("#builder", frame=PAGE)
    assert browser.value("#segment-name", frame=PAGE) == "Клиенты с проваленными сделками"
    assert browser.eval("document.querySelector('.tick input[value=F]').checked", frame=PAGE)
    browser.click("a >> text=Отмена", frame=PAGE)
    browser.wait("h1 >> text=Клиенты с проваленными сделками", frame=PAGE)
    story.end()


def press(browser, *keys):
    for key in keys:
        browser.press(key)


def test_the_same_segment_is_built_by_keyboard_alone(browser, served):
    open_builder(browser, served)
    everybody = counted(browser)
    browser.eval("document.querySelector('#segment-name').focus()", frame=PAGE)
    press(browser, *"Lost", "Alt+KeyN")
    browser.wait("[data-filter]", frame=PAGE)
    press(browser, *"LTV", "Enter")
    browser.wait("[id='clients.0|value']", frame=PAGE)
    until(browser, "document.activeElement.name === 'clients.0|value'")
    press(browser, "1", "0", "0")
    valuable = counted(browser, unlike=everybody)
    assert browser.eval("document.activeElement.name", frame=PAGE) == "clients.0|value", (
        "focus stays"
    )
    press(browser, "Alt+KeyC")
    browser.wait("[id='node-clients.1']", frame=PAGE)
    press(browser, "Alt+Delete")
    browser.wait("[id='node-clients.1']", frame=PAGE, state="detached")
    press(browser, "Alt+KeyG")
    browser.wait("[id='node-clients.0.0']", frame=PAGE)
    press(browser, "Control+KeyZ")
    browser.wait("[id='node-clients.0.0']", frame=PAGE, state="detached")
    assert counted(browser) == valuable
    press(browser, "Control+Enter")
    browser.wait("h1 >> text=Lost", frame=PAGE)
    assert browser.errors() == []
