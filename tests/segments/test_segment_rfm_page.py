"""The RFM page as an administrator uses it, its cells as segments, and the group on the cards."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import sqlalchemy as sa
from support.settings_page import plain

from integration.mirror import Contact
from segments import audience, pipeline, rfm_forms, score_map
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.models import ClientKind
from segments.rules import lifecycle, rfm
from segments.rules.score_choices import How, ScoreChoices
from segments.scoring import score_words, scores
from segments.scoring.scored import ClientScores, ScoreBasis

FIELD = "UF_CRM_RUBILNIK_RFM"


class Page:
    """The page in the hands of one person."""

    def __init__(self, world, user=1):
        self.world, self.token = world, world.open(user).headers["X-Session"]
        self.page = ""

    def ask(self, method, path, **form):
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        answer = self.world.browser.open(path, method=method, headers=headers, data=form)
        self.page = answer.get_data(as_text=True)
        return answer.status_code

    def form(self, **choices):
        assert self.ask("GET", "/segments/rfm?kind=contact") == 200
        version = re.search(r'name="version" value="(\d+)"', self.page)[1]
        with self.world.runtime.sessions() as session:
            shown = scores.choices_of(session, self.world.portal_id)[1]
        own = {"version": version, "kind": "contact"}
        return rfm_forms.written(shown, ClientKind.CONTACT) | own | choices

    @property
    def text(self):
        return plain(self.page)


@pytest.fixture
def read(world):
    """Read and counted, not scored yet."""
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.count()
    return world


def everybody(world):
    with world.runtime.sessions() as session:
        return score_map.drawn(score_map.basis(session, world.portal_id, ClientKind.CONTACT))


def number_in(world, raw):
    with world.runtime.sessions() as session:
        scope = scope_of(session, world.portal_id)
        return audience.count(session, scope, definitions.read(raw, scope)).contacts


def test_the_map_shows_everybody_once_and_a_cell_is_the_segment_it_opens(read):
    world, page = read, Page(read)
    assert page.ask("GET", "/segments/rfm/map") == 200
    assert "Баллы считаются" in page.text
    assert number_in(world, score_map.of_group(ClientKind.CONTACT, rfm.NEVER)) == 0
    assert pipeline.unscored(world.runtime) == [world.portal_id]
    assert pipeline.score(world.runtime, world.portal_id)
    assert not pipeline.score(world.runtime, world.portal_id)

    assert page.ask("GET", "/segments/rfm") == 200
    assert "RFM и этапы жизни клиента" in page.text
    assert page.ask("GET", "/segments/rfm/map?kind=contact") == 200
    assert "Нельзя потерять" in page.text
    drawn = everybody(world)
    with world.runtime.sessions() as session:
        alive = session.scalar(
            sa.select(sa.func.count()).where(
                Contact.portal_id == world.portal_id, Contact.deleted_at.is_(None)
            )
        )
    cells = {(r, f): cell for r, row in drawn.rows for f, cell in enumerate(row, 1)}
    assert sum(group.number for group in drawn.groups.values()) == alive
    assert sum(stage.number for stage in drawn.stages.values()) == alive
    assert sum(group.share for group in drawn.groups.values()) == pytest.approx(1)
    contact = ClientKind.CONTACT
    for (r, f), cell in list(cells.items())[::6]:
        assert number_in(world, score_map.of_cell(contact, r, f)) == cell.number
    for key, group in drawn.groups.items():
        assert number_in(world, score_map.of_group(contact, key)) == group.number
    for key, stage in drawn.stages.items():
        assert number_in(world, score_map.of_stage(contact, key)) == stage.number
    assert sum(cell.number > 0 for cell in cells.values()) > 3

    opened = max(cells.values(), key=lambda cell: cell.number).href
    assert page.ask("GET", opened) == 200
    assert "RFM: давность, баллы (1–5)" in page.text
    for wrong in ("r=6&f=1", "group=nobody", "stage=nobody", ""):
        assert page.ask("GET", f"/segments/rfm/segment?kind=contact&{wrong}") == 400
    assert page.ask("GET", "/segments/rfm?kind=lead") == 400
    assert Page(world, user=3).ask("GET", "/segments/rfm") == 403

    assert page.ask("GET", "/segments/rfm?kind=company") == 200
    with world.runtime.sessions() as session:
        basis = session.get(ScoreBasis, (world.portal_id, "company"))
    if basis.buyers < rfm.FEWEST_BUYERS:
        assert basis.how == How.THRESHOLDS
        assert "равные доли ничего не говорят" in page.text


def test_choices_are_previewed_saved_scored_and_written_to_the_cards(read):
    world, page = read, Page(read)
    pipeline.score(world.runtime, world.portal_id)
    limits = {f"days.{n}": d for n, d in ((5, "10"), (4, "40"), (3, "100"), (2, "200"))}
    limits |= {f"purchases.{n}": str(n + 1) for n in (2, 3, 4, 5)}
    limits |= {f"money.{n}": f"{n} 000,50" for n in (2, 3, 4, 5)}
    own = {"how": "thresholds", "name.best": "Золотые", "stages": "own", "window": "1000"}
    own |= {"cooling": "20", "sleeping": "40", "lost": "60", **limits}
    own |= {"cell.51": "best", "much.51": ""}

    form = page.form(**own)
    assert page.ask("POST", "/segments/rfm/preview", **form) == 200
    told = re.search(r"(\d[\d\s]*) клиент\w* смен", page.text)
    before = groups(world)
    assert page.ask("POST", "/segments/rfm", **{**form, "window": "7"}) == 422
    assert "от 30 до 3650" in page.text
    assert 'value="Золотые"' in page.page, "what was typed is not lost"
    assert page.ask("POST", "/segments/rfm", **{**form, "money.2": ""}) == 422
    assert page.ask("POST", "/segments/rfm", **form) == 200
    assert "Сохранено" in page.text
    late = {**form, "window": "900"}
    assert page.ask("POST", "/segments/rfm", **late) == 422, "another version is in force"
    assert "Тем временем кто-то сохранил" in page.text
    world.work()
    after = groups(world)
    changed = sum(after[client] != name for client, name in before.items())
    assert changed == int(re.sub(r"\D", "", told[1]))
    again = page.form()
    assert {key: again[key] for key in own if key != "much.51" and "money" not in key} == {
        key: value for key, value in own.items() if key != "much.51" and "money" not in key
    }
    assert page.ask("POST", "/segments/rfm", **again) == 200
    assert "Сохранять нечего" in page.text

    with world.runtime.sessions() as session:
        edges = scope_of(session, world.portal_id).stages_of("contact")
    assert edges == lifecycle.Edges(20, 40, 60)
    write_groups(world, page)


def write_groups(world, page):
    """The group goes to the cards once it is switched on, by the name the administrator gave."""
    assert page.ask("GET", "/settings/writing") == 200
    version = re.search(r'name="version" value="(\d+)"', page.page)[1]
    sent = {"version": version, "enabled": "1", "to.contact.rfm": "own"}
    assert page.ask("POST", "/settings/writing", **sent) == 200
    world.work()
    world.sync()
    world.count()
    world.write()
    drawn = everybody(world)
    held = Counter(row.get(FIELD) for row in world.rows("contact"))
    names = Names(world).of_groups
    assert held == {names[key]: group.number for key, group in drawn.groups.items() if group.number}
    assert "Золотые" in held
    assert world.write().changed == 0, "the second time there is nothing to write"


class Names:
    """The names the administrator sees."""

    def __init__(self, world):
        from core.web import words

        with words.speaking("ru"), world.runtime.sessions() as session:
            names = scores.choices_of(session, world.portal_id)[1].names
            self.of_groups = score_words.groups(names)


def groups(world):
    with world.runtime.sessions() as session:
        rows = session.execute(
            sa.select(ClientScores.client_id, ClientScores.group_key).where(
                ClientScores.portal_id == world.portal_id, ClientScores.kind == "contact"
            )
        )
        return dict(rows.all())


def test_the_form_shows_what_it_would_read():
    edges = rfm.Edges((11, 21, 31, 41), (2, 3, 4, 5), tuple(map(rfm.Decimal, (10, 20, 30, 40))))
    chosen = ScoreChoices(
        90,
        {"contact": rfm_forms.OfKind(How.THRESHOLDS, edges, lifecycle.Edges(5, 6, 7))},
        names={"best": "Золото"},
    )
    shown = rfm_forms.written(chosen, ClientKind.CONTACT)
    assert shown["days.5"] == "10"
    assert rfm_forms.read(shown, ScoreChoices(), ClientKind.CONTACT) == chosen
    usual = rfm_forms.written(ScoreChoices(), ClientKind.COMPANY)
    read = rfm_forms.read(usual, chosen, ClientKind.COMPANY)
    assert read.kinds["contact"] == chosen.kinds["contact"]


def test_the_first_page_names_the_groups_a_letter_can_move_by_their_money(read):
    world, page = read, Page(read)
    page.ask("GET", "/home")
    assert "Подсказки скоро будут" in page.text, "nobody is scored yet: nothing is promised"
    pipeline.score(world.runtime, world.portal_id)
    page.ask("GET", "/home")
    groups = everybody(world).groups
    able = [key for key in score_words.advice() if groups[key].number]
    dearest = sorted(able, key=lambda key: groups[key].ltv, reverse=True)[:3]
    assert dearest, "the data has such groups"
    shown = re.findall(r"group=(\w+)", page.page)
    assert list(dict.fromkeys(shown)) == dearest
