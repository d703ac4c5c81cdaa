"""The letter editor in the browser: written by mouse and by keyboard, seen at once as a client would get it."""

from __future__ import annotations

import json
import os
import time

import pytest
import sqlalchemy as sa
from support.live import live_world

from integration.mirror import Contact
from mailings.content import offers
from mailings.content.offers import Wish
from mailings.models import Mailing
from mailings.rules.offers import OfferKind

PAGE = ".app-page iframe"
LOOK = (PAGE, ".letter-frame iframe")
SHOTS = os.environ.get("SHOTS")


def shot(browser, name, full=True):
    if SHOTS:
        browser.screenshot(f"{SHOTS}/{name}.png", full=full)


@pytest.fixture
def served(settings, portal, redis_url, live_sessions):
    with live_world(settings, portal) as world:
        deadline = time.monotonic() + 60
        while world.progress() is None or world.progress().status != "done":
            assert time.monotonic() < deadline, "the first reading did not end"
            time.sleep(0.2)
        yield world


def prepared(world):
    """A draft with an offer, and a contact to look at it as."""
    content = {
        "what": "Кофе по подписке", "terms": "Минус 15 % на первый месяц", "reason": "Свежая обжарка",
        "product": "Эфиопия, 1 кг", "call_to_action": "Выбрать кофе", "audience": "Кофейни",
        "url": "https://shop.example.com/coffee", "valid_till": "2027-01-31", "price": "1 490 ₽",
    }  # fmt: skip
    with world.runtime.sessions.begin() as session:
        offer = offers.create(
            session, world.portal_id, Wish(OfferKind.WIN_BACK, "Кофе по подписке", content)
        )
        mailing = Mailing(
            portal_id=world.portal_id, name="Вернуть кофейни", channel="email", offer_id=offer.id
        )
        session.add(mailing)
        session.execute(
            sa.update(Contact)
            .where(Contact.portal_id == world.portal_id, Contact.bitrix_id == 1)
            .values(name="Вероника", last_name="Соловьёва", deleted_at=None)
        )
        session.flush()
        return offer.id, mailing.id


def go(browser, path, until):
    browser.wait("#root:not([inert])", frame=PAGE)
    browser.eval(f"void window.htmx.ajax('GET', '{path}', '#page')", frame=PAGE)
    browser.wait(until, frame=PAGE)


def saved(world, mailing_id):
    with world.runtime.sessions() as session:
        return session.get_one(Mailing, (world.portal_id, mailing_id)).content


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def step_back(browser, newest):
    """Take back the last change, once the page knows of the block it brought."""
    browser.wait(f"#block-{newest}", frame=PAGE)
    browser.eval("document.activeElement.blur()", frame=PAGE)
    browser.click("[data-history='-1']", frame=PAGE)


def step_back_at_once(browser, world, mailing_id):
    """Take back what was done just now, before its answer has come."""
    add, back = ".add-blocks button", "[data-history='-1']"
    for_each = "(each) => document.querySelector(each).click()"
    browser.eval(f"{json.dumps([add, back])}.forEach({for_each})", frame=PAGE)
    browser.wait("[data-history='1']:not(:disabled)", frame=PAGE)
    assert not saved(world, mailing_id).get("blocks")


CHOOSE = """
(() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 40;
  canvas.getContext("2d").fillRect(0, 0, 40, 40);
  const bytes = Uint8Array.from(atob(canvas.toDataURL("image/png").split(",")[1]), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "dot.png", { type: "image/png" }));
  const { file, field } = document.getElementById("picture-form").elements;
  field.value = "%s";
  file.files = files.files;
  file.dispatchEvent(new Event("change", { bubbles: true }));
})()
"""


