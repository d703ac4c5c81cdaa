"""The portal's side of the frame protocol, proved by the real b24jssdk in a real browser."""

from __future__ import annotations

import json

import pytest
import requests
from support import frame_app

TAB = "CRM_CONTACT_DETAIL_TAB"
IN_PAGE = ".app-page iframe"
IN_TAB = ".card-app iframe"
IN_SLIDER = ".app-slider iframe"


@pytest.fixture
def app():
    with frame_app.running() as running:
        yield running


@pytest.fixture
def installed(portal, app):
    """The application registered without a wizard, its tab bound to contacts."""
    form = {"title": "Проба", "handler_url": f"{app.url}/main", "scopes": ["crm", "placement"]}
    client_id = portal.register(**form)["client_id"]
    token = portal.open(client_id, user_id=1)["body"]["AUTH_ID"]
    rest(
        portal,
        "placement.bind",
        auth=token,
        PLACEMENT=TAB,
        HANDLER=f"{app.url}/tab",
        TITLE="Вкладка",
    )
    return client_id


def rest(portal, method, **params):
    return requests.post(f"{portal.url}/rest/{method}", json=params, timeout=20).json()


def contact_of(portal):
    return portal.control("rows/contact?limit=1")[0]["ID"]


def manager_of(portal):
    users = portal.control("rows/user?limit=50")
    return next(one["ID"] for one in users if one.get("ADMIN") != "Y")


def open_page(browser, portal, client_id, user_id=1):
    browser.goto(f"{portal.url}/marketplace/app/{client_id}/?user={user_id}")


def open_tab(browser, portal, user_id=1):
    contact_id = contact_of(portal)
    browser.goto(f"{portal.url}/crm/contact/details/{contact_id}/?user={user_id}")
    browser.click('[role=tab]:has-text("Вкладка")')
    browser.wait('#state:has-text("готово")', frame=IN_TAB)
    return contact_id


def test_sdk_starts_in_a_card_tab(browser, portal, app, installed):
    contact_id = open_tab(browser, portal)
    seen = browser.eval(
        """({name: window.name, lang: frame.getLang(), sid: frame.getAppSid(),
             origin: frame.getTargetOrigin(), admin: frame.auth.isAdmin,
             auth: frame.auth.getAuthData(), place: frame.placement.placement,
             options: frame.placement.options, install: frame.isInstallMode})""",
        frame=IN_TAB,
    )
    opening = app.openings[-1]
    assert opening.path == "/tab"
    assert seen["name"] == f"{portal.domain}|0|{opening.query['APP_SID']}"
    assert seen["sid"] == opening.query["APP_SID"]
    assert (seen["lang"], seen["origin"]) == ("ru", portal.url)
    assert seen["admin"] is True
    assert seen["install"] is False
    assert seen["place"] == opening.body["PLACEMENT"] == TAB
    assert seen["options"] == json.loads(opening.body["PLACEMENT_OPTIONS"])
    assert seen["options"]["ID"] == str(contact_id)
    assert seen["options"]["URI"] == f"/crm/contact/details/{contact_id}/"
    assert seen["auth"]["access_token"] == opening.body["AUTH_ID"]
    assert rest(portal, "user.admin", auth=seen["auth"]["access_token"])["result"] is True
    assert browser.errors() == []


def test_tab_frame_is_as_high_as_the_app_asks(browser, portal, installed):
    open_tab(browser, portal)
    browser.eval("frame.parent.resizeWindow(700, 1234)", frame=IN_TAB)
    box = browser.box(IN_TAB)
    assert (box["width"], box["height"]) == (700, 1234)
    browser.eval(
        "frame.parent.message.send('resizeWindow', {width: '100%', height: 210, isSafely: true})",
        frame=IN_TAB,
    )
    box = browser.box(IN_TAB)
    assert box["height"] == 210
    assert box["width"] == browser.box(".card-app")["width"]


def test_tab_may_not_rename_the_page(browser, portal, installed):
    open_tab(browser, portal)
    title = browser.title
    answer = browser.eval("frame.parent.setTitle('Чужое')", frame=IN_TAB)
    assert answer == {"isSafely": True}
    assert browser.title == title


def test_refresh_auth_gives_a_working_token(browser, portal, installed):
    open_tab(browser, portal)
    before, after = browser.eval(
        """(async () => [frame.auth.getAuthData().access_token,
                         (await frame.auth.refreshAuth()).access_token])()""",
        frame=IN_TAB,
    )
    assert before != after
    assert rest(portal, "user.admin", auth=after)["result"] is True


def test_manager_gets_own_token(browser, portal, installed):
    open_tab(browser, portal, user_id=manager_of(portal))
    is_admin, token = browser.eval(
        "[frame.auth.isAdmin, frame.auth.getAuthData().access_token]", frame=IN_TAB
    )
    assert is_admin is False
    assert rest(portal, "user.admin", auth=token)["result"] is False


