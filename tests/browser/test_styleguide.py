"""The page of the design system: whole in both themes, and readable for everybody."""

from __future__ import annotations

import pytest
from flask import Flask
from support import axe
from support.web_gallery import SETTINGS, serving

from core.web import shell
from styleguide.icons import icons
from styleguide.tokens import tokens
from styleguide.views import blueprint


@pytest.fixture(scope="module")
def address():
    app = Flask("styleguide", static_folder=None)
    app.register_blueprint(blueprint)
    shell.register(app, SETTINGS)
    with serving(app) as found:
        yield f"{found}/styleguide"


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 375)])
def test_the_page_shows_every_token_and_icon_and_keeps_nobody_out(browser, address, theme, width):
    browser.fresh(width, 900, reducedMotion="reduce")
    browser.goto(f"{address}?theme={theme}")
    browser.wait(".swatches")
    axe.load(browser)
    assert axe.violations(browser) == []
    assert browser.errors() == []
    assert browser.eval("document.documentElement.scrollWidth <= innerWidth")
    assert browser.count(".swatches li") == len(tokens()["colour"]) > 50
    assert browser.count(".icon-names li") == len(icons()) > 50
    browser.click("text=Спросить перед делом")
    browser.wait("#confirm[open]")
    assert axe.violations(browser) == []
    browser.eval("document.querySelector('#confirm p').style.color = 'rgb(128, 128, 128)'")
    assert "color-contrast" in " ".join(axe.violations(browser)), "a fault would be seen"
    browser.goto("about:blank")


def test_its_list_and_its_tour_can_be_tried(browser, address):
    browser.fresh(375, 900, reducedMotion="reduce")
    browser.goto(f"{address}?view=")
    browser.click(".more-row button")
    browser.wait("#list-found tbody tr >> nth=5")
    assert browser.count(".more-row") == 0
    browser.click("[data-pick-all]")
    assert browser.text("[data-picked-number]") == "6"
    axe.load(browser)
    assert axe.violations(browser, within="#list-sample") == []
    browser.click("#picked >> text=Убрать в архив")
    browser.click("#confirm [value=yes]")
    browser.wait("#list-told >> text=Это пример")
    browser.fill("#list-sample [name=search]", "клиент")
    browser.wait("text=1 сегмент")
    browser.wait(".list-bar")
    browser.eval("document.querySelector('#tour-offer [data-tour-start]').focus()")
    for step in ("Шаг 1 из 3", "Шаг 2 из 3", "Шаг 3 из 3"):
        browser.press("Enter")
        assert browser.text("#tour-step") == step
    assert axe.violations(browser, within="#tour") == []
    browser.press("Enter")
    assert not browser.visible("#tour")
    assert not browser.visible("#tour-offer")
    assert browser.errors() == []
    assert browser.eval("document.documentElement.scrollWidth <= innerWidth")
    browser.goto("about:blank")
