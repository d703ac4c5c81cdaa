"""Somebody's way through the portal's pages, at his width and in his language: whatever would trouble him fails it.

story = Story(browser, world, user=2, width=768, language="en")
story.begin()                                # from the portal's menu
browser.click("a >> text=Mailings", frame=PAGE)
story.look()                                 # what is open now
story.end()
"""

from __future__ import annotations

import time

from support import axe
from support.browser import Browser, Frame
from support.world import World

from integration import rights

PAGE, TAB, SLIDER = ".app-page iframe", ".card-app iframe", ".app-slider iframe"
OWN_PAGE = ".side-item[href*='/marketplace/app/']"
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
FOLDED = 700
"""In a narrower window the portal's menu is behind a button."""
MOVING = "document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"


def let_start(world: World, user: int) -> None:
    """An administrator lets an employee prepare and start mailings."""
    with world.runtime.sessions.begin() as session:
        version = rights.rights_of(session, world.portal_id)[0]
        rights.give(session, world.portal_id, user, rights.Right.START, 1, version)


class Story:
    """One employee in front of the demo portal; cookies of frames are blocked, as in his browser."""

    def __init__(
        self, browser: Browser, world: World, *, user: int, width: int = 1280, language: str = "ru"
    ) -> None:
        self.browser, self.world, self.user = browser, world, user
        world.demo.control("options", {"language": language})
        browser.fresh(width, 900, reducedMotion="reduce")

    def begin(self) -> None:
        """Open the portal, and the application by the portal's menu."""
        self.go("/")
        if self.browser.eval(f"innerWidth < {FOLDED}"):
            self.browser.click(".top-menu")
        self.browser.click(OWN_PAGE)

    def go(self, path: str) -> None:
        """Open a page of the portal."""
        joint = "&" if "?" in path else "?"
        self.browser.goto(f"{self.world.demo.url}{path}{joint}user={self.user}")

    def resize(self, width: int) -> None:
        """The window becomes so wide, and its frames with it."""
        self.browser.viewport(width, 900)

    def look(self, frame: Frame = PAGE) -> None:
        """What is open now fits its window and can be read and worked by everybody."""
        self._rest(frame)
        self.end()
        for place in ((), frame):
            assert not self.browser.eval(WIDER, place), f"a horizontal scrollbar of {place}"
        axe.load(self.browser, frame)
        assert axe.violations(self.browser, frame) == []
        self.browser.forget()  # axe does what the policy forbids

    def end(self) -> None:
        """Until now no script broke, no request failed, and the policy had nothing to forbid."""
        assert self.browser.errors() == []
        failed = [each for each in self.browser.requests() if each["status"] >= 400]
        assert failed == []

    def _rest(self, frame: Frame) -> None:
        deadline = time.monotonic() + 20
        while self.browser.eval(f"Boolean({MOVING})", frame):
            assert time.monotonic() < deadline, "the page does not come to rest"
            time.sleep(0.02)