def test_open_path_shows_a_card_and_resolves_on_close(browser, portal, installed):
    contact_id = open_tab(browser, portal)
    browser.eval(
        f"""void frame.slider.openPath(frame.slider.getUrl('/crm/contact/details/{contact_id}/'))
              .then(answer => {{ window.closed_with = answer }})""",
        frame=IN_TAB,
    )
    browser.wait(".slider-shade:nth-of-type(n+2) .card-title, .slider-shade + .slider-shade h1")
    assert browser.count(".slider-panel") == 2
    assert browser.eval("window.closed_with ?? null", frame=IN_TAB) is None
    browser.press("Escape")
    browser.wait_for("window.closed_with", frame=IN_TAB)
    assert browser.eval("closed_with", frame=IN_TAB) == {
        "isOpenAtNewWindow": False,
        "isClose": True,
    }
    browser.wait_for("document.querySelectorAll('.slider-panel').length === 1")
    assert browser.url.endswith(f"/crm/contact/details/{contact_id}/")


def test_open_path_refuses_other_addresses(browser, portal, installed):
    open_tab(browser, portal)
    refused = browser.eval(
        """frame.parent.message.send('openPath', {path: '/bitrix/admin/'})""", frame=IN_TAB
    )
    assert refused == {"result": "error", "errorCode": "PATH_NOT_AVAILABLE"}


def test_open_application_passes_parameters_and_closes_from_inside(browser, portal, app, installed):
    open_tab(browser, portal)
    browser.eval(
        """void frame.slider.openSliderAppPage({place: 'segment', id: 5, bx24_width: 640})
              .then(() => { window.was_closed = true })""",
        frame=IN_TAB,
    )
    browser.wait('#state:has-text("готово")', frame=IN_SLIDER)
    place, options, is_slider = browser.eval(
        "[frame.placement.placement, frame.placement.options, frame.placement.isSliderMode]",
        frame=IN_SLIDER,
    )
    assert app.openings[-1].path == "/main"
    assert (place, options["place"], options["id"], is_slider) == ("DEFAULT", "segment", "5", True)
    assert round(browser.box(".slider-panel:has(.app-slider)")["width"]) == 640
    assert browser.eval("frame.parent.resizeWindow(100, 100)", frame=IN_SLIDER) == {
        "isSafely": True
    }
    browser.eval("void frame.slider.closeSliderAppPage()", frame=IN_SLIDER)
    browser.wait_for("window.was_closed === true", frame=IN_TAB)
    browser.wait(IN_SLIDER, state="detached")


def test_interface_and_reload_of_the_card(browser, portal, installed):
    contact_id = open_tab(browser, portal)
    commands = browser.eval("frame.placement.getInterface()", frame=IN_TAB)
    assert commands == {"command": ["reloadData"], "event": []}
    fields = {"LAST_NAME": "Перезагруженный"}
    change = {"table": "contact", "action": "update", "id": contact_id, "fields": fields}
    portal.control("mutate", change)
    browser.eval("frame.placement.call('reloadData')", frame=IN_TAB)
    browser.wait('.card-title:has-text("Перезагруженный")')
    assert browser.visible(IN_TAB)
    assert browser.eval("frame.placement.call('neverHeardOf')", frame=IN_TAB) == {"isSafely": True}


def test_commands_in_object_form_and_unknown_ones_do_no_harm(browser, portal, installed):
    open_tab(browser, portal)
    answer = browser.eval(
        "frame.parent.message.send('im:unknown', {a: 1, isSafely: true, safelyTime: 100})",
        frame=IN_TAB,
    )
    assert answer == {"isSafely": True}
    assert browser.errors() == []


def test_options_survive_reopening(browser, portal, installed):
    open_tab(browser, portal)
    browser.eval(
        "(async () => { await frame.options.appSet('rate', '7'); await frame.options.userSet('tab', 'b') })()",
        frame=IN_TAB,
    )
    open_tab(browser, portal)
    kept = browser.eval(
        "[frame.options.appGet('rate'), frame.options.userGet('tab')]", frame=IN_TAB
    )
    assert kept == ["7", "b"]


def test_dialogs_choose_people_and_items(browser, portal, installed):
    open_tab(browser, portal)
    browser.eval(
        "void frame.dialog.selectUser().then(one => { window.person = one })", frame=IN_TAB
    )
    browser.click(".dialog-row")
    browser.wait_for("window.person", frame=IN_TAB)
    assert set(browser.eval("person", frame=IN_TAB)) == {"id", "name"}
    browser.eval(
        """void frame.dialog.selectCRM({entityType: ['contact'], multiple: true, value: {}})
              .then(chosen => { window.chosen = chosen })""",
        frame=IN_TAB,
    )
    browser.click(".dialog-row >> nth=0")
    browser.click(".dialog-row >> nth=1")
    browser.click(".dialog >> text=Выбрать")
    browser.wait_for("window.chosen", frame=IN_TAB)
    contacts = browser.eval("chosen.contact", frame=IN_TAB)
    assert len(contacts) == 2
    assert all(one["id"].startswith("C_") for one in contacts)


