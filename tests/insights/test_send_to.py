"""«Send to»: opened from a row of a list, a deal or above a list; into a list, or a mailing."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from support.settings_page import plain
from support.world import read

from insights import sending
from insights.sending import BadChoice
from mailings.models import Mailing
from segments.members import choosing, saving
from segments.rules.tree import Kind
from segments.saved import How, Segment

ADMIN, MANAGER, BLIND = 1, 6, 10
MENU, TOOLBAR, DEAL = "CRM_CONTACT_LIST_MENU", "CRM_CONTACT_LIST_TOOLBAR", "CRM_DEAL_DETAIL_TOOLBAR"


@pytest.fixture
def read_world(world):
    return world.reach(read)


class Page:
    """The page as one of its viewers has it open."""

    def __init__(self, world, placement, user_id=ADMIN, **options):
        self.world = world
        self.answer = world.open(user_id, placement=placement, options=options)
        self.headers = {"Authorization": f"Bearer {self.answer.headers.get('X-Session')}"}

    @property
    def html(self):
        return self.answer.get_data(as_text=True)

    @property
    def chosen(self):
        return re.findall(r'name="card" value="([^"]+)"', self.html)

    def post(self, path, **form):
        self.answer = self.world.browser.post(path, data=form, headers=self.headers)
        return self


def in_list(world, segment_id, *numbers):
    cards = [(Kind.CONTACT, number) for number in numbers]
    with world.runtime.sessions() as session:
        found = choosing.inside(session, world.portal_id, segment_id, cards)
    return {number for _, number in found}


def a_list(world):
    with world.runtime.sessions.begin() as session:
        return saving.create(session, world.portal_id, "Выставка", None, how=How.STATIC).id


def test_a_row_of_the_portals_list_goes_into_a_list_of_ours(read_world):
    page = Page(read_world, MENU, ID="1")
    assert page.chosen == ["contact:1"]
    segment_id = a_list(read_world)
    page.post("/send/list", card="contact:1", segment=str(segment_id))
    assert page.answer.status_code == 200
    assert page.answer.headers["HX-Trigger"] == "card-changed"
    assert "1 карточка добавлена в список «Выставка»" in plain(page.html)
    assert in_list(read_world, segment_id, 1) == {1}


def test_undo_takes_out_only_those_who_entered(read_world):
    segment_id = a_list(read_world)
    page = Page(read_world, MENU, ID="1").post(
        "/send/list", card="contact:1", segment=str(segment_id)
    )
    page.post("/send/list", card=["contact:1", "contact:2"], segment=str(segment_id))
    entered = re.search(r'"entered": "([^"]+)"', page.html)[1]
    assert entered == "contact:2"
    page.post(
        "/send/list/undo", card=["contact:1", "contact:2"], segment=str(segment_id), entered=entered
    )
    assert in_list(read_world, segment_id, 1, 2) == {1}
    page.post("/send/list", card="contact:1", segment=str(segment_id))
    assert "Все они уже в списке" in plain(page.html)


def test_above_a_list_nothing_is_chosen_and_the_page_says_so(read_world):
    page = Page(read_world, TOOLBAR)
    assert page.chosen == []
    assert "не сообщает приложениям, какие строки отмечены" in plain(page.html)
    page.post("/send/chosen", cards="contact:2 company:1 lead:1 contact:2 contact:99999999")
    assert page.chosen == ["contact:2", "company:1", "lead:1"], "those the portal has, each once"


def test_of_a_deal_its_clients_are_chosen(read_world):
    deal = next(
        row for row in read_world.rows("deal") if row.get("COMPANY_ID") and row.get("CONTACT_ID")
    )
    page = Page(read_world, DEAL, ID=str(deal["ID"]))
    assert page.chosen == [f"company:{deal['COMPANY_ID']}", f"contact:{deal['CONTACT_ID']}"]
    lead = read_world.rows("lead")[0]["ID"]
    assert Page(read_world, "CRM_LEAD_LIST_MENU", ID=str(lead)).chosen == [f"lead:{lead}"]


def test_a_mailing_is_prepared_once_and_sends_nothing(read_world):
    page = Page(read_world, MENU, ID="1")
    key = re.search(r'name="key" value="([^"]+)"', page.html)[1]
    for _press in range(2):
        page.post("/send/mailing", card=["contact:1", "contact:2"], key=key)
        assert page.answer.status_code == 200
        assert 'hx-post="/mailings/' in page.html
    with read_world.runtime.sessions() as session:
        (made,) = session.scalars(sa.select(Mailing))
        (segment,) = session.scalars(sa.select(Segment).where(Segment.how == How.STATIC))
    assert (made.state, made.segment_id, made.author_id) == ("draft", segment.id, ADMIN)
    assert made.name.startswith("Выбранные вручную")
    assert in_list(read_world, segment.id, 1, 2) == {1, 2}


def test_nobody_ticked_is_told_and_a_list_needs_a_name(read_world):
    page = Page(read_world, MENU, ID="1").post("/send/list", segment=str(a_list(read_world)))
    assert page.answer.status_code == 422
    assert "Никто не отмечен" in plain(page.html)
    assert page.post("/send/mailing", key="x").answer.status_code == 422
    page.post("/send/list", card="contact:1", name=" ")
    assert page.answer.status_code == 422


def test_who_may_not_write_is_told_whom_to_ask(read_world):
    own = next(r["ID"] for r in read_world.rows("contact") if r["ASSIGNED_BY_ID"] == MANAGER)
    page = Page(read_world, MENU, MANAGER, ID=str(own))
    assert page.answer.status_code == 403
    assert "Недостаточно прав" in plain(page.html)
    for path in ("/send/list", "/send/list/undo", "/send/mailing", "/send/chosen"):
        assert page.post(path, card="contact:1").answer.status_code == 403


@pytest.mark.parametrize("names", [["x:1"], ["contact:"], ["contact:-1"], ["deal:1"], ["contact:" + "9" * 19], [""]])  # fmt: skip
def test_what_names_no_card_is_refused(names):
    with pytest.raises(BadChoice):
        sending.read(names)


def test_too_many_at_once_are_refused(read_world):
    with pytest.raises(BadChoice):
        sending.read(f"contact:{number}" for number in range(1, sending.MOST + 2))
    page = Page(read_world, MENU, ID="1").post("/send/chosen", cards="contact:1 nobody")
    assert page.answer.status_code == 400
