"""The first steps after the installation: they follow from facts, can be put off, and end in the usual page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import sqlalchemy as sa
from support.settings_page import plain
from support.world import read

from integration import granted, rights
from integration.bitrix.errors import Unreachable
from integration.models import Portal, SyncCursor, SyncRun
from integration.rights import Right
from integration.sync import runs
from segments import pipeline
from segments.models import SaleRule
from segments.writing import writeback

STEPS = {
    "rights": "Что Рубильнику можно на вашем портале",
    "plan": "Что загружаем",
    "reading": "Данные с портала",
    "rule": "Что считать продажей",
    "writing": "Показатели в карточках",
    "base": "Спящие деньги",
}


class Guide:
    """The administrator who has just installed the application."""

    def __init__(self, world, user=1):
        self.world, self.token = world, world.open(user).headers["X-Session"]
        self.page = ""

    def get(self, path="/home"):
        return self._ask("GET", path)

    def post(self, path, **form):
        return self._ask("POST", path, data=form)

    def _ask(self, method, path, **how):
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        answer = self.world.browser.open(path, method=method, headers=headers, **how)
        self.page = answer.get_data(as_text=True)
        return answer.status_code

    @property
    def text(self):
        return plain(self.page).replace("\xa0", " ")

    @property
    def step(self):
        """Where the page stands."""
        if 'id="start-steps"' not in self.page:
            return None
        now = re.search(r'aria-current="step".*?step-words"><span>([^<]+)', self.page, re.DOTALL)[1]
        return {"Права": "rights", "Данные": "plan", "Загрузка": "reading", "Продажи": "rule",
                "Запись": "writing", "Ваша база": "base"}[now]  # fmt: skip

    def rule(self, *pipelines, client_mode="each"):
        """The form of the step about sales."""
        self.get("/start?step=rule")
        hidden = {name: re.search(rf'name="{name}" value="(\d+)"', self.page)[1] for name in ("version", "offered")}  # fmt: skip
        return {
            **hidden,
            "pipelines": [str(each) for each in pipelines],
            "client_mode": client_mode,
        }


@pytest.fixture
def ready(world):
    """The first reading has ended before anybody looked."""
    world.reach(read).lead(on=True)
    return world


@pytest.fixture
def led(world):
    """Installed a moment ago: nothing is read yet."""
    world.lead(on=True)
    return world


def test_the_way_from_the_installation_to_the_base_at_a_glance(led):
    guide = Guide(led)
    guide.get()
    assert guide.step == "rights"
    guide.get("/start/rights")
    assert guide.text.count("Есть") >= 5
    assert "Видит всю CRM" in guide.text
    assert guide.post("/start/done", step="rights") == 200
    assert guide.step == "plan"
    assert "Пока вы не включите рубильник, ничего не пишется" in guide.text
    guide.post("/start/done", step="plan")
    assert guide.step == "reading"

    led.work()  # the first reading
    guide.get()
    assert guide.step == "rule", "the reading has ended by itself"
    assert guide.post("/start/rule/preview", **guide.rule(1)) == 200
    assert "→" in guide.text, "first purchases count no more"
    asked = guide.rule(0, 1)
    with led.runtime.sessions() as session:
        assert session.get(SaleRule, led.portal_id) is None, "looking has saved nothing"
    assert guide.post("/start/rule", **asked) == 200
    assert guide.step == "writing"
    with led.runtime.sessions() as session:
        assert session.get_one(SaleRule, led.portal_id).pipelines == [0, 1]

    led.work()
    guide.get("/start?step=writing")
    assert "/settings/preview" in guide.page
    assert not any(row.get("UF_CRM_RUBILNIK_LTV") for row in led.rows("contact"))
    assert guide.post("/start/writing") == 200
    assert guide.step == "base"
    led.work()
    assert any(row.get("UF_CRM_RUBILNIK_LTV") for row in led.rows("contact"))

    pipeline.score(led.runtime, led.portal_id)
    guide.get("/start/base")
    assert "every 3s" not in guide.page, "everything is counted"
    for words in ("Клиенты", "Покупатели", "LTV", "Средний чек", "Спящие деньги"):
        assert words in guide.text
    assert guide.text.count("Создать сегмент") == 3
    guide.post("/start/close")
    assert guide.step is None
    guide.get()
    assert "Ваша клиентская база" in guide.text


def test_it_can_be_skipped_and_opened_again_from_the_settings(led):
    guide = Guide(led)
    guide.get()
    assert guide.post("/start/close") == 200
    assert "Ваша клиентская база" in guide.text
    guide.get("/settings")
    assert 'hx-get="/start"' in guide.page
    for step, words in STEPS.items():
        assert guide.get(f"/start?step={step}") == 200
        assert guide.step == step
        assert words in guide.text or step == "base"
    assert guide.get("/start?step=nonsense") == 404


def test_steps_follow_from_what_was_done_elsewhere(ready):
    ready.set_rule(pipelines=(0,))
    ready.switch_writing()
    guide = Guide(ready)
    guide.get()
    done = re.findall(r'<li class="done"', guide.page)
    assert (guide.step, len(done)) == ("rights", 3)
    guide.post("/start/done", step="rights")
    guide.post("/start/done", step="plan")
    assert guide.step == "base"


def test_writing_can_wait(ready):
    guide = Guide(ready)
    for step in ("rights", "plan", "rule", "writing"):
        assert guide.post("/start/done", step=step) == 200
    assert guide.step == "base"
    with ready.runtime.sessions() as session:
        assert not writeback.settings_of(session, ready.portal_id).enabled
    for step in ("reading", "base", "nonsense"):
        assert guide.post("/start/done", step=step) == 400, "facts are not to be claimed"


def test_a_lacking_right_is_named_with_what_to_do(led, monkeypatch):
    guide = Guide(led)
    few = granted.Granted(frozenset({"crm", "user"}), "Анна Ветрова", True, 2.0)
    monkeypatch.setattr("integration.granted.ask", lambda *_: few)
    guide.get("/start/rights")
    assert "Без этих прав Рубильник не сможет работать" in guide.text
    assert "отметьте: Встраивание приложений (placement)." in guide.text
    assert "2 запроса в секунду" in guide.text
    monkeypatch.setattr("integration.granted.ask", lambda *_: replace(few, is_admin=False))
    guide.get("/start/rights")
    assert "Не администратор" in guide.text


def test_a_silent_portal_leaves_the_page_usable(led, monkeypatch):
    guide = Guide(led)

    def ask(*_):
        raise Unreachable("no answer")

    monkeypatch.setattr("integration.granted.ask", ask)
    assert guide.get("/start/rights") == 200
    assert "Портал не ответил на вопрос" in guide.text
    assert guide.post("/start/done", step="rights") == 200


def test_the_reading_tells_how_far_it_is_and_when_it_ends(led):
    guide = Guide(led)
    with led.runtime.sessions.begin() as session:
        portal_id = led.portal_id
        session.execute(sa.delete(SyncRun).where(SyncRun.portal_id == portal_id))
        session.execute(sa.delete(SyncCursor).where(SyncCursor.portal_id == portal_id))
        run = runs.start(session, portal_id, full=True)
        run.status, run.started_at = "running", sa.func.now() - sa.text("interval '60 seconds'")
        session.flush()
        facts = {"portal_id": portal_id, "run_id": run.id}
        session.add(SyncCursor(**facts, entity="contact", rows=250, expected=1000))
    guide.get("/start/reading")
    assert "25 %" in guide.text
    assert "Осталось около 3 минут" in guide.text or "Осталось около 4 минут" in guide.text
    assert "every 2s" in guide.page
    assert 'hx-swap-oob="true"' in guide.page, "the steps above follow"


def test_a_preview_before_anything_is_counted_uses_the_deals_read_so_far(ready):
    with ready.runtime.sessions.begin() as session:
        session.get_one(Portal, ready.portal_id).last_sync_at = None  # it still reads
    guide = Guide(ready)
    guide.post("/start/rule/preview", **guide.rule(0, 1))
    assert "По сделкам, загруженным на эту минуту" in guide.text
    assert "₽" in guide.text


def test_wrong_choices_are_refused_in_words(ready):
    guide = Guide(ready)
    assert guide.post("/start/rule", **guide.rule()) == 422
    assert "Выберите хотя бы одну воронку" in guide.text
    late = guide.rule(0, 1) | {"version": "9"}
    assert guide.post("/start/rule", **late) == 422
    assert guide.post("/start/rule", **(guide.rule(0) | {"client_mode": "nobody"})) == 400


def test_only_administrators_are_led(ready):
    with ready.runtime.sessions.begin() as session:
        made_from = rights.rights_of(session, ready.portal_id)[0]
        rights.give(session, ready.portal_id, 3, Right.START, by=1, made_from=made_from)
    marketer = Guide(ready, user=3)
    marketer.get()
    assert marketer.step is None
    assert marketer.get("/start") == 403