def upload(browser, world, mailing_id):
    """A picture of one's own computer: its address comes into the field, the words for it are asked for."""
    shot(browser, "empty")
    browser.click(".add-blocks >> text=Картинка", frame=PAGE)
    browser.wait("[data-focus] [data-uploads]", frame=PAGE)
    place = int(browser.attribute("[data-focus]", "data-place", frame=PAGE))
    browser.eval(CHOOSE % f"blocks.{place}|src", frame=PAGE)
    browser.wait("text=Картинка в письме", frame=PAGE)
    assert browser.eval("document.activeElement.id", frame=PAGE) == f"blocks.{place}|alt"
    browser.fill(f"[id='blocks.{place}|alt']", "Мешок кофе", frame=PAGE)
    until(lambda: saved(world, mailing_id)["blocks"][place].get("alt") == "Мешок кофе")
    assert "/p/" in saved(world, mailing_id)["blocks"][place]["src"]
    browser.wait("img[alt='Мешок кофе']", frame=LOOK)
    assert browser.eval("document.querySelector('img[alt]').naturalWidth", frame=LOOK) == 40
    shot(browser, "picture")
    browser.click(
        f"[value='remove {place}']", frame=PAGE
    )  # while the field just left is being saved
    until(lambda: not saved(world, mailing_id).get("blocks"))


def test_a_letter_is_written_by_mouse_and_keyboard_and_seen_as_the_client_gets_it(browser, served):
    offer_id, mailing_id = prepared(served)
    browser.goto(f"{served.demo.url}/?user=1")
    browser.click(".side-item >> text=Рубильник")
    browser.wait("h1", frame=PAGE)
    go(browser, f"/offers/{offer_id}", "#offer")
    shot(browser, "offer")

    go(browser, f"/mailings/{mailing_id}/letter", "#letter-editor")
    upload(browser, served, mailing_id)
    step_back_at_once(browser, served, mailing_id)
    browser.click("a >> text=Выбрать готовое", frame=PAGE)
    browser.wait(".ready-letter", frame=PAGE)
    shot(browser, "ready")
    browser.click(".ready-letter:has-text('Давно не виделись') button", frame=PAGE)
    browser.wait("#block-0", frame=PAGE)
    browser.wait(":visible:text('Минус 15')", frame=LOOK)
    blocks = browser.count(".letter-block", frame=PAGE)

    browser.fill("[data-people]", "Соловьёва", frame=PAGE)
    browser.click("[data-person='contact:1']", frame=PAGE)
    browser.wait(":visible:text('Здравствуйте, Вероника')", frame=LOOK)
    shot(browser, "editor")

    browser.fill("#subject", "Скучаем по вам, ", frame=PAGE)
    browser.click("text=Вставить имя", frame=PAGE)
    browser.click(".menu-row >> text=Имя, а без него", frame=PAGE)
    until(lambda: "client.name" in saved(served, mailing_id)["subject"])
    assert saved(served, mailing_id)["subject"].startswith("Скучаем по вам, {{ client.name |")

    browser.eval("document.querySelector('#block-0 input').focus()", frame=PAGE)
    browser.press("Alt+ArrowDown")
    until(lambda: saved(served, mailing_id)["blocks"][1]["type"] == "heading")
    browser.press("Alt+KeyC")
    until(lambda: len(saved(served, mailing_id)["blocks"]) == blocks + 1)
    step_back(browser, blocks)
    until(lambda: len(saved(served, mailing_id)["blocks"]) == blocks)

    browser.click(".add-blocks >> text=Текст", frame=PAGE)
    browser.wait(f"#block-{blocks}", frame=PAGE)
    browser.wait(".letter-problems >> text=Текст", frame=PAGE)
    browser.fill(f"[id='blocks.{blocks}|text']", "Ждём вас **в пятницу**", frame=PAGE)
    browser.wait("strong >> text=в пятницу", frame=LOOK)
    browser.wait("text=Письмо можно отправлять", frame=PAGE)

    browser.click("input[value=phone]", frame=PAGE)
    assert browser.box(".letter-frame iframe", frame=PAGE)["width"] <= 375
    shot(browser, "phone")
    browser.viewport(375, 800)
    assert browser.eval("document.documentElement.scrollWidth <= innerWidth", frame=PAGE)
    shot(browser, "narrow")
    assert browser.errors() == []
