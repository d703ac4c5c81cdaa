"""Mail servers as administrators enter them: what is refused, what is kept secret, what DNS says of them, who is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from support.mail_sending import Outbox

from core import runtime as installed
from core.clock import utcnow
from core.database import transaction
from core.runtime import Runtime
from demo.mail.process import mail_sink
from mailings.models import Mailing, MailServer
from mailings.sending import dns, launching, servers, telling
from mailings.sending.dns import NoAnswer, State
from mailings.sending.server_checks import BadServer
from mailings.sending.servers import Secrets, UnknownServer, Wanted

GOOD = Wanted(name="Relay", host="mail.example.com", from_email="sales@example.com")


@pytest.fixture
def runtime(settings):
    made = Runtime.build(settings)
    yield made
    made.engine.dispose()


@pytest.fixture
def public(runtime):
    """As it runs for the open internet."""
    return replace(runtime, settings=replace(runtime.settings, allow_private_portals=False))


@pytest.fixture
def outbox(session):
    return Outbox(session)


def test_a_server_is_entered_and_its_secrets_are_sealed(session, outbox, runtime):
    wanted = replace(GOOD, username="robot", daily_quota=500, from_name=" Отдел\r\nпродаж ")
    made = servers.create(session, runtime, outbox.id, wanted, Secrets("hush"), by=1)
    assert "hush" not in made.password_sealed
    assert made.from_name == "Отделпродаж"
    access = servers.access(runtime.settings, runtime.vault, made)
    assert (access.host, access.port, access.username, access.password) == ("mail.example.com", 587, "robot", "hush")  # fmt: skip
    assert "hush" not in repr(access)


def test_a_stored_password_is_not_shown_to_another_host(session, outbox, runtime):
    made = servers.create(session, runtime, outbox.id, replace(GOOD, username="a"), Secrets("hush"))
    same = servers.change(
        session, runtime, outbox.id, made.id, replace(GOOD, username="a", name="New")
    )
    assert same.password_sealed is not None
    moved = servers.change(session, runtime, outbox.id, made.id, replace(GOOD, username="a", host="evil.example.net"))  # fmt: skip
    assert moved.password_sealed is None


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"host": ""}, "host", "empty"),
        ({"host": "10.0.0.1"}, "host", "private"),
        ({"host": "127.0.0.1"}, "host", "private"),
        ({"host": "::ffff:10.0.0.1"}, "host", "private"),
        ({"host": "169.254.169.254"}, "host", "private"),
        ({"host": "mail example.com"}, "host", "wrong"),
        ({"port": 0}, "port", "wrong"),
        ({"port": 70000}, "port", "too_much"),
        ({"security": "none"}, "security", "unprotected"),
        ({"security": "ssl2"}, "security", "wrong"),
        ({"from_email": ""}, "from_email", "empty"),
        ({"from_email": "sales"}, "from_email", "wrong"),
        ({"reply_to": "a@b@c"}, "reply_to", "wrong"),
        ({"bounce_domain": "no domain"}, "bounce_domain", "wrong"),
        ({"connections": 1000}, "connections", "too_much"),
        ({"rate_per_minute": -1}, "rate_per_minute", "wrong"),
        ({"dkim_selector": "a b"}, "dkim_selector", "wrong"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(session, outbox, public, changes, field, problem):
    with pytest.raises(BadServer) as error:
        servers.create(session, public, outbox.id, replace(GOOD, **changes))
    assert (error.value.field, error.value.problem) == (field, problem)


def test_a_key_that_is_none_is_refused(session, outbox, runtime):
    with pytest.raises(BadServer) as error:
        servers.create(session, runtime, outbox.id, GOOD, Secrets(dkim_key="-----BEGIN nonsense"))
    assert (error.value.field, error.value.problem) == ("dkim_key", "bad_key")


def test_without_a_server_of_its_own_a_portal_has_that_of_the_settings(session, outbox, settings):
    session.delete(outbox.server)
    session.flush()
    theirs = replace(settings, smtp_url="smtp://us%40er:p%3Aw@relay.example.com", mail_from="Ромашка <a@example.com>")  # fmt: skip
    assert servers.of(session, outbox.id, settings) == []
    (found,) = servers.of(session, outbox.id, theirs)
    assert servers.of(session, outbox.id, theirs) == [found]
    assert (found.from_email, found.from_name, found.from_settings) == ("a@example.com", "Ромашка", True)  # fmt: skip
    access = servers.access(theirs, None, found)
    assert (access.port, access.security, access.username, access.password) == (587, "starttls", "us@er", "p:w")  # fmt: skip
    assert servers.of(session, outbox.id, settings) == [], "the settings name none any more"


def test_a_mailing_keeps_to_its_server(session, outbox, runtime, settings):
    second = servers.create(session, runtime, outbox.id, GOOD)
    assert servers.choose(session, outbox.mailing(), settings) is outbox.server
    own = outbox.mailing(server_id=second.id)
    assert servers.choose(session, own, settings) is second
    servers.archive(session, outbox.id, second.id)
    assert servers.choose(session, own, settings) is None
    with pytest.raises(UnknownServer):
        servers.find(session, outbox.id, second.id)


def test_a_neighbours_server_is_nobody_elses(session, outbox):
    other = Outbox(session)
    with pytest.raises(UnknownServer):
        servers.find(session, outbox.id, other.server.id)


def test_a_probe_says_what_is_wrong(session, outbox, runtime, public):
    with mail_sink("--login", "robot:hush") as sink:
        server = MailServer(portal_id=outbox.id, host="127.0.0.1", port=sink.port, security="none", from_email="a@example.com")  # fmt: skip
        assert servers.probe(runtime, server) is None
        server.username = "robot"
        server.password_sealed = runtime.vault.seal(outbox.id, "wrong")
        assert "535" in servers.probe(runtime, server)
        server.password_sealed = runtime.vault.seal(outbox.id, "hush")
        assert servers.probe(runtime, server) is None
        server.security = "starttls"
        assert "STARTTLS" in servers.probe(runtime, server)
        server.security = "none"
        assert "private" in servers.probe(public, server)
    assert servers.probe(runtime, server) is not None


def resolver(**records):
    def texts(name):
        found = records.get(name.replace(".", "_").replace("-", ""), [])
        if found is None:
            raise NoAnswer("timeout")
        return found

    return texts


def states(server, **records):
    found = dns.check(server, server.host, texts=resolver(**records))
    return [finding.state for finding in found.each], found


GOOD_DNS = {
    "example_com": ["v=spf1 include:relay.example.net ~all", "another text"],
    "s1__domainkey_example_com": ["v=DKIM1; k=rsa; p=MIIB"],
    "_dmarc_example_com": ["v=DMARC1; p=none"],
}


@pytest.fixture
def relay():
    return MailServer(
        host="smtp.relay.example.net", from_email="sales@example.com", dkim_selector="s1"
    )


def test_a_domain_in_order(relay):
    found = dns.check(relay, relay.host, texts=resolver(**GOOD_DNS))
    assert [f.state for f in found.each] == [State.GOOD] * 3
    assert found.aligned
    assert found.blocking == ()


@pytest.mark.parametrize(
    ("change", "about", "state", "problem"),
    [
        ({"example_com": []}, "spf", State.MISSING, "no_record"),
        ({"example_com": ["v=spf1 -all"]}, "spf", State.WRONG, "lets_nobody"),
        ({"example_com": ["v=spf1 +all"]}, "spf", State.WRONG, "lets_everybody"),
        ({"example_com": ["v=spf1 a ~all", "v=spf1 mx ~all"]}, "spf", State.WRONG, "several_records"),
        ({"example_com": ["v=spf1 " + "include:x.example " * 11 + "~all"]}, "spf", State.WRONG, "too_many_lookups"),
        ({"example_com": ["v=spf1 redirect=_spf.example.com"]}, "spf", State.WRONG, "lets_nobody"),
        ({"example_com": None}, "spf", State.NOT_ASKED, "timeout"),
        ({"s1__domainkey_example_com": []}, "dkim", State.MISSING, "no_record"),
        ({"s1__domainkey_example_com": ["v=DKIM1; p="]}, "dkim", State.WRONG, "revoked"),
        ({"_dmarc_example_com": []}, "dmarc", State.MISSING, "no_record"),
        ({"_dmarc_example_com": ["v=DMARC1; rua=mailto:a@example.com"]}, "dmarc", State.WRONG, "no_policy"),
    ],
)  # fmt: skip
def test_what_is_missing_is_found_with_the_record_to_add(relay, change, about, state, problem):
    found = dns.check(relay, relay.host, texts=resolver(**{**GOOD_DNS, **change}))
    (finding,) = [each for each in found.each if each.state is not State.GOOD]
    assert (finding.about, finding.state, finding.problem) == (about, state, problem)
    assert finding.blocks == (state is not State.NOT_ASKED)
    if state is State.MISSING and about != "dkim":
        assert finding.record.startswith(("v=spf1 include:example.net", "v=DMARC1; p=none"))


def test_a_redirected_record_is_followed(relay):
    found = {"example_com": ["v=spf1 redirect=_spf.example.com"], "_spf_example_com": ["v=spf1 ip4:192.0.2.1 -all"]}  # fmt: skip
    assert states(relay, **{**GOOD_DNS, **found})[0] == [State.GOOD] * 3


def test_returns_to_another_domain_need_a_signature_to_be_aligned(relay):
    relay.bounce_domain, relay.dkim_selector = "bounces.other.example", None
    found = dns.check(relay, relay.host, texts=resolver(bounces_other_example=["v=spf1 a ~all"], _dmarc_example_com=["v=DMARC1; p=none"]))  # fmt: skip
    assert not found.aligned
    relay.bounce_domain = "bounce.example.com"
    assert dns.check(relay, relay.host, texts=resolver()).aligned


@pytest.mark.parametrize(
    ("host", "record"),
    [
        ("smtp.relay.example.net", "include:example.net"),
        ("mail.example.com", "a:mail.example.com"),
        ("8.8.8.8", "ip4:8.8.8.8"),
        ("2001:4860:4860::8888", "ip6:2001:4860:4860::8888"),
        ("127.0.0.1", "ip4:ADDRESS"),
        ("10.0.0.5", "ip4:ADDRESS"),
        ("localhost", "ip4:ADDRESS"),
        ("mail.corp.local", "ip4:ADDRESS"),
        ("", "ip4:ADDRESS"),
    ],
)
def test_the_record_to_add_fits_the_server(relay, host, record):
    spf = dns.check(relay, host, texts=resolver()).each[0]
    assert (spf.state, spf.record) == (State.MISSING, f"v=spf1 {record} ~all")


def test_only_large_mailings_wait_for_the_records(session, outbox):
    found = dns.check(outbox.server, "127.0.0.1", texts=resolver())
    dns.note(session, outbox.id, outbox.server.id, found)
    assert [f["about"] for f in dns.blocking(outbox.server, dns.BULK)] == ["spf", "dmarc"]
    assert dns.blocking(outbox.server, dns.BULK - 1) == []


@pytest.fixture
def asked(live_sessions, runtime, monkeypatch):
    """What stands in the way of a mailing to many by the portal's server, once DNS has said this."""
    monkeypatch.setattr(launching, "_large", lambda *_: True)
    monkeypatch.setattr(servers, "probe", lambda *_: None)
    installed.install(runtime)
    with transaction(live_sessions) as session:
        outbox = Outbox(session)
        mailing = outbox.mailing()

    def asked(*said):
        for each in said:
            monkeypatch.setattr(dns, "asked", resolver(**each))
            launching.look_at_server(runtime, outbox.id, mailing.id)
        with live_sessions() as session:
            return [(p.code, p.blocks) for p in launching.problems(session, mailing)]

    return asked


