"""The first steps in the portal's frame: from the installation to the base at a glance, without leaving the page."""

from __future__ import annotations

import pytest
from support.live import live_world
from support.story import PAGE, Story


@pytest.fixture
def bare(settings, portal, redis_url, live_sessions):
    """The application served and registered, but not installed."""
    with live_world(settings, portal, installed=False) as world:
        yield world


def test_the_administrator_is_led_from_the_installation_to_his_base(browser, bare):
    story = Story(browser, bare, user=1, width=375, language="en")
    story.begin()
    browser.wait("text=Sees the whole CRM", frame=PAGE)
    story.look()
    browser.click("text=Next: what we read and write", frame=PAGE)
    browser.wait("text=Nothing is written before you throw the switch", frame=PAGE)
    browser.click("text=Clear, next: the reading", frame=PAGE)
    browser.click("#start-steps >> text=Sales", frame=PAGE)
    browser.wait("#known a[data-open-path]", frame=PAGE)
    browser.click("#start-rule [name=pipelines][value='1']", frame=PAGE)
    browser.wait("#known >> text=→", frame=PAGE)
    browser.click("text=Right, next: writing", frame=PAGE)
    browser.click("text=Switch writing on", frame=PAGE)
    browser.wait("[aria-current=step] >> text=Your base", frame=PAGE)
    browser.wait("text=Worth a mailing today", frame=PAGE)
    for width in (1280, 768, 375):
        story.resize(width)
        assert browser.eval("document.documentElement.scrollWidth <= innerWidth", frame=PAGE)
    story.look()
    browser.click("text=Finish and open the home page", frame=PAGE)
    browser.wait("text=What to do next", frame=PAGE)
    browser.wait("#running >> text=Nothing is going out now", frame=PAGE)
    story.end()
