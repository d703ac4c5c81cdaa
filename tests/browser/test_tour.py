"""The tour of a page: offered once, walked through by keyboard alone, left at any step, begun again from the foot."""

from __future__ import annotations

import pytest
from support import axe, web_gallery

FOCUS = "document.activeElement"
LEAVES = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture
def gallery(browser):
    with web_gallery.serving(web_gallery.create()) as address:
        yield address
        browser.goto("about:blank")


def opened(browser, address, query="?tour", width=1022):
    browser.fresh(width, 700, reducedMotion="reduce")
    browser.goto(f"{address}/{query}")
    browser.wait("#part")


def said(browser):
    return browser.text("#tour-title"), browser.text("#tour-step")


def beside(browser, place):
    """Whether the step touches its place, on the page, and nothing hangs over the page's edge."""
    step, spot, root = browser.box("#tour"), browser.box(place), browser.box("#root")
    apart = step["y"] - (spot["y"] + spot["height"])
    inside = step["y"] + step["height"] <= max(root["y"] + root["height"], 700) + 1
    return apart <= 20 and inside and not browser.eval(LEAVES)


def test_the_tour_is_walked_through_by_keyboard(browser, gallery):
    opened(browser, gallery, width=375)
    axe.load(browser)
    browser.eval("document.querySelector('#tour-offer [data-tour-start]').focus()")
    browser.press("Enter")
    assert said(browser) == ("Показатели", "Шаг 1 из 3")
    assert not browser.visible("#tour-offer"), "it is offered once"
    assert browser.eval(f"{FOCUS}.closest('[role=dialog]').id") == "tour"
    assert axe.violations(browser) == []
    assert beside(browser, ".tiles")
    browser.press("Enter")
    assert said(browser) == ("Загрузка", "Шаг 2 из 3"), "a place that is not here is left out"
    for key, words in (
        ("Tab", "Пропустить"),
        ("Tab", "Назад"),
        ("Tab", "Дальше"),
        ("Shift+Tab", "Назад"),
    ):
        browser.press(key)
        assert browser.eval(f"{FOCUS}.innerText") == words
    browser.press("Enter")
    assert said(browser)[1] == "Шаг 1 из 3"
    browser.press("Enter")
    browser.press("Enter")
    assert said(browser) == ("Кнопка", "Шаг 3 из 3")
    assert beside(browser, "#fail")
    assert browser.eval("document.querySelector('#fail').matches('.toured')")
    browser.press("Enter")
    assert not browser.visible("#tour")
    assert browser.eval(f"{FOCUS}.id") == "page"
    assert browser.count(".toured") == 0
    asked = [each["status"] for each in browser.requests() if each["url"].endswith("/tour")]
    assert asked == [204], "the answer is kept"
    assert browser.errors() == []


def test_it_is_refused_for_good_and_begun_again_from_the_foot_of_the_page(browser, gallery):
    opened(browser, gallery)
    browser.click("text=Не нужно")
    assert not browser.visible("#tour-offer")
    assert not browser.visible("#tour")
    browser.click(".page-end [data-tour-start]")
    assert said(browser)[1] == "Шаг 1 из 3"
    browser.press("Escape")
    assert not browser.visible("#tour")
    assert browser.eval(f"'tourStart' in {FOCUS}.dataset"), "the focus is where it was"
    opened(browser, gallery, query="")
    assert browser.count("#tour-offer") == 0

    browser.eval("document.querySelector('[data-tour]').remove()")
    assert not browser.visible(".page-end [data-tour-start]"), "a page without a tour"


def test_a_step_follows_its_place_when_the_page_puts_it_anew(browser, gallery):
    opened(browser, gallery)
    browser.click("#tour-offer [data-tour-start]")
    browser.click("[data-tour-next]")
    settled = "document.dispatchEvent(new Event('htmx:after:settle'))"
    browser.eval(
        "(() => { const old = document.querySelector('.columns > .card');"
        f" old.replaceWith(old.cloneNode(true)); {settled}; }})()"
    )
    assert said(browser) == ("Загрузка", "Шаг 2 из 3"), "the news of a page do not end its tour"
    assert beside(browser, ".columns > .card.toured")
    browser.eval(f"document.querySelector('.columns').remove(); {settled}")
    assert not browser.visible("#tour"), "what is gone is not spoken of"
    assert browser.count(".toured") == 0
    assert browser.errors() == []