def test_a_large_mailing_waits_for_a_look_at_the_domain_and_for_dns_to_answer(asked):
    silent = dict.fromkeys(GOOD_DNS)
    good = {"bounce_example_com": ["v=spf1 a ~all"], "_dmarc_example_com": ["v=DMARC1; p=none"]}
    assert asked() == [("not_checked", True)]
    assert asked({**silent, "bounce_example_com": None}) == [("not_answered", True)]
    assert asked(good) == []


def test_a_large_mailing_names_the_record_to_add(asked):
    assert asked({}) == [("bad_domain", True)] * 2


def test_the_operators_relay_on_this_machine_may_stay_unchecked(session, outbox, settings, runtime, monkeypatch):  # fmt: skip
    local = replace(settings, smtp_url="smtp://127.0.0.1:25", mail_from="a@example.com")
    installed.install(replace(runtime, settings=local))
    monkeypatch.setattr(launching, "_large", lambda *_: True)
    outbox.server.archived_at = utcnow()
    session.flush()
    (problem,) = launching.problems(session, outbox.mailing())
    assert (problem.code, problem.blocks) == ("not_checked", False)


def test_the_author_is_told_once_that_it_is_over(live_sessions, runtime, monkeypatch):
    calls = []

    class Portal24:
        def call(self, method, params):
            calls.append((method, params["USER_ID"], params["MESSAGE"]))

    monkeypatch.setattr(telling, "connect", lambda *_, **__: Portal24())
    with transaction(live_sessions) as session:
        outbox = Outbox(session)
        mailing = outbox.mailing(3, author_id=7, state="finished", finished_at=utcnow())
        outbox.mailing(1, author_id=7)
        session.execute(sa.text("UPDATE deliveries SET state = 'sent' WHERE client_id < 3"))
        assert telling.untold(session, outbox.id) == [(outbox.id, mailing.id)]
    assert telling.tell(runtime, *mailing_key(mailing))
    assert not telling.tell(runtime, *mailing_key(mailing))
    assert calls == [
        ("im.notify.system.add", 7, "Рассылка «Новинка» закончена: отправлено 2 из 2.")
    ]
    with live_sessions() as session:
        assert telling.untold(session) == []


def mailing_key(mailing: Mailing):
    return mailing.portal_id, mailing.id
