"""The shell inside a frame of another origin, as the portal shows it, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support import web_gallery
from werkzeug.wrappers import Request, Response

FRAME = "iframe"

# What the portal page does: opens the application by a POST into a named frame, answers its calls.
PORTAL = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Portal</title><style>body {{ margin: 0 }} iframe {{ border: 0; width: 100%; height: 300px }}</style>
<form method="post" action="{app}/?LANG={lang}&amp;origin={origin}{query}" target="{name}"></form>
<iframe name="{name}"></iframe>
<script>
const frame = document.querySelector("iframe"), calls = [], options = {options};
let silent = false;
addEventListener("message", (event) => {{
  const parts = event.data.split(":");
  const [command, sid, id] = [parts.shift(), parts.pop(), parts.pop()];
  const params = parts.length ? JSON.parse(parts.join(":")) : null;
  calls.push({{ command, params, id, sid, origin: event.origin }});
  if (silent) return;
  const answer = (value) => frame.contentWindow.postMessage(id + ":" + JSON.stringify(value), event.origin);
  if (command === "resizeWindow") {{ frame.style.height = params.height + "px"; answer(params); }}
  if (command === "getInitData") answer({{ DOMAIN: location.host, PROTOCOL: 0, LANG: "ru", MEMBER_ID: "m", PLACEMENT: "DEFAULT", ...options }});
  if (command === "refreshAuth") answer({{ AUTH_ID: "fresh-token", REFRESH_ID: "r", AUTH_EXPIRES: 3600 }});
  if (command === "openPath") answer({{ result: "close" }});
  if (command === "setInstallFinish") answer(true);
}});
document.forms[0].submit();
</script>"""


