"""Pages of mailings: the list, a draft and its saving, who gets it and why not, the switch, steering, rights."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_pages import MailPages

from core.clock import utcnow
from core.models import Lineage
from core.witness import Cause, Gap
from integration import rights
from mailings.models import Delivery
from mailings.sending import restored


def read(world):
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.count()


@pytest.fixture
def pages(world):
    return MailPages(world.reach(read))


def test_a_draft_is_made_saved_as_one_types_and_found_in_the_list(pages):
    assert "Рассылок пока нет" in pages.get("/mailings")
    assert "Кому написать?" in pages.get("/mailings/new")
    found = pages.get("/mailings/audiences", search="проигранн")
    assert "Клиенты с проигранными сделками" in found
    assert "Все клиенты" not in found
    assert re.search(r"\d+ карточ", pages.get("/mailings/audiences/lost_deals/count"))

    key = re.search(r'name="key" value="([^"]+)"', pages.get("/mailings/new") and pages.page)[1]
    number = pages.drafted("lost_deals", key=key)
    assert pages.drafted("lost_deals", key=key) == number, "two presses make one mailing"
    assert pages.number() == 1
    assert "Клиенты с проигранными сделками" in pages.get(f"/mailings/{number}")

    said = pages.change(
        number, mode="repeating", every="week", weekday="1", at="09:30", until="2099-03-01",
        hours_from="09:00", hours_to="18:00", working_days="1", rate_per_minute="60",
        control_percent="10", cost_per_message="1,5",
    )  # fmt: skip
    assert pages.status == 200
    assert pages.answer.headers["HX-Trigger"] == "draft-saved"
    assert "каждую неделю по вторникам в 09:30" in said
    assert "с 09:00 до 18:00" in said
    mailing = pages.row(number)
    assert mailing.name == "Осенняя скидка"
    assert mailing.mode == "repeating"
    assert mailing.plan["day"] == 1
    assert mailing.plan["cost_per_message"] == "1.5"
    assert mailing.plan["until"] == "2099-03-01T23:59:00+03:00"
    assert "Осенняя скидка" in pages.get("/mailings", state="draft")
    assert "Осенняя скидка" not in pages.get("/mailings", state="running")

    assert "Черновик удалён" in pages.post(f"/mailings/{number}/delete")
    assert pages.number() == 0


def test_what_is_typed_wrong_is_said_beside_it_and_not_saved(pages):
    number = pages.drafted()
    before = pages.row(number)
    for field, typed, words in [
        ("rate_per_minute", "много", "Введите целое число"),
        ("control_percent", "95", "не больше 90"),
        ("hours_from", "09:00", "Введите оба времени"),
        ("not_after", "завтра", "Введите день и время"),
        ("mode", "at", "Введите день и время"),
        ("cost_of_content", "-1", "Введите сумму"),
        ("name", " ", "Назовите рассылку"),
    ]:
        said = pages.change(number, **{field: typed})
        assert pages.status == 422, field
        assert words in said, field
        assert "Не сохранено" in said
    assert pages.row(number).plan == before.plan
    assert pages.row(number).version == before.version


def test_who_saves_second_is_told_and_shown_what_the_first_one_saved(pages):
    number = pages.drafted()
    version = pages.row(number).version
    pages.change(number, version, name="Моя")
    other = MailPages(pages.world)
    said = other.change(number, version, name="Чужая")
    assert other.status == 409
    assert "рассылку тем временем изменил кто-то другой" in said
    assert 'value="Моя"' in other.page
    assert other.row(number).name == "Моя"
    other.change(number, name="Чужая", audience="lost_deals")
    assert other.status == 200
    assert other.row(number).preset == "lost_deals"
    assert "Клиенты с проигранными сделками" in other.page


def test_the_steps_name_who_is_lost_and_why_and_what_is_missing_before_the_start(pages):
    number = pages.drafted()
    side = pages.get(f"/mailings/{number}/side")
    assert "не давали согласия" in side
    assert "Никто из сегмента не давал согласия" in side
    assert "Письмо ещё не написано" in side
    assert re.search(r'id="throw" disabled', pages.page)
    people = pages.get(f"/mailings/{number}/lost", why="no_address")
    assert "Без адреса" in people
    assert "/crm/contact/details/" in pages.page
    pages.get(f"/mailings/{number}/lost", why="nothing")
    assert pages.status == 404

    pages.agree(share=2)
    pages.write_letter(number)
    pages.server()
    side = pages.get(f"/mailings/{number}/side")
    assert "Письмо ещё не написано" not in side
    steps = dict(re.findall(r"<span>([^<]+)</span><b class=\"num\">([\d\s]+)</b>", pages.page))
    numbers = [int("".join(each.split())) for each in steps.values()]
    assert next(iter(steps)) == "В сегменте"
    assert list(steps)[-1] == "Получат"
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] > 0


def ready(pages, **form):
    """A draft that can be started: people agree, the letter is written, the server is good."""
    number = pages.drafted(**form)
    pages.agree(share=2)
    pages.write_letter(number)
    pages.server()
    pages.change(number)
    return number


def test_the_switch_says_how_many_get_what_by_what_and_starts_one_mailing(pages):
    number = ready(pages)
    pages.change(number, rate_per_minute="2")
    asked = pages.get(f"/mailings/{number}/launch")
    people = int(re.search(r"(\d+) \w+ получ", asked)[1])
    assert "письмо «Скидка 10 % до пятницы»" in asked
    assert "через Отдел продаж, от sales@example.com" in asked
    assert "минут" in asked
    assert "ничего не получ" in asked
    version = pages.row(number).version
    pages.change(number, name="Ещё правка")
    pages.post(f"/mailings/{number}/start", version=version)
    assert pages.status == 409, "what was read is not what would start"
    assert pages.row(number).state == "draft"

    version += 1
    started = pages.post(f"/mailings/{number}/start", version=version)
    assert pages.status == 200
    assert "Рубильник включён" in started
    again = pages.post(f"/mailings/{number}/start", version=version)
    assert "уже запущена" in again
    assert pages.number() == 1
    assert pages.row(number).state == "running"
    state = pages.get(f"/mailings/{number}/state")
    assert f"ещё {people}" in state
    assert "Пауза" in state
    shown = pages.get(f"/mailings/{number}/line")
    assert "идёт" in shown
    pages.change(number)
    assert pages.status == 409, "what was started is not changed any more"


def test_a_subject_is_read_as_people_will_see_it_and_counted_without_its_placeholders(pages):
    number = ready(pages)
    subject = '{% if client.name %}{{ client.name | default: "Добрый день" }}, {% endif %}скидка'
    pages.write_letter(number, subject=subject)
    for path in (f"/mailings/{number}", f"/mailings/{number}/launch"):
        said = pages.get(path)
        assert "‹имя›, скидка" in said
        assert "client.name |" not in said
    assert f"{len('Алексей, скидка')} / 60" in pages.get(f"/mailings/{number}/letter")
    pages.post(f"/mailings/{number}/start", version=pages.row(number).version)
    assert "‹имя›, скидка" in pages.get(f"/mailings/{number}")


def test_a_started_mailing_is_paused_resumed_and_cancelled(pages):
    number = ready(pages)
    pages.post(f"/mailings/{number}/start", version=pages.row(number).version)
    paused = pages.post(f"/mailings/{number}/pause")
    assert "на паузе" in paused
    assert "Дважды никто не получит" in pages.page
    resumed = pages.post(f"/mailings/{number}/resume")
    assert "идёт" in resumed
    cancelled = pages.post(f"/mailings/{number}/cancel")
    assert "отменена" in cancelled
    assert "Возобновить" not in cancelled
    pages.post(f"/mailings/{number}/resume")
    assert pages.status == 409
    assert "Этого уже нельзя сделать" in pages.page


def test_after_a_restore_the_administrator_chooses_how_it_goes_on(pages):
    number = ready(pages)
    pages.post(f"/mailings/{number}/start", version=pages.row(number).version)
    now = utcnow()
    with pages.world.runtime.sessions.begin() as session:
        session.merge(Lineage(id=1))
        session.flush()
        restored.hold(session, Gap(Cause.OLDER, now - timedelta(hours=9), now + timedelta(hours=1)))
    asked = pages.get(f"/mailings/{number}")
    assert "Рассылка ждёт решения администратора" in asked
    people = int(re.search(r"(\d+) получател\w+ мог", asked)[1])
    assert "Возобновить" not in asked
    pages.post(f"/mailings/{number}/resume")
    assert (pages.status, pages.row(number).state) == (409, "paused"), "not without the choice"
    assert "Открыть рассылки на паузе" in pages.get("/health")
    assert "ждёт решения администратора" in pages.get("/mailings", state="paused")
    with pages.world.runtime.sessions.begin() as session:
        now = rights.rights_of(session, pages.world.portal_id)[0]
        rights.give(session, pages.world.portal_id, 6, rights.Right.START, 1, now)
    marketer = MailPages(pages.world, user=6)
    assert "Не слать второй раз" not in marketer.get(f"/mailings/{number}")
    marketer.post(f"/mailings/{number}/resume?sent=send")
    assert marketer.status == 403, "an administrator's decision"
    skipped = pages.post(f"/mailings/{number}/resume?sent=skip")
    assert "ждёт решения администратора" not in skipped
    with pages.world.runtime.sessions() as session:
        doubtful = sa.select(sa.func.count()).where(Delivery.state == "unknown")
        assert session.scalar(doubtful.where(Delivery.mailing_id == number)) == people


def test_a_mailing_that_is_not_ready_does_not_start_and_says_why(pages):
    number = pages.drafted()
    asked = pages.get(f"/mailings/{number}/launch")
    assert "До запуска" in asked
    refused = pages.post(f"/mailings/{number}/start", version=pages.row(number).version)
    assert pages.status == 422
    assert "Не запущено: что-то не готово" in refused
    assert f"/mailings/{number}/letter" in pages.page
    assert pages.row(number).state == "draft"


def test_a_call_list_asks_for_a_script_and_counts_phones(pages):
    number = pages.drafted()
    pages.write_letter(number)
    pages.change(
        number,
        channel="call_list",
        script_title="Позвонить",
        script="Здравствуйте, {{ client.name }}!",
    )
    mailing = pages.row(number)
    assert mailing.content["source"] == "Здравствуйте, {{ client.name }}!"
    assert mailing.content["blocks"], "the letter written before stays"
    side = pages.get(f"/mailings/{number}/side")
    assert "Есть телефон" in side
    assert "Позвонить" in pages.get(f"/mailings/{number}")


def test_a_segment_and_an_offer_lead_to_a_new_mailing(pages):
    pages.post("/segments/presets/lost_deals/save")
    segment = int(re.search(r"/segments/(\d+)/export", pages.page)[1])
    assert "Написать им" in pages.get(f"/segments/{segment}")
    number = pages.drafted(str(segment))
    assert pages.row(number).segment_id == segment
    assert "Посмотреть" in pages.get(f"/mailings/{number}")
    pages.post("/mailings", audience="999999")
    assert pages.status == 404
    pages.post("/mailings", audience="all_clients", offer="999999")
    assert pages.status == 404


def test_forms_that_are_not_ours_are_refused(pages):
    number = pages.drafted()
    for form in (
        {"channel": "pigeon"},
        {"mode": "never"},
        {"server": "x"},
        {"mode": "repeating", "weekday": "?"},
    ):
        pages.change(number, **form)
        assert pages.status == 400, form
    pages.post(f"/mailings/{number}/start", version="1x")
    assert pages.status == 409
    pages.get("/mailings/999999")
    assert pages.status == 404


def test_managers_see_no_mailings(pages):
    manager = MailPages(pages.world, user=3)
    for path in (
        "/mailings",
        "/mailings/new",
        "/settings/mailings",
        "/settings/mailings/suppressed",
    ):
        manager.get(path)
        assert manager.status == 403, path


def test_a_mailing_is_copied_by_a_button_once_however_often_it_is_pressed(pages):
    number = pages.drafted()
    pages.change(number, name="Осенняя скидка")
    assert f'hx-post="/mailings/{number}/copy"' in pages.page or pages.get("/mailings")
    assert f'hx-post="/mailings/{number}/copy"' in pages.page
    said = pages.post(f"/mailings/{number}/copy", key="once")
    assert "Это копия" in said
    copied = int(re.search(r'hx-post="/mailings/(\d+)"', pages.page)[1])
    pages.post(f"/mailings/{number}/copy", key="once")
    assert pages.number() == 2
    was, now = pages.row(number), pages.row(copied)
    assert now.name == "Осенняя скидка (копия)"
    assert (now.preset, now.content, now.state) == (was.preset, was.content, "draft")
    pages.post(f"/mailings/{copied}/copy")
    assert pages.number() == 3
    pages.post("/mailings/999999/copy")
    assert pages.status == 404
