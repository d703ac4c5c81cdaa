"""Where figures go: which fields may take them, what writing there would replace, versions, what gets lost."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from support.settings_page import plain

from core.database import transaction
from integration import health
from integration.mirror import Company, Contact, CustomField
from integration.rules.health import Code
from segments.models import ClientKind, WritebackSettings
from segments.writing import writeback, writing_rules
from segments.writing.targets import Refusal, refusal

LTV, CHECK = "UF_CRM_RUBILNIK_LTV", "UF_CRM_RUBILNIK_AVERAGE_CHECK"


@pytest.mark.parametrize(
    ("metric", "takes", "refuses"),
    [
        ("ltv", {"money", "double", "string"}, {"integer": Refusal.FRACTION, "date": Refusal.TYPE}),
        (
            "sales",
            {"integer", "double", "string"},
            {"money": Refusal.NOT_MONEY, "boolean": Refusal.TYPE},
        ),
        ("last_sale", {"date", "string"}, {"datetime": Refusal.TIME, "enumeration": Refusal.TYPE}),
    ],
)
def test_a_figure_goes_only_where_nothing_of_it_is_lost(metric, takes, refuses):
    assert {refusal(metric, type_id, multiple=False) for type_id in takes} == {None}
    assert {refusal(metric, type_id, multiple=True) for type_id in takes} == {Refusal.MULTIPLE}
    assert {each: refusal(metric, each, multiple=False) for each in refuses} == refuses


class Page:
    """The page of card fields as its administrator uses it."""

    def __init__(self, world):
        self.world = world
        self.token = world.open(1).headers["X-Session"]
        self.page = ""
        self.ask("GET", "/settings/writing")

    def ask(self, method, path, **form):
        headers = {"Authorization": f"Bearer {self.token}", "HX-Request": "true"}
        answer = self.world.browser.open(path, method=method, headers=headers, data=form)
        self.page = answer.get_data(as_text=True)
        return answer.status_code

    def save(self, *, on=True, confirmed=(), **to):
        form = {f"to.{key.replace('__', '.')}": code for key, code in to.items()}
        switch = {"enabled": "1"} if on else {}
        version = re.search(r'name="version" value="(\d+)"', self.page)[1]
        return self.ask(
            "POST",
            "/settings/writing",
            version=version,
            confirmed=list(confirmed),
            **switch,
            **form,
        )

    @property
    def text(self):
        return plain(self.page)


@pytest.fixture
def read(world):
    world.work()
    world.set_rule(pipelines=(0, 1))
    world.count()
    return world


def held(world, kind, code):
    """Values of a field on the portal by the id of the card."""
    return {row["ID"]: row.get(code) for row in world.rows(kind)}


def test_figures_go_into_fields_of_the_portal_and_back(read):
    world, page = read, Page(read)
    assert "Личная скидка" in page.text
    assert "Увлечения: хранит несколько значений" in page.text
    before = held(world, "contact", "UF_CRM_PLAN")
    filled = {number for number, value in before.items() if value}
    assert filled

    choice = {
        "contact__ltv": "UF_CRM_PLAN",
        "contact__average_check": "UF_CRM_DISCOUNT",
        "contact__sales": "UF_CRM_CHILDREN",
        "contact__first_sale": "UF_CRM_LOYALTY_CARD",
        "contact__last_sale": "UF_CRM_LICENSE_UNTIL",
    }
    assert page.save(**choice) == 422
    assert "Контакты: LTV → «План на год»" in page.text
    assert f"{len(filled)} карточ" in page.text
    assert held(world, "contact", "UF_CRM_PLAN") == before
    confirmed = re.findall(r'name="confirmed" value="([\w.]+)"', page.page)
    assert page.save(confirmed=confirmed, **choice) == 200

    world.work()
    report = world.write()
    assert (report.failed, report.reason) == (0, None)
    truth = world.truth()["contacts"]
    for row in world.rows("contact"):
        client = truth.get(str(row["ID"]), {"ltv": 0, "sales": 0})
        assert row["UF_CRM_PLAN"] == f"{float(client['ltv']):.2f}|RUB"
        assert int(row["UF_CRM_CHILDREN"]) == client["sales"]
        if client["sales"]:
            assert float(row["UF_CRM_DISCOUNT"]) == float(client["average_check"])
            year, month, day = client["first_sale"].split("-")
            assert row["UF_CRM_LOYALTY_CARD"] == f"{day}.{month}.{year}"
            assert str(row["UF_CRM_LICENSE_UNTIL"])[:10] == client["last_sale"]
        else:
            assert not row.get("UF_CRM_DISCOUNT")
    world.sync()
    assert world.write().changed == 0, "what was written comes back as it was written"

    page.ask("GET", "/settings/writing")
    assert "Контакты: LTV: поле Рубильника → «План на год»" in page.text
    version = re.search(r'name="version" value="(\d+)"', page.page)[1]
    assert page.ask("POST", "/settings/writing/restore", number=1, version=version) == 200
    with world.runtime.sessions() as session:
        targets = writing_rules.chosen(session, world.portal_id)[1]
    assert {target.code for target in targets} == {LTV, CHECK}
    world.work()
    world.write()
    assert all(held(world, "contact", LTV).values())


def test_a_chosen_field_that_is_lost_holds_its_figure_alone(read):
    world, page = read, Page(read)
    choice = {"contact__ltv": "UF_CRM_PLAN", "contact__average_check": "UF_CRM_DISCOUNT"}
    places = ["contact.UF_CRM_PLAN", "contact.UF_CRM_DISCOUNT"]
    assert page.save(confirmed=places, **choice) == 200
    world.work()
    world.write()
    field = next(
        row["ID"]
        for row in world.call("crm.contact.userfield.list")
        if row["FIELD_NAME"] == "UF_CRM_PLAN"
    )
    world.call("crm.contact.userfield.delete", id=field)
    world.sync()
    with transaction(world.runtime.sessions) as session:  # somebody made it anew for something else
        session.execute(
            sa.update(CustomField)
            .where(CustomField.code == "UF_CRM_DISCOUNT", CustomField.entity == "contact")
            .values(type_id="string")
        )
        session.execute(sa.update(Contact).values(custom={}))
        session.execute(sa.update(Company).values(custom={}))
    report = world.write()
    assert report.reason == "missing_fields: UF_CRM_DISCOUNT, UF_CRM_PLAN"
    assert report.failed == 0
    assert report.written, "companies are written"
    found = {problem.code: problem for problem in health.problems(world.runtime, world.portal)}
    assert found[Code.TARGETS_LOST].names == ("План на год", "Личная скидка, %")
    page.ask("GET", "/settings/writing")
    assert "План на год: поля на портале больше нет" in page.text
    assert "Личная скидка, %: тип поля изменился" in page.text
    assert page.save(contact__ltv="own", contact__average_check="own") == 200
    world.work()
    world.write()
    assert Code.TARGETS_LOST not in {p.code for p in health.problems(world.runtime, world.portal)}


def test_a_field_that_rounds_is_found_by_its_first_value(read, monkeypatch):
    world, page = read, Page(read)
    real = writeback._same
    with monkeypatch.context() as rounding:
        rounding.setattr(
            writeback,
            "_same",
            lambda held, wanted: not isinstance(wanted, float) and real(held, wanted),
        )
        places = ["contact.UF_CRM_DISCOUNT"]
        assert page.save(confirmed=places, contact__average_check="UF_CRM_DISCOUNT") == 200
        world.work()
    with world.runtime.sessions() as session:
        stored = session.get_one(WritebackSettings, world.portal_id)
        assert stored.ignored == ["contact.UF_CRM_DISCOUNT"]
        assert "contact.UF_CRM_RUBILNIK_LTV" in stored.proven
    assert world.write().changed == 0, "it isn't tried again by itself"
    page.ask("GET", "/settings/writing")
    assert "портал принял значение, но оставил прежнее" in page.text


def test_what_cannot_be_is_refused_in_words(read):
    world, page = read, Page(read)
    assert page.save(contact__ltv="UF_CRM_HOBBIES") == 422
    assert "хранит несколько значений" in page.text
    assert page.save(contact__ltv="UF_CRM_NOWHERE") == 422
    assert (
        page.save(contact__ltv="UF_CRM_DISCOUNT", contact__average_check="UF_CRM_DISCOUNT") == 422
    )
    assert "уже принимает другой показатель" in page.text
    nowhere = {
        f"{kind}__{metric}": "" for kind in ClientKind for metric in ("ltv", "average_check")
    }
    assert page.save(**nowhere) == 422
    assert "Выберите хотя бы одно поле" in page.text
    stale = Page(world)
    assert page.save(contact__sales="own") == 200
    assert stale.save(contact__sales="", contact__ltv="") == 422
    assert "кто-то уже сохранил" in stale.text


def test_the_command_line_maps_figures_too(read):
    world = read
    runner = world.app.test_cli_runner()

    def run(*arguments):
        return runner.invoke(args=["writing", "--portal", world.demo.domain, *arguments, "--json"])

    refused = run("--map", "contact.ltv=UF_CRM_PLAN")
    assert refused.exit_code != 0
    assert "--overwrite" in refused.output
    done = run("--map", "contact.ltv=UF_CRM_PLAN", "--map", "sales=own", "--overwrite", "--on")
    assert done.exit_code == 0, done.output
    assert '"contact.ltv":"UF_CRM_PLAN"' in done.output
    assert '"company.sales":"UF_CRM_RUBILNIK_SALES"' in done.output
    assert "hold several" not in run("--history").output
    assert run("--map", "profit=own").exit_code != 0
    assert run("--map", "ltv=UF_CRM_HOBBIES").exit_code != 0
