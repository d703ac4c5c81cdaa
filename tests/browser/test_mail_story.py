"""A marketer's mailing from the idea to the switch, in English: chosen by keyboard, planned, looked through, started, watched."""

from __future__ import annotations

import time

import pytest
from support.live import live_world
from support.mail_pages import MailPages
from support.story import PAGE, Story, let_start

MARKETER = 2


@pytest.fixture
def served(settings, portal, redis_url, live_sessions):
    with live_world(settings, portal) as world:
        deadline = time.monotonic() + 60
        while world.progress() is None or world.progress().status != "done":
            assert time.monotonic() < deadline, "the first reading did not end"
            time.sleep(0.2)
        let_start(world, MARKETER)
        yield world


def until(browser, expression, seconds=30):
    """The value of the expression in the page, once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := browser.eval(expression, frame=PAGE)):
        assert time.monotonic() < deadline, expression
        time.sleep(0.05)
    return found


def gets(browser):
    """How many will get it, as the last step says."""
    return int(
        until(browser, "document.querySelector('.fall.last b')?.textContent.replace(/\\s/g, '')")
    )


def choose_people(browser, story):
    """From the portal's menu to a draft, the segment found by keyboard; the draft's number."""
    story.begin()
    browser.click("a >> text=Mailings", frame=PAGE)
    browser.click("a >> text=Write the first one", frame=PAGE)

    browser.wait(".audience", frame=PAGE)
    browser.eval("document.querySelector('#audience-search').focus()", frame=PAGE)
    browser.press("ArrowDown")
    until(browser, "document.activeElement.matches('.audience')")
    browser.press("ArrowUp")
    until(browser, "document.activeElement.id === 'audience-search'")
    browser.fill("#audience-search", "all clients", frame=PAGE)
    until(browser, "document.querySelectorAll('.audience').length === 2")
    browser.press("Enter", "#audience-search", frame=PAGE)
    browser.wait("#draft", frame=PAGE)
    return int(browser.attribute("#draft", "hx-post", frame=PAGE).rpartition("/")[2])


def plan(browser):
    """A name, a time, a control group, a pace: saved as one leaves each field."""
    browser.fill("#mailing-name", "Autumn sale", frame=PAGE)
    browser.press("Tab")
    browser.wait("#draft-said .saved", frame=PAGE)
    browser.click("[name=mode][value=at]", frame=PAGE)
    browser.wait(".sentence >> text=10:00", frame=PAGE)
    browser.click("[name=mode][value=now]", frame=PAGE)
    browser.wait(".sentence >> text=at once", frame=PAGE)
    browser.click("summary >> text=Caps, control group, cost", frame=PAGE)
    browser.fill("#control_percent", "50", frame=PAGE)
    browser.fill("#rate_per_minute", "60", frame=PAGE)
    browser.press("Tab")
    browser.wait(".sentence >> text=no faster than 60 a minute", frame=PAGE)


def throw_the_switch(browser, people):
    """By keyboard: the question is read first, then answered."""
    until(browser, "!document.querySelector('#throw').disabled")
    browser.eval("document.querySelector('#throw').focus()", frame=PAGE)
    browser.press("Enter")
    browser.wait("h2 >> text=Throw the switch?", frame=PAGE)
    assert until(browser, "document.activeElement.matches('h2')")
    assert str(people) in browser.text(".big-number", frame=PAGE)
    browser.press("Tab")
    browser.press("Enter")
    browser.wait("text=The switch is on", frame=PAGE)


def test_a_mailing_is_put_together_looked_through_started_and_watched(browser, served):
    desk = MailPages(served)
    desk.agree(share=2)
    desk.server()
    story = Story(browser, served, user=MARKETER, width=768, language="en")
    number = choose_people(browser, story)
    everybody = gets(browser)
    assert everybody > 0
    browser.wait("text=The letter is not written yet. Write the letter", frame=PAGE)
    assert browser.eval("document.querySelector('#throw').disabled", frame=PAGE)
    browser.click("a >> text=Write the letter >> nth=0", frame=PAGE)
    browser.wait("#letter-editor", frame=PAGE)
    desk.write_letter(number)
    browser.click("a >> text=To the mailing", frame=PAGE)
    browser.wait(".subject >> text=Скидка 10 %", frame=PAGE)

    plan(browser)
    shown = "document.querySelector('.fall.last b')?.textContent.replace(/\\s/g, '')"
    until(browser, f"Number({shown}) < {everybody}")
    browser.click("button.lost >> text=in the control group", frame=PAGE)
    browser.wait("#lost-people a", frame=PAGE)
    story.look()
    story.resize(375)
    until(browser, "innerWidth < 400")
    story.look()
    story.resize(768)

    throw_the_switch(browser, gets(browser))
    browser.wait("#state .chip >> text=going out", frame=PAGE)
    assert desk.row(number).state == "running"
    assert desk.number() == 1
    browser.click("button >> text=Pause", frame=PAGE)
    browser.wait("#confirm[open]", frame=PAGE)
    browser.click("#confirm [value=yes]", frame=PAGE)
    browser.wait("#state .chip >> text=paused", frame=PAGE)
    browser.click("a >> text=All mailings", frame=PAGE)
    browser.wait("td >> text=Autumn sale", frame=PAGE)
    story.look()
