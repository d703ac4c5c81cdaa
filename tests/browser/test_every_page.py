"""Every page of the application, whichever there are: nobody is kept out, nothing is broken, all is plainly said."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from typing import Any

import pytest
from support import plain_words
from support.every_page import Filled, filled
from support.walking import WATCH, Walk, calm, told, until

PAGE, TAB = ".app-page iframe", ".card-app iframe"
LIMIT = 300_000
"""A first page weighs less than so many bytes, packed."""


@pytest.fixture(scope="module")
def everything(settings: Any, database: Any, portal_process: Any) -> Iterator[Filled]:
    with filled(settings, database, portal_process) as found:
        yield found


@pytest.mark.parametrize("width", [1280, 375])
def test_everybody_can_read_and_work_every_page(browser, everything, width):
    demo, client_id = everything.world.demo, everything.world.keys["client_id"]
    browser.fresh(width, 900, reducedMotion="reduce")
    walk = Walk(browser, PAGE, width)
    browser.goto(f"{demo.url}/marketplace/app/{client_id}/?user=1")
    walk.arrive()
    walk.look("the first page")
    for path in everything.pages():
        walk.go(path)
        walk.tour(path)
        if width >= 1280:
            walk.press(path)
    assert not walk.wrong, told(walk.wrong)
    assert all(walk.toured.values()), f"nobody is led there: {walk.toured}"


def test_everybody_can_read_and_work_the_tab_of_every_card(browser, everything):
    demo = everything.world.demo
    for width in (1280, 375):
        browser.fresh(width, 900, reducedMotion="reduce")
        walk = Walk(browser, TAB, width)
        for kind, card_id in everything.cards.items():
            browser.goto(f"{demo.url}/crm/{kind}/details/{card_id}/?user=1")
            browser.click("[role=tab] >> text=Рубильник")
            walk.arrive()
            walk.look(kind)
            walk.tour(kind)
        assert not walk.wrong, told(walk.wrong)


DOORS = (
    "/ as administrator", "/ as marketer", "/ as manager", "/install as administrator",
    "CRM_CONTACT_LIST_TOOLBAR as marketer", "CRM_LEAD_LIST_MENU as marketer",
)  # fmt: skip


@pytest.mark.parametrize("width", [1280, 768, 375])
def test_every_door_opens_for_everybody(browser, everything, width):
    browser.fresh(width, 900, reducedMotion="reduce")
    walk = Walk(browser, (), width)
    doors = everything.doors()
    for name in DOORS:
        walk.knock(doors[name])
        walk.look(name)
    browser.goto(everything.way_out())
    walk.arrive()
    walk.look("the way out of the mailings")
    assert not walk.wrong, told(walk.wrong)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_page_speaks_one_plain_language(everything, language):
    names, wrong = everything.names(language), {}
    doors = everything.doors(language).items()
    shown = everything.answers(language) | {at: everything.world.post(door) for at, door in doors}
    for path, answer in shown.items():
        if answer.mimetype == "text/html":
            page = answer.get_data(as_text=True)
            if found := sorted(set(plain_words.complaints(page, language, names))):
                wrong[path] = found
    assert not wrong, told(wrong)


def test_the_first_page_is_light(everything):
    page = everything.world.open().get_data(as_text=True)
    parts = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page))
    assert len(parts) > 5
    weights = {"the page": page.encode()}
    for part in parts:
        with everything.world.browser.get(part) as answer:
            weights[part] = answer.data
    assert sum(len(gzip.compress(each)) for each in weights.values()) < LIMIT


class Keyboard:
    """Somebody without a mouse: the Tab key until what is wanted has the focus, then another key."""

    def __init__(self, browser: Any) -> None:
        self.browser, self.frame = browser, ()

    def reach(self, what: str, most: int = 120) -> None:
        """Tab to the first element for which the expression about `e`, the focused one, is true."""
        for _ in range(most):
            self.browser.press("Tab")
            if self.browser.eval(f"((e) => Boolean({what}))(document.activeElement)", self.frame):
                visible = "document.activeElement.matches(':focus-visible, iframe')"
                assert self.browser.eval(visible, self.frame), f"the focus can't be seen on {what}"
                return
        raise AssertionError(f"no Tab leads to {what}")

    def open(self, words: str, then: str, within: str = "body") -> None:
        """Tab to what says this, press Enter, and wait for what follows."""
        self.reach(f"e.innerText?.trim() === {words!r} && e.closest({within!r})")
        self.browser.press("Enter")
        self.browser.wait(then, self.frame)
        if self.frame:
            calm(self.browser, self.frame)


def test_from_the_portals_menu_to_a_draft_and_a_dark_page_without_a_mouse(browser, everything):
    keyboard = Keyboard(browser)
    browser.goto(f"{everything.world.demo.url}/?user=1")
    browser.wait(".side-item >> text=Рубильник")
    keyboard.open("Рубильник", PAGE)
    browser.wait("#root:not([inert])", PAGE)
    browser.eval(WATCH, PAGE)
    keyboard.reach("e.tagName === 'IFRAME'")
    keyboard.frame = PAGE
    keyboard.open("Сегменты", "h1 >> text=Сегменты")
    keyboard.reach("e.name === 'search'")
    browser.fill(":focus", "Все", frame=PAGE)
    found = "[...document.querySelectorAll('tbody tr')].map((e) => e.innerText)"
    until(browser, f"{found}.every((words) => words.includes('Все'))", PAGE)
    calm(browser, PAGE)
    keyboard.open("Все", "h1 >> text=Все", within="tbody")
    keyboard.open("Написать им", "#draft")
    keyboard.reach("e.name === 'mode'")
    browser.press("ArrowRight")
    browser.wait("[name=mode]:checked:not([value=now])", PAGE, state="attached")
    keyboard.open("Оформление", "#appearance")
    keyboard.reach("e.name === 'theme'")
    browser.press("ArrowRight")
    background = "getComputedStyle(document.body).backgroundColor"
    until(browser, f"{background} === 'rgb(0, 0, 0)'", PAGE)
    calm(browser, PAGE)
    browser.press("Escape")
    assert browser.errors() == []

    browser.goto(
        f"{everything.world.demo.url}/marketplace/app/{everything.world.keys['client_id']}/?user=1"
    )
    browser.wait("#page", PAGE)
    assert browser.eval(background, PAGE) == "rgb(0, 0, 0)", "it stays, from the first byte"
    assert 'media="all"' in everything.world.open().get_data(as_text=True)
