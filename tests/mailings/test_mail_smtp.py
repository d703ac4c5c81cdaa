"""Letters over SMTP, against a real server and its whims: what each ends as, and that the dot waits for the gate."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from demo.mail.process import mail_sink
from mailings.channels.base import Message, Outcome
from mailings.channels.email import EmailLink
from mailings.channels.smtp import Access, Security


@pytest.fixture(scope="module")
def sink_process():
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def sink(sink_process):
    sink_process.reset()
    return sink_process


@pytest.fixture
def link(sink):
    made = EmailLink(Access("127.0.0.1", sink.port, Security.NONE, allow_private=True))
    yield made
    made.close()


def letter(number=1, address="anna@example.org", body="Привет\r\n.\r\n..dots\r\n"):
    raw = (
        f"Message-ID: <m1.{number}@example.com>\r\nSubject: hello\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body
    ).encode()
    return Message(number, address, "hello", "", raw, "sales@example.com")


def opened(calls=None):
    def gate():
        if calls is not None:
            calls.append(1)
        return True

    return gate


def test_letters_arrive_whole_over_one_connection(link, sink):
    bodies = [".leading dot\r\n", "a\r\n.\r\nb\r\n..\r\n", "plain\r\n"]
    results = [link.send(letter(n, body=body), opened()) for n, body in enumerate(bodies)]
    assert [r.outcome for r in results] == [Outcome.SENT] * 3
    assert [m["raw"].partition("\r\n\r\n")[2] for m in sink.messages()] == bodies
    assert link.usable


def test_a_gate_that_stays_shut_is_not_passed(link, sink):
    assert link.send(letter(1), lambda: False).outcome is Outcome.REFUSED_AT_GATE
    assert not link.usable
    assert link.send(letter(2), opened()).outcome is Outcome.SENT
    assert sink.accepted() == ["<m1.2@example.com>"]


@pytest.mark.parametrize(
    ("at", "rule", "outcome", "gates"),
    [
        ("connect", {"reply": "421 4.3.2 too busy"}, Outcome.NOT_TRIED, 0),
        ("connect", {"do": "drop"}, Outcome.NOT_TRIED, 0),
        ("ehlo", {"do": "drop"}, Outcome.NOT_TRIED, 0),
        ("mail", {"reply": "421 4.3.2 closing"}, Outcome.NOT_TRIED, 0),
        ("mail", {"reply": "451 4.3.0 later"}, Outcome.DEFERRED, 0),
        ("rcpt", {"reply": "451 4.7.1 Greylisted, try again in 300 seconds"}, Outcome.DEFERRED, 0),
        ("rcpt", {"reply": "550 5.1.1 no such user"}, Outcome.FAILED, 0),
        ("rcpt", {"reply": "552 5.2.2 mailbox full"}, Outcome.FAILED, 0),
        ("data", {"reply": "451 4.3.0 later"}, Outcome.DEFERRED, 0),
        ("data", {"do": "drop"}, Outcome.NOT_TRIED, 0),
        ("dot", {"reply": "452 4.3.1 no room"}, Outcome.DEFERRED, 1),
        ("dot", {"reply": "554 5.7.1 looks like spam"}, Outcome.FAILED, 1),
        ("dot", {"do": "drop"}, Outcome.UNKNOWN, 1),
        ("dot", {"do": "lose"}, Outcome.UNKNOWN, 1),
        ("dot", {"do": "cut"}, Outcome.UNKNOWN, 1),  # after the code: half a line is no answer
        ("mail", {"do": "cut"}, Outcome.NOT_TRIED, 0),
        ("dot", {"do": "late", "seconds": 0.2}, Outcome.SENT, 1),
    ],
)
def test_every_whim_of_a_server_ends_as_it_should(link, sink, at, rule, outcome, gates):
    sink.fault(at, times=1, **rule)
    calls = []
    result = link.send(letter(1), opened(calls))
    assert (result.outcome, len(calls)) == (outcome, gates)
    again = link.send(letter(2, "boris@example.org"), opened())
    assert again.outcome is Outcome.SENT, "the next letter is not spoilt"
    taken = sink.accepted().count("<m1.1@example.com>")
    assert taken <= 1
    if outcome is not Outcome.UNKNOWN:
        assert taken == (outcome is Outcome.SENT)


def test_what_a_refusal_means_comes_along(link, sink):
    sink.fault("rcpt", reply="550 5.1.1 no such user", address="dead@*")
    sink.fault("rcpt", reply="552 5.2.2 full", address="full@*")
    sink.fault("rcpt", reply="451 4.7.1 rate limited, try again in 2 minutes", address="fast@*")
    sink.fault("dot", reply="550 5.7.26 unauthenticated", address="trust@*")

    def sent(name):
        return link.send(letter(1, f"{name}@example.org"), opened())

    assert sent("dead").suppress
    assert sent("full").soft
    assert sent("trust").ours
    fast = sent("fast")
    assert (fast.slow_down, fast.wait.total_seconds()) == (True, 120)


def test_a_connection_the_server_let_go_of_is_replaced_without_a_word(link, sink):
    assert link.send(letter(1), opened()).outcome is Outcome.SENT
    sink.fault("mail", do="drop", times=1)
    assert link.send(letter(2), opened()).outcome is Outcome.SENT
    assert len(sink.accepted()) == 2


@pytest.mark.parametrize(
    ("at", "rule", "outcomes"),
    [
        ("rcpt", {"reply": "550 5.1.1 no such user", "address": "2@*"}, "sent failed sent"),
        ("dot", {"reply": "452 4.3.1 no room", "times": 1}, "deferred sent sent"),
        ("dot", {"do": "drop", "times": 1}, "unknown sent sent"),
        ("dot", {"reply": "421 4.3.2 closing", "times": 1}, "deferred sent sent"),
        ("data", {"do": "drop", "times": 1, "address": "2@*"}, "sent sent sent"),
    ],
)
def test_a_letter_announced_with_the_dot_before_it_fares_for_itself(link, sink, at, rule, outcomes):
    sink.fault(at, **rule)
    letters = [letter(n, f"{n}@example.org") for n in (1, 2, 3)]
    found = []
    for place, each in enumerate(letters, 1):
        following = letters[place] if place < len(letters) else None
        found.append(link.send(each, opened(), lambda following=following: following).outcome)
    assert found == outcomes.split()
    assert len(sink.accepted()) == len(set(sink.accepted())) == found.count(Outcome.SENT)


def test_whoever_leaves_after_announcing_a_letter_sends_nothing_of_it(link, sink):
    assert link.send(letter(1), opened(), lambda: letter(2)).outcome is Outcome.SENT
    link.close()
    assert link.send(letter(3), opened()).outcome is Outcome.SENT
    assert sink.accepted() == ["<m1.1@example.com>", "<m1.3@example.com>"]


def test_a_server_without_pipelining_is_spoken_to_step_by_step():
    with mail_sink("--no-pipelining") as sink:
        made = EmailLink(Access("127.0.0.1", sink.port, Security.NONE, allow_private=True))
        assert made.send(letter(1), opened()).outcome is Outcome.SENT
        made.close()


@pytest.mark.parametrize(
    "address",
    ["a@b.example\r\nRCPT TO:<x@y.example>", "two words@example.org", "<a@b.example>", "a@", "a"],
)
def test_an_address_can_smuggle_nothing_in(link, sink, address):
    result = link.send(letter(1, address), opened())
    assert result.outcome is Outcome.FAILED
    assert sink.taken() == []


def test_private_addresses_are_refused_unless_allowed(sink):
    made = EmailLink(Access("127.0.0.1", sink.port, Security.NONE))
    result = made.send(letter(1), opened())
    assert result.outcome is Outcome.NOT_TRIED
    assert "private" in result.text


def test_a_server_without_encryption_gets_no_password(sink):
    secret = Access("127.0.0.1", sink.port, Security.STARTTLS, "user", "secret", allow_private=True)
    result = EmailLink(secret).send(letter(1), opened())
    assert result.outcome is Outcome.NOT_TRIED


def test_a_certificate_of_nobodys_is_not_believed():
    """A server that answers STARTTLS with a certificate nobody vouches for."""
    from support.mail_certificates import self_signed

    server = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed("127.0.0.1"))

    def serve():
        raw, _ = server.accept()
        try:
            context.wrap_socket(raw, server_side=True)
        except (ssl.SSLError, OSError):
            raw.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = server.getsockname()[1]
    made = EmailLink(Access("127.0.0.1", port, Security.TLS, allow_private=True))
    result = made.send(letter(1), opened())
    thread.join(5)
    server.close()
    assert result.outcome is Outcome.NOT_TRIED
    assert "certificate" in result.text
