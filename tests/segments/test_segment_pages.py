"""Pages of saved segments: the list, one segment, why in and why not, overlap, versions, files, ready ones."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook
from support.settings_page import plain

from integration.mirror import Address, Contact
from segments.saved import How, Segment

LOST = {
    "related": "deals", "measure": "any",
    "where": {"all": [{"field": "state", "op": "any_of", "value": ["F"]}]},
}  # fmt: skip


def clients(*parts):
    return json.dumps(
        {"version": 1, "clients": {"kinds": ["contact"], "where": {"all": list(parts)}}}
    )


class Pages:
    """An administrator with the application open; the worker keeps up after each request."""

    def __init__(self, world):
        self.world, self.token = world, world.open(1).headers["X-Session"]
        self.page, self.status = "", 0

    def ask(self, method, path, **form):
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        how = {"data": form} if method == "POST" else {"query_string": form}
        answer = self.world.browser.open(path, method=method, headers=headers, **how)
        self.page, self.status = answer.get_data(as_text=True), answer.status_code
        self.world.work()
        return self.text

    def file(self, path):
        """The bytes of a file."""
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        return self.world.browser.get(path, headers=headers).get_data()

    def made(self, name, *parts):
        """A saved segment, counted; its id."""
        self.ask("POST", "/segments/builder/save", draft=clients(*parts), name=name)
        assert self.status == 200, self.text
        return self.newest()

    def newest(self):
        with self.world.runtime.sessions() as session:
            return session.scalar(sa.select(sa.func.max(Segment.id)))

    @property
    def text(self):
        return plain(self.page)


def read(world):
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.count()


@pytest.fixture
def pages(world):
    return Pages(world.reach(read))


def test_a_segment_is_listed_explained_compared_changed_put_back_and_put_away(pages):
    assert "Сегментов пока нет" in pages.ask("GET", "/segments")
    lost = pages.made("Проигранные", LOST)
    all_contacts = pages.made("Все контакты")
    listed = pages.ask("GET", "/segments")
    assert "Проигранные" in listed
    assert "обновляется сам" in listed
    assert "подсчитано" in listed
    assert "Все контакты" not in pages.ask("GET", "/segments", search="проигр")

    page = pages.ask("GET", f"/segments/{lost}")
    assert "есть сделка" in page
    assert "проиграна" in page
    assert re.search(r"E-mail \d+ Телефон \d+ Мессенджер \d+ Компания 0 Контакт \d+ Лид 0", page)
    sample = pages.ask("GET", f"/segments/{lost}/sample")
    assert sample.count("Почему здесь") > 3
    with pages.world.runtime.sessions() as session:
        outside = session.scalars(
            sa.select(Contact.bitrix_id).where(Contact.last_name.is_not(None)).limit(60)
        ).all()
    verdicts = [
        pages.ask("GET", f"/segments/{lost}/people", search=f"{number}") for number in outside[:12]
    ]
    assert any("Почему нет" in each for each in verdicts)
    assert any("Почему здесь" in each for each in verdicts)
    shared = pages.ask("GET", f"/segments/{lost}/overlap", other=all_contacts)
    both, first, second = (int(each) for each in re.findall(r"\d+", shared))
    assert both > 0
    assert first == 0, "everyone lost is a contact"
    assert second > 0

    assert "по условиям сегмента" in pages.ask("GET", f"/segments/{lost}/moves")

    with pages.world.runtime.sessions() as session:
        version = session.get(Segment, (pages.world.portal_id, lost)).version
    pages.ask(
        "POST",
        "/segments/builder/save",
        draft=clients(),
        name="Иначе",
        segment=lost,
        version=version,
    )
    assert "Версия 2" in pages.text
    pages.ask(
        "POST",
        "/segments/builder/save",
        draft=clients(LOST),
        name="Ещё",
        segment=lost,
        version=version,
    )
    assert pages.status == 422
    assert "тем временем" in pages.text
    pages.ask("POST", f"/segments/{lost}/restore", number=1, version=2)
    assert "Версия 3" in pages.text
    assert "есть сделка" in pages.text

    on_it = pages.made("На нём", {"field": "segment", "op": "in", "value": lost})
    assert "На нём" in pages.ask("GET", f"/segments/{lost}")
    pages.ask("POST", f"/segments/{lost}/archive")
    assert pages.status == 422
    assert "На нём" in pages.text
    pages.ask("POST", f"/segments/{on_it}/archive")
    pages.ask("POST", f"/segments/{lost}/archive")
    assert "Проигранные" not in pages.text.replace("Проигранные №", "")
    pages.ask("GET", f"/segments/{lost}")
    assert pages.status == 404


def test_members_leave_as_a_file_and_stay_as_a_frozen_list(pages):
    lost = pages.made("Проигранные", LOST)
    pages.ask("GET", f"/segments/{lost}/export")
    lines = pages.page.removeprefix("\ufeff").splitlines()
    assert lines[0] == "Вид;Номер;Имя или название;E-mail;Телефон;Мессенджер"
    with pages.world.runtime.sessions() as session:
        counters = session.get(Segment, (pages.world.portal_id, lost)).counters
    assert len(lines) - 1 == counters["contacts"]
    book = CalamineWorkbook.from_filelike(
        io.BytesIO(pages.file(f"/segments/{lost}/export?as=xlsx"))
    )
    cells = book.get_sheet_by_index(0).to_python()
    plain = [[cell.removeprefix("'") for cell in row] for row in csv.reader(lines, delimiter=";")]
    assert cells == plain, "a text of a workbook is no formula, so nothing stands before it"
    pages.ask("POST", f"/segments/{lost}/freeze")
    assert pages.status == 200
    assert "Зафиксирован" in pages.text
    with pages.world.runtime.sessions() as session:
        frozen = session.get(Segment, (pages.world.portal_id, pages.newest()))
        assert frozen.how == How.SNAPSHOT
        assert frozen.counters == counters
    assert "когда список зафиксировали" in pages.ask("GET", f"/segments/{frozen.id}/sample")


def test_a_list_comes_from_a_file_and_is_changed_by_hand(pages):
    with pages.world.runtime.sessions() as session:
        emails = session.scalars(
            sa.select(Address.normalised)
            .where(
                Address.kind == "email",
                Address.entity == "contact",
                Address.normalised.is_not(None),
            )
            .group_by(Address.normalised)
            .having(sa.func.count() == 1)
            .limit(3)
        ).all()
    file = "E-mail;Комментарий\n" + "\n".join(
        f"{each};да" for each in [*emails, "nobody@example.org"]
    )

    def sent():
        return io.BytesIO(file.encode()), "list.csv"

    seen = pages.ask("POST", "/segments/lists/look", file=sent())
    assert "4 строки в файле" in seen
    assert re.search(r'name="column.0".*?value="email" selected', pages.page, re.S)
    columns = {"columns": 2, "column.0": "email", "kind": "contact"}
    pages.ask("POST", "/segments/lists", name="", file=sent(), **columns)
    assert pages.status == 422
    pages.ask("POST", "/segments/lists", name="С выставки", file=sent(), **columns)
    assert pages.status == 200, pages.text
    listed = pages.newest()
    assert "Найдено 3, новых 3" in pages.text
    assert "такой карточки нет в базе" in pages.text
    assert "nobody@example.org" in pages.ask("GET", f"/segments/{listed}/refused")
    assert "из файла" in pages.ask("GET", f"/segments/{listed}/sample")

    card = re.search(r"contact:\d+", pages.page)[0]
    pages.ask("POST", f"/segments/{listed}/take", card=card)
    assert pages.status == 200
    found = pages.ask("GET", f"/segments/{listed}/people", search=card.partition(":")[2])
    assert "не в сегменте" in found
    pages.ask("POST", f"/segments/{listed}/put", card=card)
    assert "вручную" in pages.ask("GET", f"/segments/{listed}/moves")
    pages.ask("POST", f"/segments/{listed}/name", name="С другой выставки", version=1)
    assert "С другой выставки" in pages.text
    pages.ask("POST", f"/segments/{listed}/put", card="deal:1")
    assert pages.status == 400
    pages.ask("POST", "/segments/lists/look", file=(io.BytesIO(b"\x00\x01"), "x.csv"))
    assert "Не удаётся прочитать файл" in pages.text


def test_a_ready_segment_is_counted_opened_and_saved(pages):
    gallery = pages.ask("GET", "/segments/presets")
    assert "Клиенты с проваленными сделками" in gallery or "lost" in pages.page
    count = pages.ask("POST", "/segments/presets/lost_deals/count")
    assert re.search(r"\d+ только что", count)
    assert "Контакт" in count
    pages.ask("POST", "/segments/presets/all_clients/open", posted="1")
    assert 'id="builder"' in pages.page
    pages.ask("POST", "/segments/presets/lost_deals/save")
    assert pages.status == 200
    with pages.world.runtime.sessions() as session:
        saved = session.get(Segment, (pages.world.portal_id, pages.newest()))
        assert saved.preset == "lost_deals"
        assert saved.counters["contacts"] > 0
    pages.ask("POST", "/segments/presets/nothing/count")
    assert pages.status == 404


def test_the_seed_screen_of_foreign_leads_shows_its_counters(pages):
    count = pages.ask("POST", "/segments/presets/foreign_leads/count")
    assert re.search(r"Лид [1-9]", count), count
