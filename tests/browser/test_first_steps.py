"""The first steps in the portal's frame: from the installation to the base at a glance, without leaving the page."""

from __future__ import annotations

import pytest
from support.live import live_world

PAGE = ".app-page iframe"


@pytest.fixture
def bare(settings, portal, redis_url, live_sessions):
    """The application served and registered, but not installed."""
    with live_world(settings, portal, installed=False) as world:
        yield world


def test_the_administrator_is_led_from_the_installation_to_his_base(browser, bare):
    browser.goto(f"{bare.demo.url}/?user=1")
    browser.click(".side-item >> text=Рубильник")
    browser.wait("text=Видит всю CRM", frame=PAGE)
    browser.click("text=Дальше: что загружаем и пишем", frame=PAGE)
    browser.wait("text=Пока вы не включите рубильник, ничего не пишется", frame=PAGE)
    browser.click("text=Понятно, дальше", frame=PAGE)
    browser.click("#start-steps >> text=Продажи", frame=PAGE)
    browser.wait("#known a[data-open-path]", frame=PAGE)
    browser.click("#start-rule [name=pipelines][value='1']", frame=PAGE)
    browser.wait("#known >> text=→", frame=PAGE)
    browser.click("text=Верно, дальше", frame=PAGE)
    browser.click("text=Включить запись", frame=PAGE)
    browser.wait("[aria-current=step] >> text=Ваша база", frame=PAGE)
    browser.wait("text=Кому стоит написать сегодня", frame=PAGE)
    for width in (1280, 768, 375):
        browser.viewport(width, 900)
        assert browser.eval("document.documentElement.scrollWidth <= innerWidth", frame=PAGE)
    browser.click("text=Закончить и открыть главную", frame=PAGE)
    browser.wait("text=Что делать дальше", frame=PAGE)
    browser.wait("#running >> text=Сейчас ничего не отправляется", frame=PAGE)
    assert browser.errors() == []
