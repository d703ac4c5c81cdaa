"""The first page of a marketer and an administrator: what has changed, what has grown, what to do next."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from support.mail_results import mailed
from support.settings_page import plain

from core.clock import utcnow
from integration import rights
from integration.models import QuarantinedRow
from integration.rights import Right
from mailings.models import Mailing
from segments import pipeline
from segments.members import saving
from segments.models import BaseDay, ClientKind
from segments.saved import Segment, SegmentSize
from segments.scoring.scored import GroupOutlook
from segments.worth import activity, months
from segments.worth.sales import rule_of

EVERYBODY = {"version": 1, "clients": {}}


class Reader:
    """Somebody with the application open."""

    def __init__(self, world, user=1):
        self.world, self.token = world, world.open(user).headers["X-Session"]

    def get(self, path):
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        answer = self.world.browser.get(path, headers=headers)
        assert answer.status_code == 200, path
        return answer.get_data(as_text=True)

    def text(self, path="/home"):
        return plain(self.get(path)).replace("\xa0", " ")


def scored(world):
    """Read, counted and scored."""
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.count()
    pipeline.score(world.runtime, world.portal_id)


@pytest.fixture
def read(world):
    """That moment."""
    return world.reach(scored)


def of(world, session, table):
    return session.scalars(sa.select(table).where(table.portal_id == world.portal_id)).all()


def today_of(session, world):
    return activity.today(rule_of(session, world.portal_id))


def a_month_ago(world, **changed):
    """Totals of a month ago, like today's but for what is changed."""
    with world.runtime.sessions.begin() as session:
        for row in of(world, session, BaseDay):
            names = [column.name for column in BaseDay.__table__.columns]
            facts = {name: getattr(row, name) for name in names} | changed
            session.add(BaseDay(**facts | {"day": row.day - timedelta(days=31)}))


def tile(page, label):
    """What a tile says."""
    found = re.search(rf"{label}</div>(.*?)</div>\s*</div>", page, re.DOTALL)
    return plain(found[1]).replace("\xa0", " ")


def test_tiles_tell_the_change_only_where_there_is_a_day_to_compare_with(read):
    reader = Reader(read)
    page = reader.get("/home/figures")
    assert "↗" not in page
    assert "↘" not in page
    assert "Изменение показано" not in page
    with read.runtime.sessions() as session:
        now = next(row for row in of(read, session, BaseDay) if row.kind == "contact")
    a_month_ago(read, clients=now.clients * 2, revenue=now.revenue / 2)
    page = reader.get("/home/figures")
    assert "↘ −50 %" in tile(page, "Контакты")
    assert "↗ +100 %" in tile(page, "Выручка от контактов")
    assert "Изменение показано с" in plain(page)
    assert "↗" not in tile(page, "Активные контакты"), (
        "a part of a month says nothing of a whole one"
    )

    read.set_rule(pipelines=(0,))
    read.count()
    pipeline.score(read.runtime, read.portal_id)
    page = reader.get("/home/figures")
    assert "↗" not in page, "another rule counts other money"


def test_sleeping_money_is_the_ltv_of_those_who_fell_silent(read):
    with read.runtime.sessions() as session:
        row = next(each for each in of(read, session, BaseDay) if each.kind == "contact")
    shown = tile(Reader(read).get("/home/figures"), "Спящие деньги")
    assert str(row.silent) in shown
    assert f"больше {row.silent_days} дн" in shown


def test_the_report_of_months_shows_what_was_counted_with_the_scores(read):
    reader = Reader(read)
    page = reader.get("/home/months")
    with read.runtime.sessions() as session:
        today = today_of(session, read)
        found = months.newest(session, read.portal_id, ClientKind.CONTACT, today)
    told = [Decimal(each) for each in re.findall(r'data-value="([\d.]+)"', page)]
    assert told == [x for each in found for x in (each.first_turnover, each.repeat_turnover)]
    assert sum(told) > 0
    said = re.search(r"повторные покупки принесли ([\d,]+) %", reader.text("/home/months"))
    assert Decimal(said[1].replace(",", ".")) == round(months.repeat_share(found) * 100, 1)


