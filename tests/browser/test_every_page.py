"""Every page of the application, whichever there are: nobody is kept out, nothing is broken, all is plainly said."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import axe, plain_words
from support.browser import Frame
from support.every_page import Filled, filled

PAGE, TAB = ".app-page iframe", ".card-app iframe"
LIMIT = 300_000
"""A first page weighs less than so many bytes, packed."""

WIDE, NARROW = (), ("color-contrast", "target-size", "scrollable-region-focusable")
"""What is asked of a wide light page: everything; of a small dark one, what its width and colours decide."""

# Counts what htmx has asked for and not got yet, so that a page is looked at when it is whole.
WATCH = """(() => {
  let flying = 0, since = performance.now();
  const step = (by) => () => { flying += by; since = performance.now(); };
  document.addEventListener("htmx:before:request", step(1), true);
  document.addEventListener("htmx:finally:request", step(-1), true);
  window.calm = () => flying <= 0 && !document.querySelector(".htmx-request") && performance.now() - since > 60;
  window.calmed = () => new Promise((done, fail) => {
    const end = performance.now() + 20_000;
    const look = () => {
      if (window.calm()) done(true);
      else if (performance.now() > end) fail(new Error("the page does not come to rest"));
      else setTimeout(look, 20);
    };
    look();
  });
})()"""
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
SCROLLED = "[...document.querySelectorAll('#page *')].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.checkVisibility() && /auto|scroll/.test(getComputedStyle(e).overflowX)).map((e) => e.className || e.tagName)"


@pytest.fixture(scope="module")
def everything(settings: Any, database: Any, portal_process: Any) -> Iterator[Filled]:
    with filled(settings, database, portal_process) as found:
        yield found


# Buttons that ask for a part of the page without changing the rest of it, by what they fill.
BRING = """[...document.querySelectorAll("#page button[hx-post]:not([hx-confirm])")].filter((e) =>
    e.checkVisibility() && /^(#(?!page$)|\\[id=)/.test(e.getAttribute("hx-target")))"""


def told(wrong: dict[str, list[str]]) -> str:
    """One line for each fault, under its page."""
    return "\n".join(f"{page}\n    " + "\n    ".join(faults) for page, faults in wrong.items())


def until(browser: Any, expression: str, frame: Frame) -> None:
    """Wait in a page whose policy lets no text be run but the browser's own."""
    deadline = time.monotonic() + 20
    while not browser.eval(expression, frame):
        assert time.monotonic() < deadline, expression
        time.sleep(0.03)


def calm(browser: Any, frame: Frame) -> None:
    """Wait until the page has everything it asked for."""
    browser.eval("window.calmed()", frame)


class Walk:
    """Goes from page to page in a frame of the portal and notes what is wrong with each: small ones in the dark."""

    def __init__(self, browser: Any, frame: Frame, width: int) -> None:
        self.browser, self.frame, self.width = browser, frame, width
        self.wrong: dict[str, list[str]] = {}
        self.brought: set[str] = set()

    def arrive(self) -> None:
        """A document was opened in the frame."""
        self.browser.wait("#root", self.frame)
        axe.load(self.browser, self.frame)
        self.browser.eval(WATCH, self.frame)
        if self.width < 1280:
            dark = "document.querySelector('#dark')?.setAttribute('media', 'all')"
            self.browser.eval(dark, self.frame)

    def go(self, path: str) -> None:
        """Another page into the same frame, as its links do it."""
        self.browser.eval(
            f"window.htmx.ajax('GET', {path!r}, '#page').then(() => true)", self.frame
        )
        self.look(path)

    def press(self, path: str) -> None:
        """The buttons of the page that is open: each brings a part, looked at for itself and once."""
        parts = f"{BRING}.map((e) => [e.getAttribute('hx-post'), e.getAttribute('hx-target')])"
        for asked, part in self.browser.eval(parts, self.frame):
            if re.sub(r"\d+", "", asked) not in self.brought:
                self.brought.add(re.sub(r"\d+", "", asked))
                brings = f"(e) => e.getAttribute('hx-post') === {json.dumps(asked)}"
                self.browser.eval(f"{BRING}.find({brings})?.click()", self.frame)
                self.look(f"{path}, {part}", part)

    def look(self, name: str, part: str = "") -> None:
        """What is wrong with the page that is open, or with a part of it."""
        calm(self.browser, self.frame)
        rules = WIDE if self.width >= 1280 else NARROW
        found = axe.violations(self.browser, self.frame, rules, part)
        found += self.browser.errors()
        found += [
            f"{each['status']} {each['url']}"
            for each in self.browser.requests()
            if each["status"] >= 400
        ]
        if self.browser.eval(WIDER, self.frame) or self.browser.eval(WIDER):
            found.append("a horizontal scrollbar")
        if self.width >= 1280:
            scrolled = self.browser.eval(SCROLLED, self.frame)
            found += [f"scrolls sideways: {each}" for each in scrolled]
        self.browser.forget()
        if found:
            self.wrong[name] = found


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
        if width >= 1280:
            walk.press(path)
    assert not walk.wrong, told(walk.wrong)


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
        assert not walk.wrong, told(walk.wrong)


DOORS = (
    "/ as administrator", "/ as marketer", "/ as manager", "/install as administrator",
    "CRM_CONTACT_LIST_TOOLBAR as marketer", "CRM_LEAD_LIST_MENU as marketer",
)  # fmt: skip
# A frame is opened by a form that the portal's page posts; at the top of a window it is the same.
KNOCK = """((url, body) => {{
  const form = document.createElement("form");
  Object.assign(form, {{ method: "post", action: url }});
  for (const [name, value] of Object.entries(body)) {{
    const input = Object.assign(document.createElement("input"), {{ name, value }});
    form.append(input);
  }}
  document.body.append(form);
  form.submit();
}})({url}, {body})"""


@pytest.mark.parametrize("width", [1280, 768, 375])
def test_every_door_opens_for_everybody(browser, everything, width):
    browser.fresh(width, 900, reducedMotion="reduce")
    walk = Walk(browser, (), width)
    doors = everything.doors()
    for name in DOORS:
        door = doors[name]
        browser.goto("about:blank")
        knock = {each: json.dumps(door[each]) for each in ("url", "body")}
        browser.eval(KNOCK.format(**knock))
        walk.arrive()
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

    def open(self, words: str, then: str) -> None:
        """Tab to what says this, press Enter, and wait for what follows."""
        self.reach(f"e.innerText?.trim() === {words!r}")
        self.browser.press("Enter")
        self.browser.wait(then, self.frame)
        if self.frame:
            calm(self.browser, self.frame)


def test_from_the_portals_menu_to_a_draft_and_a_dark_page_without_a_mouse(browser, everything):
    keyboard = Keyboard(browser)
    browser.goto(f"{everything.world.demo.url}/?user=1")
    browser.wait(".side-item >> text=Рубильник")
    keyboard.open("Рубильник", PAGE)
    browser.wait("#page", PAGE)
    browser.eval(WATCH, PAGE)
    keyboard.reach("e.tagName === 'IFRAME'")
    keyboard.frame = PAGE
    keyboard.open("Сегменты", "h1 >> text=Сегменты")
    keyboard.open("Все", "h1 >> text=Все")
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