class Portal:
    """The page around the frame."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, width: int = 1197, lang: str = "ru", query: str = "", **options: Any) -> None:
        self.browser.viewport(width, 900)
        self.browser.goto(
            f"{self.address}/?lang={lang}&query={query}&options={json.dumps(options)}"
        )
        self.browser.wait("h1", FRAME)

    def calls(self, command: str) -> list[dict[str, Any]]:
        return [call for call in self.browser.eval("calls") if call["command"] == command]

    def wait_for_call(self, command: str) -> dict[str, Any]:
        self.browser.wait_for(f"calls.some((call) => call.command === '{command}')")
        return self.calls(command)[-1]

    def height(self) -> float:
        return self.browser.box(FRAME)["height"]


@pytest.fixture
def portal(browser: Any) -> Iterator[Portal]:
    state: dict[str, str] = {}

    @Request.application
    def page(request: Request) -> Response:
        host = request.host
        html = PORTAL.format(
            app=state["app"],
            origin=f"http://{host}",
            name=f"{host}|0|sid0123456789",
            lang=request.args["lang"],
            query=request.args["query"].replace("&", "&amp;"),
            options=request.args["options"],
        )
        return Response(html, mimetype="text/html")

    with (
        web_gallery.serving(web_gallery.create()) as state["app"],
        web_gallery.serving(page) as address,
    ):
        yield Portal(browser, address)
        browser.goto("about:blank")


def test_the_frame_grows_to_the_page_and_shrinks_again(portal, browser):
    portal.open()
    browser.wait_for(
        "calls.some((call) => call.command === 'resizeWindow' && call.params.height > 1000)"
    )
    browser.wait("#part", FRAME)
    browser.wait_for(
        f"Math.abs(document.querySelector('iframe').offsetHeight - {_root_height(browser)}) < 2"
    )
    tall = portal.height()
    assert portal.calls("resizeWindow")[-1]["params"]["width"] == "100%"

    browser.eval("document.querySelectorAll('.card').forEach((card) => card.remove())", FRAME)
    browser.wait_for(f"document.querySelector('iframe').offsetHeight < {tall} - 500")
    assert browser.errors() == []


def _root_height(browser) -> int:
    browser.eval("new Promise((done) => setTimeout(done, 300))")
    return browser.eval(
        "Math.ceil(document.querySelector('#root').getBoundingClientRect().height)", FRAME
    )


def test_in_a_slider_the_page_scrolls_by_itself_and_asks_for_no_height(portal, browser):
    portal.open(PLACEMENT_OPTIONS={"IFRAME": "Y"})
    portal.wait_for_call("getInitData")
    browser.wait("#part", FRAME)
    browser.eval("new Promise((done) => setTimeout(done, 300))")
    before = len(portal.calls("resizeWindow"))

    browser.eval("document.querySelectorAll('.card').forEach((card) => card.remove())", FRAME)
    browser.eval("new Promise((done) => setTimeout(done, 300))")

    assert len(portal.calls("resizeWindow")) == before
    assert browser.eval("getComputedStyle(document.documentElement).overflowY", FRAME) != "hidden"


@pytest.mark.parametrize("query", ["", "&tab=1"])
def test_no_width_gives_a_horizontal_scrollbar_or_an_error(portal, browser, query):
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for width in (1440, 1197, 1022, 360):
        portal.open(width, query=query.replace("&", "%26"))
        browser.wait("#part", FRAME)
        assert browser.eval(wider, FRAME) <= 0, width
        assert browser.errors() == [], width
        statuses = {each["status"] for each in browser.requests() if "/static/" in each["url"]}
        assert statuses == {200}, width
        browser.forget()


def test_icons_are_drawn(portal, browser):
    portal.open()
    missing = """fetch(document.querySelector('.icon use').getAttribute('href').split('#')[0])
        .then((answer) => answer.text())
        .then((sprite) => [...document.querySelectorAll('.icon use')]
            .map((use) => use.getAttribute('href').split('#')[1])
            .filter((name) => !sprite.includes(`id="${name}"`)))"""
    assert browser.eval(missing, FRAME) == []


def test_answers_from_anywhere_but_the_portal_are_ignored(portal, browser):
    portal.open()
    browser.eval("silent = true")
    browser.eval(
        "void (window.outcome = 'waiting', Frame.openPath('/crm/deal/details/1/').then((a) => { outcome = a.result }))",
        FRAME,
    )
    call = portal.wait_for_call("openPath")
    assert call["sid"] == "sid0123456789"

    forged = json.dumps(f'{call["id"]}:{{"result":"forged"}}')
    browser.eval(f"window.postMessage({forged}, '*')", FRAME)
    browser.eval("new Promise((done) => setTimeout(done, 200))")
    assert browser.eval("outcome", FRAME) == "waiting"

    true = json.dumps(f'{call["id"]}:{{"result":"close"}}')
    browser.eval(f"frame.contentWindow.postMessage({true}, '*')")
    browser.wait_for("outcome === 'close'", FRAME)


def test_a_button_opens_a_card_of_the_portal(portal, browser):
    portal.open()
    browser.click("#open-card", FRAME)
    assert portal.wait_for_call("openPath")["params"] == {"path": "/crm/contact/details/12/"}


def test_the_session_token_leaves_the_document_and_signs_every_request(portal, browser):
    portal.open()
    browser.wait("#part", FRAME)
    assert browser.eval("document.querySelector('meta[name=session]') === null", FRAME)
    browser.click("text=Сохранить", FRAME)
    browser.wait(".saved", FRAME)
    assert browser.errors() == []


def test_a_session_that_is_over_is_proved_again_through_the_portal(portal, browser, monkeypatch):
    portal.open()
    browser.wait("#part", FRAME)
    later = web_gallery.utcnow() + web_gallery.timedelta(hours=2)
    monkeypatch.setattr("core.web.guard.utcnow", lambda: later)
    monkeypatch.setattr("core.web.session.utcnow", lambda: later)

    browser.click("text=Сохранить", FRAME)

    browser.wait(".saved", FRAME)
    assert len(portal.calls("refreshAuth")) == 1
    statuses = [
        (request["status"], request["url"].rsplit("/", 1)[-1].split("?")[0])
        for request in browser.requests()
    ]
    assert statuses[-3:] == [(401, "save"), (204, "session"), (200, "save")]


def test_without_the_portal_an_old_page_says_to_open_the_application_again(
    portal, browser, monkeypatch
):
    portal.open(lang="en")
    browser.wait("#part", FRAME)
    browser.eval("silent = true")
    later = web_gallery.utcnow() + web_gallery.timedelta(hours=2)
    monkeypatch.setattr("core.web.guard.utcnow", lambda: later)
    browser.fill("#mail", "me@example.com", FRAME)
    browser.click("text=Сохранить", FRAME)
    browser.wait("form [data-notice] .alert", FRAME)
    assert "Open the application again" in browser.text("form [data-notice] .alert", FRAME)
    assert browser.value("#mail", FRAME) == "me@example.com"


def test_a_failure_is_told_beside_the_form_which_stays_as_it_was(portal, browser):
    portal.open()
    browser.fill("#mail", "me@example.com", FRAME)
    browser.click("#fail", FRAME)
    browser.wait("form [data-notice] .alert", FRAME)
    assert "Внешний сервис не ответил" in browser.text("form [data-notice] .alert", FRAME)
    assert browser.value("#mail", FRAME) == "me@example.com"
    browser.click("form [data-notice] [data-dismiss]", FRAME)
    assert browser.count("form [data-notice] .alert", FRAME) == 0


def test_a_dangerous_act_asks_first_beside_its_button(portal, browser):
    portal.open()
    browser.wait("#part", FRAME)
    browser.click("text=Удалить", FRAME)
    browser.wait("#confirm", FRAME)
    assert browser.text("#confirm h2", FRAME) == "Удалить сегмент «Спящие»?"
    assert browser.text("#confirm [value=yes]", FRAME) == "Удалить сегмент"
    button, dialog = browser.box("text=Удалить", FRAME), browser.box("#confirm", FRAME)
    assert abs(button["y"] - dialog["y"]) < dialog["height"] + 60

    browser.press("Escape")
    browser.wait("#confirm", FRAME, state="hidden")
    assert not any(request["url"].endswith("/delete") for request in browser.requests())

    browser.click("text=Удалить", FRAME)
    browser.click("#confirm [value=yes]", FRAME)
    browser.wait("#notices .alert", FRAME)
    assert "Недостаточно прав" in browser.text("#notices .alert", FRAME)
    browser.click("role=tab >> nth=1", FRAME)
    browser.wait("#notices .alert", FRAME, state="detached")


def test_how_a_number_is_counted_opens_under_its_button_and_closes_with_escape(portal, browser):
    portal.open()
    browser.click(".explain", FRAME)
    browser.wait("#how-ltv", FRAME)
    browser.eval("new Promise((done) => setTimeout(done, 200))")
    button, popover = browser.box(".explain", FRAME), browser.box("#how-ltv", FRAME)
    assert 0 <= popover["y"] - (button["y"] + button["height"]) < 12
    assert popover["x"] >= 0
    browser.press("Escape")
    browser.wait("#how-ltv", FRAME, state="hidden")


def test_another_page_of_ours_comes_into_the_same_frame_and_takes_the_focus(portal, browser):
    portal.open()
    browser.wait("#part", FRAME)
    browser.forget()
    browser.click("role=tab >> nth=1", FRAME)
    browser.wait("#part", FRAME)
    browser.wait_for("document.activeElement.id === 'page'", FRAME)
    assert browser.count("main", FRAME) == 1
    assert [request["status"] for request in browser.requests()][:1] == [200]
    assert browser.errors() == []


def test_polling_waits_while_something_is_open_over_the_page(portal, browser):
    portal.open()
    browser.wait("#part", FRAME)
    browser.click(".explain", FRAME)
    browser.eval(
        """document.querySelector('#load').innerHTML =
            '<i hx-get="/gallery/part" hx-trigger="every 100ms"></i>';
            htmx.process(document.querySelector('#load'))""",
        FRAME,
    )
    browser.forget()
    browser.eval("new Promise((done) => setTimeout(done, 500))")
    assert browser.requests() == []
    browser.press("Escape")
    browser.wait("#load #part", FRAME)


LIVE = """document.querySelector('#load').innerHTML = `
    <section id="live" hx-get="/gallery/slow" hx-trigger="every 100ms" hx-swap="outerHTML">
      <button id="act" hx-post="/gallery/save" hx-target="#live" hx-confirm="Точно?">Сделать</button>
    </section>`;
    htmx.process(document.querySelector('#load'));
    document.querySelector('#load').scrollIntoView()"""
ACT = """new Promise((done) => {
    const timer = setInterval(() => {
        if (!document.querySelector('#live.htmx-request')) return;
        clearInterval(timer);
        document.querySelector('#act').click();
        done();
    }, 10);
})"""


def test_an_answer_nobody_asked_for_replaces_nothing_under_a_question(portal, browser):
    portal.open()
    browser.wait("#part", FRAME)
    browser.eval(LIVE, FRAME)
    browser.eval(ACT, FRAME)
    browser.wait("dialog[open]", FRAME)
    browser.eval("new Promise((done) => setTimeout(done, 600))")
    browser.click("dialog[open] [value=yes]", FRAME)
    browser.wait(".saved", FRAME)
    assert any(each["url"].endswith("/gallery/slow") for each in browser.requests())


INSTALLED = """document.querySelector('#page').insertAdjacentHTML('beforeend',
    '<a id="go" data-install-finish href="#go">Открыть</a>');
    document.querySelector('#go').addEventListener('click', () => { window.went = true });
    document.dispatchEvent(new Event('htmx:after:settle'))"""


def test_a_finished_installer_tells_the_portal_once(portal, browser):
    portal.open(INSTALL=True)
    browser.eval(INSTALLED, FRAME)
    assert portal.wait_for_call("setInstallFinish")["params"] is None
    browser.eval("document.dispatchEvent(new Event('htmx:after:settle'))", FRAME)
    browser.eval("new Promise((done) => setTimeout(done, 200))")
    assert len(portal.calls("setInstallFinish")) == 1
    assert browser.eval("window.went ?? false", FRAME) is False


def test_an_installer_opened_again_goes_on_by_itself(portal, browser):
    portal.open(INSTALL=False)
    browser.eval(INSTALLED, FRAME)
    browser.wait_for("window.went === true", FRAME)
    assert portal.calls("setInstallFinish") == []


def test_a_changed_client_makes_the_card_read_itself_anew(portal, browser):
    portal.open()
    browser.wait("#part", FRAME)
    browser.eval(
        "document.body.dispatchEvent(new CustomEvent('card-changed', {bubbles: true}))", FRAME
    )
    call = portal.wait_for_call("reloadData")
    assert (call["params"], call["sid"]) == (None, "sid0123456789")


def test_a_page_outside_any_frame_is_whole_and_silent(portal, browser):
    portal.open()
    address = browser.attribute("form", "action")
    browser.goto(address)
    browser.wait("#part")
    assert browser.eval("Frame.inside") is False
    assert browser.errors() == []