def test_segments_that_grew_most_in_a_week_come_first(read):
    with read.runtime.sessions.begin() as session:
        today, portal_id = today_of(session, read), read.portal_id
        made = [saving.create(session, portal_id, name, EVERYBODY) for name in "АБВГД"]
        sizes = {"А": (10, 12), "Б": (10, 30), "В": (9, 9), "Г": (50, 40), "Д": (None, 70)}
        for segment in made:
            segment.changed_at = utcnow() - timedelta(days=20)
            before, now = sizes[segment.name]
            for days, size in ((9, before), (0, now)):
                if size is not None:
                    day = today - timedelta(days=days)
                    key = {"portal_id": portal_id, "segment_id": segment.id, "day": day}
                    session.add(SegmentSize(**key, contacts=size))
    text = Reader(read).text()
    assert re.search(r"Б сейчас 30 карточек \+20.*А сейчас 12 карточек \+2", text)
    assert "Д сейчас" not in text, "nobody knows how large it was"
    with read.runtime.sessions.begin() as session:
        segment = session.scalars(sa.select(Segment).where(Segment.name == "Б")).one()
        segment.changed_at = utcnow()
    assert "Б сейчас" not in Reader(read).text(), "its conditions were changed meanwhile"


def test_what_stands_still_goes_before_what_is_begun_and_what_would_be_new(read):
    with read.runtime.sessions.begin() as session:
        portal_id = read.portal_id
        session.execute(sa.delete(GroupOutlook).where(GroupOutlook.portal_id == portal_id))
        for key, ltv in (("fading", 900), ("at_risk", 500), ("best", 100), ("growing", 10)):
            session.add(
                GroupOutlook(
                    portal_id=portal_id, kind="contact", group_key=key, clients=4, judged=4,
                    ltv=Decimal(ltv), likely=1.0, expected=Decimal(1000 - ltv),
                )
            )  # fmt: skip
        saving.create(session, portal_id, "Сломанный", EVERYBODY).problem = "gone"
        mailed(session, portal_id)
        stopped = of(read, session, Mailing)[0]
        stopped.name, stopped.state = "Осенняя", "paused"
        stopped.state_reason, stopped.state_at = "no_server", utcnow()
        session.add(Mailing(portal_id=portal_id, name="Начатая", channel="email", content={}))
    page = Reader(read).get("/home")
    todo = plain(page[page.index("Что делать дальше") : page.index("Выросшие сегменты")])
    todo = todo.replace("\xa0", " ")
    order = ["Осенняя", "Сломанный", "Начатая", "990 ₽ за 30 дней", "900 ₽ за 30 дней"]
    places = [todo.index(each) for each in order]
    assert places == sorted(places)
    assert "500 ₽ за 30 дней" not in todo, "five at most"
    assert "нет почтового сервера" in todo
    assert todo.count("Создать сегмент") == 2


def test_a_group_nothing_is_known_of_is_shown_by_what_it_has_brought(read):
    with read.runtime.sessions.begin() as session:
        session.execute(
            sa.update(GroupOutlook)
            .where(GroupOutlook.portal_id == read.portal_id)
            .values(judged=0, expected=0)
        )
    text = Reader(read).text()
    assert "за 30 дней" not in re.sub(r"Обычно покупают за 30 дней", "", text)
    assert "Прогноза для этой группы нет" in text


def test_health_is_one_line_for_the_administrator_and_nobody_else(read):
    with read.runtime.sessions.begin() as session:
        chosen = rights.rights_of(session, read.portal_id)[0]
        rights.give(session, read.portal_id, 3, Right.WRITE, by=1, made_from=chosen)
        for number in range(2):
            key = {"portal_id": read.portal_id, "entity": "contact", "bitrix_id": str(number)}
            session.add(QuarantinedRow(**key, reason="x"))
    admin, marketer = Reader(read), Reader(read, user=3)
    assert "/health/line" in admin.get("/home")
    line = admin.text("/health/line")
    assert re.search(r"\d дел\w* требу\w+ вас", line)
    assert "/health" not in marketer.get("/home")
    assert "Что делать дальше" in marketer.text("/home")


def test_mailings_under_way_are_shown_with_how_far_they_are(read):
    reader = Reader(read)
    assert "Сейчас ничего не отправляется" in reader.text("/mailings/running")
    with read.runtime.sessions.begin() as session:
        mailed(session, read.portal_id)
        going = of(read, session, Mailing)[0]
        going.name, going.state, going.size = "Осенняя", "running", going.size or 1
        going.planned_at = utcnow()
    text = reader.text("/mailings/running")
    assert "Осенняя" in text
    assert re.search(r"\d+ из \d+", text)


def test_an_empty_base_says_what_to_do(world):
    text = Reader(world).text()
    assert "Показатели появятся" in text or "появятся здесь" in text
