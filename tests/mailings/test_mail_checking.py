"""What letters say of their recipients: facts read for many at once, empties found, drafts kept, previews signed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from integration.mirror import Company, Contact, Currency, CustomField, Lead, PortalUser
from integration.models import Portal
from mailings.content import checking, compiling, drafting, names, preview, recipients
from mailings.content.checking import Person
from mailings.content.drafting import NoSuchLetter, Overtaken
from mailings.content.preview import BadTicket, Ticket
from mailings.content.rendering import Facts, Letter
from mailings.models import Mailing, Offer
from mailings.rules.letters import BadLetter, Content
from mailings.rules.lifecycle import IllegalTransition
from mailings.rules.offers import Offer as Terms
from mailings.rules.written import Sum, money, number
from segments.models import ClientMetrics

KEY = "a secret for tests only, long enough to sign with"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def portal_id(session):
    portal = Portal(domain="b24.example.com", client_id="local.1.2", member_id="a" * 32)
    session.add(portal)
    session.flush()
    return portal.id


@pytest.fixture
def people(session, portal_id):
    """A contact everything is known of, one nothing is known of, a company, a lead."""
    own = {"portal_id": portal_id}
    branch = [{"id": 44, "value": "Кофейни"}, {"id": 45, "value": "Офисы"}]
    session.add_all([
        Currency(**own, code="RUB", rate=Decimal(1), is_base=True),
        PortalUser(**own, bitrix_id=9, name="Вера Облонкова"),
        CustomField(**own, entity="contact", code="UF_CRM_BRANCH", type_id="enumeration", label="Отрасль", multiple=True, items=branch),
        CustomField(**own, entity="contact", code="UF_CRM_BUDGET", type_id="money", label="Бюджет"),
        CustomField(**own, entity="contact", code="UF_CRM_SINCE", type_id="date", label="С какого дня"),
        CustomField(**own, entity="contact", code="UF_CRM_BOSS", type_id="employee", label="Начальник"),
        Contact(**own, bitrix_id=1, name="Анна", last_name="Ветрова", post="Бариста", company_id=5, assigned_by_id=9, birth_date=date(1990, 3, 8),
                custom={"UF_CRM_BRANCH": [44, 45], "UF_CRM_BUDGET": {"amount": 1500.5, "currency": "RUB"}, "UF_CRM_SINCE": "2020-02-01", "UF_CRM_BOSS": 9, "UF_GONE": "x"}),
        Contact(**own, bitrix_id=2),
        Contact(**own, bitrix_id=3, name="Удалённый", deleted_at=NOW),
        Company(**own, bitrix_id=5, title="ООО «Зерно»", assigned_by_id=9),
        Lead(**own, bitrix_id=7, title="Заявка с сайта", company_title="ИП Птицын"),
    ])  # fmt: skip
    session.flush()
    return portal_id


def delivery(number, kind="contact", client_id=1, **more):
    return SimpleNamespace(
        id=number, kind=kind, client_id=client_id, address="a@example.com", code=None, **more
    )


def written(facts, source):
    content = Content.read({"subject": source, "how": "text", "source": "x"})
    codes = {"UF_CRM_BRANCH", "UF_CRM_BUDGET", "UF_CRM_SINCE", "UF_CRM_BOSS"}
    compiled = compiling.make(content, Terms(), 1, names.known_with(codes))
    return Letter({**compiled, "language": "ru"}).render(facts).subject


def test_everything_the_portal_knows_of_a_contact_can_be_said(session, people):
    [facts] = recipients.facts(session, people, [delivery(1)]).values()
    for name, text in {
        "client.name": "Анна", "client.full_name": "Анна Ветрова", "client.post": "Бариста",
        "client.birth_date": "8 марта 1990", "client.kind": "contact", "client.email": "a@example.com",
        "client.sales": "0", "client.ltv": "", "client.average_check": "", "company.name": "ООО «Зерно»",
        "manager.name": "Вера Облонкова", 'client.custom.UF_CRM_BRANCH | join: ", "': "Кофейни, Офисы",
        "client.custom.UF_CRM_BUDGET": "1 500,50 ₽", "client.custom.UF_CRM_SINCE": "1 февраля 2020",
        "client.custom.UF_CRM_BOSS": "Вера Облонкова",
    }.items():  # fmt: skip
        assert written(facts, f"-{{{{ {name} }}}}-").replace("\u00a0", " ") == f"-{text}-", name


def test_of_companies_leads_and_those_nothing_is_known_of_it_says_what_there_is(session, people):
    rows = [
        delivery(1, "company", 5), delivery(2, "lead", 7), delivery(3, "contact", 2),
        delivery(4, "contact", 3), delivery(5, "contact", 99),
    ]  # fmt: skip
    facts = recipients.facts(session, people, rows)
    source = '{{ client.full_name | default: "?" }}/{{ company.name | default: "?" }}'
    assert [written(facts[row.id], source) for row in rows] == [
        "ООО «Зерно»/ООО «Зерно»", "Заявка с сайта/ИП Птицын", "?/?", "?/?", "?/?",
    ]  # fmt: skip


def test_two_hundred_recipients_cost_a_few_statements(session, people, database):
    statements = []

    def note(*arguments):
        statements.append(arguments[2])

    sa.event.listen(database, "before_cursor_execute", note)
    try:
        rows = [delivery(n, ("contact", "company", "lead")[n % 3], n) for n in range(1, 201)]
        assert len(recipients.facts(session, people, rows)) == 200
    finally:
        sa.event.remove(database, "before_cursor_execute", note)
    assert len(statements) <= 8


def test_another_portals_people_stay_unknown(session, people):
    [facts] = recipients.facts(session, people + 1, [delivery(1)]).values()
    assert written(facts, '{{ client.name | default: "?" }}') == "?"


@pytest.mark.parametrize(
    ("value", "ru", "en"),
    [("51883.33", "51 883,33 ₽", "₽51,883.33"), ("100", "100 ₽", "₽100"), ("-5.5", "−5,50 ₽", "₽-5.50")],
)  # fmt: skip
def test_sums_are_written_as_people_write_them(value, ru, en):
    amount = Sum(Decimal(value), "RUB")
    assert money(amount, "ru").replace("\u00a0", " ") == ru
    assert money(amount, "en") == en
    assert number(1284.5, "ru").replace("\u00a0", " ") == "1 284,5"


def letter(source, subject="Тема"):
    content = Content.read({"subject": subject, "how": "text", "source": source})
    return compiling.make(content, Terms(), 1, names.known_with({"UF_CRM_BRANCH"}))


def test_the_check_tells_which_placeholder_is_empty_for_whom(session, people):
    compiled = letter(
        '{{ client.name }} {{ client.post | default: "коллега" }} {{ client.custom.UF_CRM_BRANCH }}'
        "{% if client.last_name %}{{ client.last_name }}{% endif %}",
        subject="{{ company.name }}",
    )
    listed = [Person("contact", 1, "Анна"), Person("contact", 2, "#2")]
    found = checking.check(session, people, compiled, listed)
    assert (found.tried, found.broken) == (2, [])
    assert found.empty == {
        "{{ company.name }}": [listed[1]], "{{ client.name }}": [listed[1]],
        "{{ client.custom.UF_CRM_BRANCH }}": [listed[1]],
    }  # fmt: skip


def test_the_check_tells_for_whom_the_letter_breaks(session, people):
    listed = [Person("contact", 1, "Анна"), Person("contact", 2, "#2")]
    found = checking.check(session, people, letter("{{ 9 | divided_by: client.sales }}"), listed)
    assert [person for person, _reason in found.broken] == listed
    assert "divide" in found.broken[0][1] or "zero" in found.broken[0][1]


def draft(session, portal_id, **more):
    mailing = Mailing(portal_id=portal_id, name="Осень", channel="email", **more)
    session.add(mailing)
    session.flush()
    return mailing


def test_a_letter_is_kept_by_the_version_it_was_made_from(session, portal_id):
    mailing = draft(session, portal_id)
    raw = {"subject": "Тема", "how": "blocks", "blocks": [{"type": "divider"}]}
    kept = drafting.save(session, portal_id, mailing.id, raw, made_from=1)
    assert (kept.version, kept.content["subject"]) == (2, "Тема")
    assert drafting.save(session, portal_id, mailing.id, raw, made_from=1).version == 2
    with pytest.raises(Overtaken):
        drafting.save(session, portal_id, mailing.id, {"subject": "Другая"}, made_from=1)
    with pytest.raises(BadLetter):
        drafting.save(session, portal_id, mailing.id, {"subject": "a\nb"}, made_from=2)
    with pytest.raises(NoSuchLetter):
        drafting.save(session, portal_id + 1, mailing.id, raw, made_from=2)
    with pytest.raises(NoSuchLetter):
        drafting.find(session, portal_id, draft(session, portal_id, state="draft").id + 1)
    mailing.state = "running"
    session.flush()
    with pytest.raises(IllegalTransition):
        drafting.save(session, portal_id, mailing.id, raw, made_from=2)


def test_a_letter_takes_its_offers_words(session, portal_id):
    row = Offer(portal_id=portal_id, kind="new", name="Кофе", content={"what": "Кофе по подписке"})
    session.add(row)
    session.flush()
    content = {"subject": "{{ offer.what }}", "how": "text", "source": "{{ offer.what | upcase }}"}
    mailing = draft(session, portal_id, offer_id=row.id, content=content)
    shown = Letter(compiling.compiled(session, mailing)).render(Facts())
    assert (shown.subject, "КОФЕ ПО ПОДПИСКЕ" in shown.text) == ("Кофе по подписке", True)


def test_a_preview_is_reached_by_its_ticket_for_some_minutes_only():
    ticket = Ticket(portal_id=1, mailing_id=7, version=3, kind="contact", client_id=5)
    text = preview.issue(KEY, ticket, NOW)
    assert text == preview.issue(KEY, ticket, NOW + timedelta(minutes=5)), (
        "the frame isn't reloaded"
    )
    assert preview.read(KEY, text, NOW + timedelta(minutes=9)) == ticket
    for key, forged, now in (
        (KEY, text, NOW + timedelta(minutes=21)),
        ("another key, as long as the real one is", text, NOW),
        (KEY, text[:-2] + ("AA" if text[-2:] != "AA" else "BB"), NOW),
        (KEY, "null", NOW),
        (KEY, "", NOW),
    ):
        with pytest.raises(BadTicket):
            preview.read(key, forged, now)


def test_a_preview_knows_the_pages_it_is_framed_in(session, portal_id):
    assert preview.portal_origin(session, portal_id) == "https://b24.example.com"


def test_what_a_client_is_worth_is_said_with_its_currency(session, people):
    known = recipients._Known("RUB", date(2026, 11, 22))
    known.metrics["contact", 1] = ClientMetrics(
        sales=3, ltv=Decimal("1500"), average_check=Decimal("500"), first_sale_on=date(2025, 1, 1),
        last_sale_on=date(2026, 11, 1),
    )  # fmt: skip
    found = recipients._figures(delivery(1), known)
    facts = Facts({"client": found})
    said = written(
        facts, "{{ client.ltv }}, {{ client.average_check }}, {{ client.days_since_sale }}"
    )
    assert said.replace("\u00a0", " ") == "1 500 ₽, 500 ₽, 21"