def test_wizard_runs_until_finished(browser, portal, app):
    form = {
        "title": "Мастер",
        "handler_url": f"{app.url}/main",
        "install_url": f"{app.url}/install",
    }
    client_id = portal.register(**form, scopes=["crm", "placement"])["client_id"]
    token = portal.open(client_id, user_id=1)["body"]["AUTH_ID"]
    rest(
        portal, "placement.bind", auth=token, PLACEMENT=TAB, HANDLER=f"{app.url}/tab", TITLE="Рано"
    )

    open_page(browser, portal, client_id, manager_of(portal))
    browser.wait('.notice:has-text("установлено не полностью")')
    assert app.openings == []

    browser.goto(f"{portal.url}/crm/contact/details/{contact_of(portal)}/?user=1")
    browser.wait("[role=tab]")
    assert browser.count('[role=tab]:has-text("Рано")') == 0

    open_page(browser, portal, client_id)
    browser.wait('#state:has-text("готово")', frame=IN_PAGE)
    assert app.openings[-1].path == "/install"
    assert browser.eval("frame.isInstallMode", frame=IN_PAGE) is True
    browser.eval("void frame.installFinish()", frame=IN_PAGE)
    browser.wait_for("window.frame && !frame.isInstallMode", frame=IN_PAGE)
    assert app.openings[-1].path == "/main"
    with pytest.raises(AssertionError, match="previously installed"):
        browser.eval("frame.installFinish()", frame=IN_PAGE)

    browser.goto(f"{portal.url}/crm/contact/details/{contact_of(portal)}/")
    browser.wait('[role=tab]:has-text("Рано")')


def test_main_page_fits_the_app_and_takes_its_title(browser, portal, installed):
    open_page(browser, portal, installed)
    browser.wait('#state:has-text("готово")', frame=IN_PAGE)
    browser.eval("frame.parent.setTitle('Сегменты')", frame=IN_PAGE)
    assert browser.title == "Сегменты"
    browser.eval("frame.parent.resizeWindow(900, 1500)", frame=IN_PAGE)
    assert browser.box(IN_PAGE)["height"] == 1500


def test_left_menu_widget_is_a_page_of_its_own(browser, portal, app, installed):
    token = portal.open(installed, user_id=1)["body"]["AUTH_ID"]
    bound = {"PLACEMENT": "LEFT_MENU", "HANDLER": f"{app.url}/left", "TITLE": "Отчёты"}
    rest(portal, "placement.bind", auth=token, **bound)
    browser.goto(f"{portal.url}/")
    browser.click(".side-item >> text=Отчёты")
    browser.wait('#state:has-text("готово")', frame=IN_PAGE)
    assert app.openings[-1].path == "/left"
    assert app.openings[-1].body["PLACEMENT"] == "LEFT_MENU"
    browser.click(".side-item >> text=Проба")
    browser.wait_for("window.frame?.placement.isDefault", frame=IN_PAGE)
    assert app.openings[-1].path == "/main"


def test_link_into_the_app_hands_over_its_parameters(browser, portal, app, installed):
    token = portal.open(installed, user_id=1)["body"]["AUTH_ID"]
    bound = {"PLACEMENT": "REST_APP_URI", "HANDLER": f"{app.url}/link", "TITLE": "Ссылка"}
    rest(portal, "placement.bind", auth=token, **bound)
    browser.goto(f"{portal.url}/marketplace/view/{installed}/?params[docId]=42&other=1")
    browser.wait('#state:has-text("готово")', frame=IN_PAGE)
    options = json.loads(app.openings[-1].body["PLACEMENT_OPTIONS"])
    assert app.openings[-1].path == "/link"
    assert options["docId"] == "42"
    assert "other" not in options


def test_sdk_refuses_to_start_outside_the_portal(browser, app):
    browser.goto(app.url)
    browser.wait('#state:has-text("отказ")')


def test_foreign_frames_are_not_answered(browser, portal, installed):
    """A message with a wrong session id, though from the right window, changes nothing."""
    open_tab(browser, portal)
    height = browser.box(IN_TAB)["height"]
    browser.eval(
        """(async () => {
          parent.postMessage('resizeWindow:{"width":"100%","height":999}:cb:forged', '*')
          await frame.placement.getInterface()
        })()""",
        frame=IN_TAB,
    )
    assert browser.box(IN_TAB)["height"] == height
