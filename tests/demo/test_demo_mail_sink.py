"""The demo's mail server: what it takes, what it never took, and the ways it can be told to fail."""

from __future__ import annotations

import base64
import ipaddress
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from demo.mail.faults import Faults, written
from demo.mail.process import ControlError, mail_sink

LETTER = (
    "From: shop@example.com\r\nTo: {to}\r\nSubject: =?utf-8?b?0J/RgNC40LLQtdGC?=\r\n"
    "Message-ID: <{number}@example.com>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nfirst\r\n"
)


@pytest.fixture(scope="module")
def running():
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def sink(running):
    running.reset()
    return running


@pytest.fixture
def client(sink):
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        yield client


def send(client, number=1, to="anna@example.com", body="", sender="b+1@example.com"):
    return client.sendmail(sender, to, LETTER.format(to=to, number=number) + body)


def talk(sink, data, wait=0.3):
    """Raw bytes in, what was answered within a moment out."""
    with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as link:
        link.sendall(data)
        link.settimeout(wait)
        answered = b""
        with suppress(TimeoutError, ConnectionResetError):
            while chunk := link.recv(65536):
                answered += chunk
        return answered.decode()


def test_a_letter_is_kept_with_its_envelope_headers_and_text(sink, client):
    send(client)
    (letter,) = sink.messages()
    assert (letter["sender"], letter["recipients"]) == ("b+1@example.com", ["anna@example.com"])
    assert (letter["subject"], letter["text"].strip()) == ("Привет", "first")
    assert letter["headers"]["message-id"] == letter["message_id"] == "<1@example.com>"
    assert letter["defects"] == []
    assert sink.accepted() == ["<1@example.com>"]


def test_dots_at_the_beginning_of_lines_come_through(sink, client):
    send(client, body=".\r\n..\r\n.one\r\nend.\r\n")
    assert sink.messages()[0]["raw"].endswith("first\r\n.\r\n..\r\n.one\r\nend.\r\n")


def test_an_unterminated_letter_never_existed(sink):
    talk(sink, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n\r\nhalf\r\n.\n")
    assert sink.messages() == []
    assert sink.accepted() == []
    assert sink.control()["counted"]["unterminated"] == 1


def test_all_commands_may_come_in_one_packet(sink):
    words = (
        b"EHLO x\r\nMAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
        b"\r\n.\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<e@f.test>\r\nDATA\r\n.\r\nQUIT\r\n"
    )
    codes = [line[:3] for line in talk(sink, words).splitlines() if line[3] == " "]
    assert codes == ["220", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
    assert [one["recipients"] for one in sink.messages()] == [["c@d.test"], ["e@f.test"]]


def test_what_is_not_in_order_is_refused(sink):
    words = b"EHLO x\r\nDATA\r\nRCPT TO:<a@b.test>\r\nMAIL FROM:nobody\r\nMAIL FROM:<a@b.test>\r\n"
    words += b"MAIL FROM:<a@b.test>\r\nRCPT TO:<>\r\nMAIL\r\nNONSENSE\r\n"
    codes = [line[:3] for line in talk(sink, words).splitlines() if line[3] == " "]
    assert codes[2:] == ["554", "503", "501", "250", "503", "501", "501", "500"]


@pytest.mark.parametrize(
    ("rule", "taken"),
    [
        ({"at": "dot", "do": "drop"}, 0),
        ({"at": "dot", "do": "reset"}, 0),
        ({"at": "dot", "do": "lose"}, 1),
        ({"at": "data", "do": "drop"}, 0),
        ({"at": "body", "do": "drop", "bytes": 100}, 0),
        ({"at": "ehlo", "do": "drop"}, 0),
    ],
)
def test_a_cut_link_is_noticed_and_only_what_was_ended_by_a_dot_is_taken(sink, rule, taken):
    sink.fault(**rule)
    client = smtplib.SMTP("127.0.0.1", sink.port, timeout=5)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        send(client)
    client.close()
    assert len(sink.accepted()) == taken


def test_an_answer_can_break_off_in_its_middle(sink):
    sink.fault("dot", do="cut")
    words = b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n.\r\n"
    told = talk(sink, words)
    last = told.splitlines()[-1]
    assert last.startswith("250 2.0.0")
    assert "queued" not in last, "half of it is missing, however long the letter's number is"
    assert not told.endswith("\r\n")
    assert len(sink.taken()) == 1


def test_replies_go_to_the_addresses_they_are_meant_for(sink, client):
    sink.fault("rcpt", reply="550 5.1.1 No such user", address="*@dead.test")
    sink.fault("dot", reply="451 4.7.1 Try again in 30 seconds", address="slow@*", times=1)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(client, to="x@DEAD.test")
    assert refused.value.recipients["x@DEAD.test"] == (550, b"5.1.1 No such user")
    with pytest.raises(smtplib.SMTPDataError) as put_off:
        send(client, to="slow@live.test")
    assert put_off.value.smtp_code == 451
    send(client, 2, to="slow@live.test")
    assert sink.accepted() == ["<2@example.com>"]


def test_greylisting_refuses_each_address_once(sink, client):
    sink.fault("rcpt", reply="450 4.2.0 Greylisted", per_address=1)
    for to in ("a@b.test", "c@d.test"):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(client, to=to)
        send(client, to=to)
    assert len(sink.accepted()) == 2


def test_a_late_answer_is_late_and_the_letter_is_there_before_it(sink, client):
    sink.fault("dot", do="late", seconds=0.3)
    client.mail("a@b.test")
    client.rcpt("c@d.test")
    client.docmd("DATA")
    began = time.monotonic()
    client.send(b"Message-ID: <1@x>\r\n\r\n\r\n.\r\n")
    while not sink.accepted() and time.monotonic() - began < 2:
        time.sleep(0.01)
    assert time.monotonic() - began < 0.25
    assert client.getreply()[0] == 250
    assert time.monotonic() - began >= 0.3


def test_421_closes_at_connect_and_later(sink):
    sink.fault("connect", reply="421 4.3.2 Not now", times=1)
    with pytest.raises(smtplib.SMTPConnectError):
        smtplib.SMTP("127.0.0.1", sink.port, timeout=5)
    sink.fault("mail", reply="421 4.3.2 Closing")
    assert talk(sink, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nNOOP\r\n").endswith(
        "421 4.3.2 Closing\r\n"
    )


def test_connections_can_be_refused_cut_and_counted(sink, client):
    sink.control("refuse", {})
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sink.port), timeout=1)
    send(client)
    assert sink.control("drop", {}) == {"dropped": 1}
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    sink.control("accept", {})
    assert talk(sink, b"QUIT\r\n").startswith("220")


