"""The list of segments as people work with it: views of their own, columns, many at once, pages, the people inside."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa
from support.settings_page import plain
from support.world import read

from core.web.lists import ListKey, Picked
from integration import kept, rights
from integration.mirror import Address, Contact
from mailings.permissions import Suppression
from segments.members import listing, lists, saving
from segments.rules.tree import Kind
from segments.saved import How, Segment, SegmentStay

EVERYBODY = {"version": 1, "clients": {"kinds": ["contact"], "where": {"all": []}}}


class Reader:
    """An employee in front of the lists; the queue is left alone."""

    def __init__(self, world, user=1):
        self.world, self.token = world, world.open(user).headers["X-Session"]

    def ask(self, method, path, **form):
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        how = {"data": form} if method == "POST" else {"query_string": form or None}
        self.answer = self.world.browser.open(path, method=method, headers=headers, **how)
        self.page = self.answer.get_data(as_text=True)
        return plain(self.page)

    def get(self, path, **query):
        return self.ask("GET", path, **query)

    def post(self, path, **form):
        return self.ask("POST", path, **form)

    def led(self):
        """Where the page was sent, and what it asks for there."""
        place = json.loads(self.answer.headers["HX-Location"])
        return self.get(place["path"]), place["path"]

    def names(self):
        return re.findall(r'aria-label="Выбрать «([^»]+)»"', self.page)


@pytest.fixture
def reader(world):
    return Reader(world.reach(read))


def saved(world, *names, **how):
    with world.runtime.sessions.begin() as session:
        made = [saving.create(session, world.portal_id, name, EVERYBODY, **how) for name in names]
        return [each.id for each in made]


def hand_list(world, name="Список", number=3):
    """A list of so many contacts who have an e-mail; its id and theirs."""
    with world.runtime.sessions.begin() as session:
        made = saving.create(session, world.portal_id, name, None, how=How.STATIC)
        reached = sa.exists().where(
            Address.portal_id == Contact.portal_id, Address.entity == "contact",
            Address.entity_id == Contact.bitrix_id, Address.kind == "email",
            Address.normalised.is_not(None),
        )  # fmt: skip
        query = sa.select(Contact.bitrix_id).where(
            Contact.portal_id == world.portal_id, Contact.deleted_at.is_(None), reached
        )
        ids = list(session.scalars(query.order_by(Contact.bitrix_id).limit(number)))
        lists.put_in(session, world.portal_id, made.id, [(Kind.CONTACT, each) for each in ids])
        return made.id, ids


def marketer(world, user=2):
    with world.runtime.sessions.begin() as session:
        version = rights.rights_of(session, world.portal_id)[0]
        rights.give(session, world.portal_id, user, rights.Right.WRITE, 1, version)
    return Reader(world, user)


def test_a_view_keeps_what_is_asked_for_one_person_alone(reader):
    saved(reader.world, "Ушедшие", "Новые", "Лучшие")
    hand_list(reader.world)
    reader.get("/segments", search="", how="dynamic", sort="name")
    assert reader.names() == ["Лучшие", "Новые", "Ушедшие"]
    query = re.search(r'name="query" value="([^"]+)"', reader.page)[1].replace("&amp;", "&")
    reader.post("/lists/segments/keep", at="/segments", name=" Живые  сами ", query=query)
    page, path = reader.led()
    assert "Живые сами" in page
    assert parse_qs(path.partition("?")[2]) == {"view": ["Живые сами"]}
    assert reader.names() == ["Лучшие", "Новые", "Ушедшие"]
    assert 'aria-current="page">Живые сами' in reader.page

    reader.get("/segments")
    assert "Список" in reader.names(), "nobody has chosen it to begin with"
    reader.post("/lists/segments/first", at="/segments", view="Живые сами", on="1")
    assert "Список" not in (reader.get("/segments") and reader.names())
    reader.get("/segments", view="")
    assert "Список" in reader.names(), "everything is one press away"

    changed = reader.get("/segments", view="Живые сами", search="нов", how="dynamic", sort="name")
    assert reader.names() == ["Новые"]
    assert "Сохранить в виде «Живые сами»" in changed
    assert "Сохранить в виде" not in reader.get("/segments", view="Живые сами")

    other = marketer(reader.world)
    assert "Живые сами" not in other.get("/segments")
    other.post("/lists/segments/forget", at="/segments", view="Живые сами")
    other.post("/lists/segments/rename", at="/segments", view="Живые сами", name="Чужой")
    assert "Живые сами" in reader.get("/segments")

    reader.post("/lists/segments/rename", at="/segments", view="Живые сами", name="Сами")
    assert "Сами" in reader.led()[0]
    reader.post("/lists/segments/keep", at="/segments", name="Ещё", query="")
    said = reader.post("/lists/segments/rename", at="/segments", view="Ещё", name="Сами")
    assert reader.answer.status_code == 422
    assert "Так уже называется другой вид." in said
    reader.post("/lists/segments/keep", at="/segments", name=" ", query="")
    assert reader.answer.status_code == 422
    reader.post("/lists/segments/forget", at="/segments", view="Сами")
    assert "Сами" not in reader.led()[0]


def test_views_end_somewhere_and_lists_nobody_has_take_none(reader):
    whose = (reader.world.portal_id, 1, ListKey.SEGMENTS)
    with reader.world.runtime.sessions.begin() as session:
        for number in range(kept.MOST):
            kept.keep(session, whose, f"Вид {number}", "")
    said = reader.post("/lists/segments/keep", at="/segments", name="Ещё", query="")
    assert (reader.answer.status_code, "Видов уже 30" in said) == (422, True)
    for path, at, status in (
        ("/lists/nothing/keep", "/segments", 404),
        ("/lists/segments/columns", "//evil.example.com", 400),
        ("/lists/segments/columns", "https://evil.example.com", 400),
    ):
        reader.post(path, at=at, name="Ещё")
        assert reader.answer.status_code == status, (path, at)


def test_columns_are_remembered_outside_of_views_and_kept_inside(reader):
    saved(reader.world, "Все")
    heads = lambda: re.findall(r'data-label="([^"]+)"', reader.page)  # noqa: E731
    reader.get("/segments")
    assert "Мессенджер" in heads()
    reader.post(
        "/lists/segments/columns",
        at="/segments",
        query="view=&sort=name",
        column=["cards", "author", "<b>"],
    )
    reader.led()
    assert heads() == ["Карточек", "Кто изменил"]
    reader.get("/segments", how="dynamic")
    assert heads() == ["Карточек", "Кто изменил"]
    assert "Телефон" in (marketer(reader.world).get("/segments"))
    reader.post(
        "/lists/segments/keep", at="/segments", name="Узкий", query="sort=name&columns=cards"
    )
    assert heads() or reader.led()
    assert heads() == ["Карточек"]
    reader.post(
        "/lists/segments/columns", at="/segments", query="view=Узкий&sort=name", column="emails"
    )
    page = reader.led()[0]
    assert heads() == ["E-mail"]
    assert "Сохранить в виде «Узкий»" in page
    reader.get("/segments", view="")
    assert heads() == ["Карточек", "Кто изменил"]


def test_many_are_put_away_by_the_rule_of_one_and_brought_back(reader):
    world = reader.world
    basis, free = saved(world, "Основа", "Свободный")
    on_it = {"field": "segment", "op": "in", "value": basis}
    with world.runtime.sessions.begin() as session:
        definition = {"version": 1, "clients": {"kinds": ["contact"], "where": {"all": [on_it]}}}
        upper = saving.create(session, world.portal_id, "Надстройка", definition).id
    said = reader.post("/segments/picked/archive", pick=[str(basis), str(free), "x", "99999999"])
    assert "1 сегмент убран" in said
    assert "Не сделано: 1." in said
    assert "Основа : на нём держатся другие сегменты: Надстройка" in said
    assert set(reader.names()) == {"Основа", "Надстройка"}
    assert "2 сегмента убраны" in reader.post(
        "/segments/picked/archive", pick=[str(basis), str(upper)]
    )
    assert "Ничего не найдено" in said or reader.names() == []

    away = reader.get("/segments", shelf="archived")
    assert "3 сегмента" in away
    said = reader.post("/segments/picked/back", pick=str(upper), query="shelf=archived")
    assert "Надстройка : его условия ссылаются на то, чего больше нет" in said
    assert "3 сегмента возвращены" in reader.post(
        "/segments/picked/back", every="1", query="shelf=archived"
    )
    reader.get("/segments")
    assert set(reader.names()) == {"Основа", "Свободный", "Надстройка"}
    with world.runtime.sessions() as session:
        assert session.get(Segment, (world.portal_id, basis)).stale_at is not None


def test_all_found_are_those_of_the_filters_not_those_of_the_page(reader, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    saved(reader.world, *(f"Осень {number}" for number in range(5)), "Зима")
    seen = []
    path = "/segments?search=осень&sort=name"
    while path:
        reader.get(path)
        seen += reader.names()
        more = re.search(r'hx-get="(/segments\?[^"]+after=[^"]+)"', reader.page)
        path = more and more[1].replace("&amp;", "&")
    assert seen == [f"Осень {number}" for number in range(5)]
    assert "Зима" in reader.get("/segments", after="нечто", sort="name")
    assert "5 сегментов убрано" in reader.post(
        "/segments/picked/archive", every="1", query="search=осень&sort=name"
    )
    assert "Зима" in reader.get("/segments", view="")
    file = reader.get("/segments/file", columns="cards,author")
    assert file.startswith("\ufeffНазвание;Карточек;Кто изменил")
    assert "Зима" in file
    assert "Осень" not in file


def test_ids_of_another_portal_do_nothing(reader):
    world = reader.world
    number, other = saved(world, "Наш")[0], world.portal_id + 1
    reader.post("/lists/segments/keep", at="/segments", name="Вид", query="sort=name")
    with world.runtime.sessions() as database:
        assert listing.picked(database, other, Picked(every=True)) == []
        assert listing.put_away(database, other, [number], 1) == (0, [])
        assert listing.bring_back(database, other, [number], 1) == (0, [])
        assert kept.of(database, (other, 1, ListKey.SEGMENTS)) == kept.Kept()
    assert "Наш" in reader.get("/segments")


def test_the_people_of_a_segment_are_found_sorted_and_taken_out_of_a_list(reader):
    number, ids = hand_list(reader.world, number=3)
    at = f"/segments/{number}/members"
    page = reader.get(at)
    assert "3 человека" in page
    assert f"№{ids[1]}" in page
    assert f"№{ids[0]}" not in reader.get(at, search=f"№{ids[1]}")
    assert "3 человека" in reader.get(at, has="email", kind="contact", sort="-ltv")
    assert "Никого не нашли" in reader.get(at, kind="company")
    with reader.world.runtime.sessions() as session:
        address = session.scalar(
            sa.select(Address.normalised).where(
                Address.entity == "contact", Address.entity_id == ids[2], Address.kind == "email"
            )
        )
    assert f"№{ids[2]}" in reader.get(at, search=address)
    file = reader.get(f"/segments/{number}/export", search=f"№{ids[1]}", sort="place")
    assert re.findall(r"contact;(\d+)", file) == [str(ids[1])], "the file holds what the list shows"
    said = reader.post(f"{at}/take", pick=[f"contact:{ids[0]}", "contact:x"], query="sort=place")
    assert "1 карточка убрана из списка" in said
    assert "2 человека" in said
    dynamic = saved(reader.world, "Все")[0]
    reader.post(f"/segments/{dynamic}/members/take", pick=f"contact:{ids[1]}")
    assert reader.answer.status_code == 404, "conditions decide who is in, not hands"


def test_ticked_people_are_added_left_out_of_mailings_and_put_into_a_file(reader):
    world = reader.world
    number, ids = hand_list(world, number=3)
    cards = [f"contact:{each}" for each in ids]
    said = reader.post("/people/put", pick=[*cards[:2], "lead:99999999"], name="Новый")
    assert "2 карточки добавлены в список «Новый»" in said
    assert "Уже были в нём или удалены: 1." in said
    assert "Дайте списку название" in reader.post("/people/put", pick=cards[0], name=" ")
    reader.post("/people/put", pick=cards[0], segment=str(saved(world, "Все")[0]))
    assert reader.answer.status_code == 404, "a segment of conditions takes nobody by hand"
    assert ids[2] in {
        int(each)
        for each in re.findall(
            r"contact;(\d+)", reader.post("/people/file", of=f"segment:{number}", every="1")
        )
    }

    said = reader.post("/people/stop", pick=[*cards[:2], "lead:99999999"])
    assert "Рассылки больше не получат 2 человека" in said
    assert "Без e-mail: 1." in said
    said = reader.post("/people/stop", of=f"segment:{number}", every="1", query="")
    assert "Рассылки больше не получит 1 человек" in said
    assert "И раньше не получали: 2." in said
    with world.runtime.sessions() as session:
        reasons = set(
            session.execute(sa.select(Suppression.reason, Suppression.source, Suppression.actor))
        )
        assert reasons == {("manual", "client_card", "user:1")}
        assert session.scalar(sa.select(sa.func.count()).select_from(SegmentStay)) > 3
    for source in ("mailing:1", "segment:99999", "deal:1", "segment:x"):
        reader.post("/people/stop", of=source, every="1")
        assert reader.answer.status_code in {400, 404}, source
