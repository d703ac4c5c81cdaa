"""The list of addresses nobody writes to: found, sorted, as a file, and many of them written to again at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.mail_results import MailPortal, signed_in, web
from support.settings_page import plain

from core.clock import utcnow
from integration.mirror import PortalUser
from mailings.consent import suppressions
from mailings.permissions import Suppression
from mailings.web.settings import stop_list, suppression_views
from segments import member_views

BLUEPRINTS = suppression_views.blueprint, member_views.blueprint
AT = "/settings/mailings/suppressed"


@pytest.fixture
def crm(session):
    return MailPortal(session)


@pytest.fixture
def ask(settings, sessions, redis_url, crm):
    """The words of a page an administrator of the portal asks for."""
    headers = signed_in(settings, crm.id) | {"HX-Request": "true"}
    with web(settings, sessions, *BLUEPRINTS) as client:

        def asking(path="", method="GET", status=200, **form):
            crm.session.commit()
            answer = client.open(AT + path, method=method, headers=headers, data=form or None)
            assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
            asking.html = answer.get_data(as_text=True)
            crm.session.expire_all()
            return plain(asking.html)

        yield asking


def stop(crm, address, reason="unsubscribed", *, channel="email", days=0, **facts):
    facts = {"source": "page", **facts}
    own = (crm.session, crm.id, channel, address, reason)
    suppressions.suppress(*own, **facts)
    changed = sa.update(Suppression).where(Suppression.address == address)
    crm.session.execute(changed.values(at=utcnow() - timedelta(days=days)))


def names(ask):
    return re.findall(r'aria-label="Выбрать «([^»]+)»"', ask.html)


def key_of(crm, address):
    return f"email:{suppressions.of(crm.session, crm.id, 'email', address).address_hash.hex()}"


def left(crm):
    query = sa.select(Suppression.address).where(Suppression.portal_id == crm.id)
    return set(crm.session.scalars(query))


def test_addresses_are_found_by_their_beginning_or_domain_and_sorted_page_by_page(
    ask, crm, monkeypatch
):
    monkeypatch.setattr(stop_list, "PAGE", 2)
    stop(crm, "vera@example.com", days=1)
    stop(crm, "anna@example.com", days=3)
    stop(crm, "boris@example.org", "bounced", days=2)
    stop(crm, "+79990000001", "manual", channel="call_list", days=4)
    ask()
    assert names(ask) == ["vera@example.com", "boris@example.org"], "the newest first"
    assert "4 адреса" in plain(ask.html)
    for path in (f"{AT}?", f"{AT}?sort=address&amp;"):
        if "sort" in path:
            ask("?sort=address")
            assert names(ask) == ["+79990000001", "anna@example.com"]
        more = re.search(r'hx-get="([^"]+after=[^"]+)"', ask.html)[1].replace("&amp;", "&")
        ask(more.removeprefix(AT))
        assert len(names(ask)) == 2
    assert names(ask) == ["boris@example.org", "vera@example.com"]

    ask("?search=ANNA")
    assert names(ask) == ["anna@example.com"]
    ask("?search=%40example.com&sort=address")
    assert names(ask) == ["anna@example.com", "vera@example.com"]
    ask("?search=8 (999) 000-00-01")
    assert names(ask) == ["+79990000001"], "a phone in whatever form it was typed"
    ask("?search=example.com")
    assert names(ask) == []
    ask("?reason=bounced")
    assert names(ask) == ["boris@example.org"]
    ask("?channel=call_list&reason=manual")
    assert names(ask) == ["+79990000001"]


def test_a_rest_that_is_over_is_told_from_one_in_force(ask, crm):
    stop(crm, "over@example.com", "paused", until=utcnow() - timedelta(days=1))
    stop(crm, "rests@example.com", "paused", until=utcnow() + timedelta(days=9))
    ask("?term=over")
    assert names(ask) == ["over@example.com"]
    ask("?term=now")
    assert names(ask) == ["rests@example.com"]


def test_that_nothing_forbids_an_address_is_said_only_of_the_whole_list(ask, crm):
    stop(crm, "anna@example.com", "bounced")
    assert "В списке нет" in ask("?search=vera@example.com")
    assert "В списке нет" not in ask("?search=anna@example.com&reason=manual")


def test_many_are_written_to_again_but_those_who_complained_or_were_erased(ask, crm):
    stop(crm, "anna@example.com")
    stop(crm, "angry@example.com", "complained")
    stop(crm, "gone@example.com", "erased")
    stop(crm, "bounced@example.com", "bounced")
    keys = [
        key_of(crm, each) for each in ("anna@example.com", "angry@example.com", "gone@example.com")
    ]
    said = ask(
        "/picked/lift", "POST", pick=[*keys, "email:zz", "nothing", ""], query="sort=address"
    )
    assert "1 адресу снова можно писать" in said
    assert "Не сделано: 2." in said
    assert "angry@example.com : пожаловался на спам" in said
    assert left(crm) == {"angry@example.com", None, "bounced@example.com"}
    assert names(ask)[1:] == ["angry@example.com", "bounced@example.com"], "sorted as it was"
    ask("/picked/lift", "POST", every="1", query="reason=bounced")
    assert left(crm) == {"angry@example.com", None}


def test_the_list_stays_as_it_was_asked_after_one_is_lifted(ask, crm):
    for address in ("anna@example.com", "vera@example.com"):
        stop(crm, address, "bounced")
    stop(crm, "boris@example.com", "manual")
    ask("/lift", "POST", channel="email", address="anna@example.com", query="reason=bounced")
    assert names(ask) == ["vera@example.com"]


def test_another_portals_addresses_are_neither_shown_nor_lifted(ask, crm, session):
    theirs = MailPortal(session)
    stop(theirs, "anna@example.com")
    key = key_of(theirs, "anna@example.com")
    assert "anna" not in ask() + ask("/file") + ask("?search=anna")
    ask("/picked/lift", "POST", pick=[key])
    ask("/picked/lift", "POST", every="1", query="reason=unsubscribed")
    ask("/lift", "POST", channel="email", address="anna@example.com")
    assert left(theirs) == {"anna@example.com"}


def test_the_file_holds_what_is_found_and_no_formula(ask, crm, monkeypatch):
    monkeypatch.setattr(stop_list, "EXPORTED_AT_ONCE", 1)
    crm.session.add(PortalUser(portal_id=crm.id, bitrix_id=7, name="Вера Облонкова", active=True))
    mailing = crm.mailing(name="Осень")
    stop(crm, "anna@example.com", mailing_id=mailing.id, days=1)
    stop(crm, "boris@example.com", "manual", source="=HYPERLINK(1)", actor="user:7", days=2)
    stop(crm, "vera@example.com", "bounced")
    ask("/file?columns=why,source,mailing,who&search=@example.com&sort=address")
    head, *lines = ask.html.split("\r\n")
    assert head == "\ufeffАдрес;Почему;Откуда;Рассылка;Кто"
    assert lines[0] == "anna@example.com;отписался;на странице отписки;Осень;"
    assert lines[1] == "boris@example.com;внесён вручную;'=HYPERLINK(1);;Вера Облонкова"
    assert len(lines) == 4