def test_a_round_trip_is_waited_once_for_a_whole_packet(sink):
    sink.control("options", {"delay": 0.2})
    began = time.monotonic()
    try:
        talk(sink, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nQUIT\r\n", wait=2)
    finally:
        sink.control("options", {"delay": 0})
    assert 0.2 <= time.monotonic() - began < 0.5


def test_without_pipelining_the_impatient_are_told_so(sink):
    sink.control("options", {"pipelining": False})
    try:
        said = talk(sink, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\n")
        assert "PIPELINING" not in said
        assert "421 4.5.0" in said
    finally:
        sink.control("options", {"pipelining": True})


def test_bare_line_ends_and_long_lines_are_named(sink):
    words = b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nSubject: x\r\n\r\n"
    talk(sink, words + b"one\ntwo\rthree\r\n" + b"y" * 1000 + b"\r\n.\r\nQUIT\r\n")
    assert sink.messages()[0]["defects"] == ["BareLineFeed", "BareCarriageReturn", "LongLine"]


def test_a_name_and_password_are_asked_for():
    with mail_sink("--login", "shop:secret") as sink:
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
            with pytest.raises(smtplib.SMTPSenderRefused):
                send(client)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("shop", "wrong")
            client.login("shop", "secret")
            send(client)
        plain = base64.b64encode(b"\0shop\0secret").decode()
        assert "235 2.7.0" in talk(sink, f"EHLO x\r\nAUTH PLAIN {plain}\r\nQUIT\r\n".encode())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    signed = made.add_extension(local, critical=False).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    written = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + written)
    return path


def test_letters_go_over_tls(certificate):
    trusting = ssl.create_default_context(cafile=str(certificate))
    options = ("--tls-certificate", str(certificate))
    with mail_sink(*options) as sink:
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
            client.starttls(context=trusting)
            send(client, 1)
            assert not client.has_extn("starttls")
        with pytest.raises(ssl.SSLCertVerificationError):
            smtplib.SMTP("127.0.0.1", sink.port).starttls(context=ssl.create_default_context())
        assert len(sink.accepted()) == 1
    with mail_sink(*options, "--implicit-tls") as sink:
        with smtplib.SMTP_SSL("127.0.0.1", sink.port, context=trusting, timeout=5) as client:
            send(client, 2)
        assert sink.accepted() == ["<2@example.com>"]


def test_a_mistake_in_a_rule_is_told(sink):
    with pytest.raises(ControlError, match="unknown step"):
        sink.fault("somewhere", do="drop")
    with pytest.raises(ControlError, match="not a reply"):
        sink.fault("dot", do="reply")


def test_rules_can_be_written_on_the_command_line():
    rule = written("at=rcpt; reply=550 5.1.1 No such user; address=*@dead.test; times=2; share=0.5")
    faults = Faults()
    faults.add(rule)
    assert rule == {
        "at": "rcpt", "reply": "550 5.1.1 No such user", "address": "*@dead.test", "times": 2, "share": 0.5,
    }  # fmt: skip
    fired = sum(faults.at("rcpt", "a@dead.test") is not None for _ in range(100))
    assert fired == 2
