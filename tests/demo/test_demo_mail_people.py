"""The invented recipients: how often they do what, that they always do the same, and that it really happens."""

from __future__ import annotations

import re
import smtplib
import threading
import time
from collections import Counter
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from demo.mail import returned
from demo.mail.letters import Letter
from demo.mail.people import APPLE, SCANNER, Kind, People
from demo.mail.process import mail_sink

MANY = 20_000
LANDING = "https://shop.example.com/sale?utm_source=rubilnik&utm_campaign=spring"


@pytest.fixture(scope="module")
def crowd():
    return [f"person{n}@example.com" for n in range(MANY)]


def share(number):
    return round(100 * number / MANY, 2)


def test_the_rates_are_those_of_a_good_mailing(crowd):
    people, done, refused = People(seed=3), Counter(), Counter()
    for address in crowd:
        told = people.refusal(address, 1)
        refused[told[:3]] += bool(told)
        if not told:
            done.update({act.kind for act in people.acts(address, "<1@x>") if not act.real})
    errors = share(sum(refused.values()) + done[Kind.RETURN])
    assert 2.4 < errors < 3.0
    assert 11.5 < share(done[Kind.OPEN]) < 13.5
    assert 1.0 < share(done[Kind.CLICK]) < 1.45
    assert 0.25 < share(done[Kind.UNSUBSCRIBE]) < 0.55
    assert 0 < done[Kind.WIN] < done[Kind.LEAD] < done[Kind.CLICK]
    assert done[Kind.REPLY] > 0


def test_a_person_is_the_same_person_at_every_run_but_not_with_every_letter(crowd):
    one, same = People(seed=3), People(seed=3)
    some = crowd[:2000]
    assert [one.acts(a, "<1@x>") for a in some] == [same.acts(a.upper(), "<1@x>") for a in some]
    assert [one.acts(a, "<1@x>") for a in some] != [one.acts(a, "<2@x>") for a in some]
    assert [one.refusal(a, 1) for a in some] == [same.refusal(a, 1) for a in some]
    first = Counter(one.refusal(a, 0)[:3] for a in some)
    assert first["450"] > 30, "a wary server asks to come again, once"
    assert not any(one.refusal(a, 1).startswith("450") for a in some)


def test_programs_come_at_once_and_say_what_they_are(crowd):
    acts = [act for a in crowd[:3000] for act in People().acts(a, "<1@x>") if act.real]
    assert {act.agent for act in acts} == {APPLE, SCANNER}
    assert max(act.after for act in acts if act.agent == SCANNER) < 2


class Site:
    """Stands in for the sender's application and notes who asked for what."""

    def __init__(self):
        self.asked = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                site.asked.append((self.command, self.path, self.headers["User-Agent"], body))
                self.send_response(302 if self.path.startswith("/c/") else 200)
                self.send_header("Location", LANDING)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                self.answer()

            def do_POST(self):
                self.answer()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def paths(self, start):
        return [path for _, path, *_ in self.asked if path.startswith(start)]


@contextmanager
def site():
    running = Site()
    threading.Thread(target=running.server.serve_forever, args=(0.05,), daemon=True).start()
    yield running
    running.server.shutdown()
    running.server.server_close()


def letter(app, address, number):
    message = EmailMessage()
    message["From"] = "Магазин <shop@example.com>"
    message["To"] = address
    message["Subject"] = "Весенняя скидка"
    message["Message-ID"] = f"<m1.1.{number}.abc@example.com>"
    message["List-Unsubscribe"] = f"<{app}/u/out{number}>, <mailto:u@example.com>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("Скидка")
    html = (
        f'<html><head><title>x</title></head><body><a href="{app}/c/one{number}">Смотреть</a>'
        f'<a href="https://elsewhere.test/x">чужая</a><img src="https://elsewhere.test/p.png">'
        f'<img src="{app}/o/eye{number}"><a href="{app}/u/out{number}">Отписаться</a></body></html>'
    )
    message.add_alternative(html, subtype="html")
    return message


def doing(people, *kinds):
    """Addresses whose owners do these things with the letter that bears their number."""
    found = {}
    for number in range(50_000):
        address = f"person{number}@example.com"
        if people.refusal(address, 0):
            continue
        told = {act.kind for act in people.acts(address, f"<m1.1.{number}.abc@example.com>")}
        for kind in kinds:
            if kind in told:
                found.setdefault(kind, (number, address))
        if len(found) == len(kinds):
            return found
    raise AssertionError("nobody does that")


def until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_what_they_decide_happens(portal):
    wanted = doing(
        People(seed=1), Kind.WIN, Kind.UNSUBSCRIBE, Kind.REPLY, Kind.RETURN, Kind.CLICK_ALL
    )
    dead = next(
        a for n in range(999) if People(1).refusal(a := f"p{n}@example.com", 1)[:3] == "550"
    )
    before = {row["ID"] for row in portal.control("rows/lead?limit=10000")}
    with site() as app:
        options = ("--app", app.url, "--portal", portal.url, "--speed", "1000000")
        receipts = ("--receipts", f"{app.url}/receipts/email/dsn?key=0.k")
        with mail_sink(*options, *receipts) as sink:
            with smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
                for number, address in wanted.values():
                    client.send_message(
                        letter(app.url, address, number), "shop@example.com", address
                    )
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    client.send_message(letter(app.url, dead, 0), "shop@example.com", dead)
            done = {kind.value for kind in wanted} | {"open", "click", "lead"}
            until(lambda: done <= set(sink.control()["people"]["done"]))
            number = wanted[Kind.WIN][0]
            assert f"/c/one{number}" in app.paths("/c/")
            assert f"/o/eye{number}" in app.paths("/o/")
            (unsubscribed,) = [ask for ask in app.asked if ask[1].startswith("/u/")]
            assert unsubscribed[0] == "POST"
            assert unsubscribed[3] == b"List-Unsubscribe=One-Click"
            assert len(app.paths("/receipts/email/dsn?key=0.k")) == 2
            page = requests.get(f"{sink.page_url}/?q=person{number}@", timeout=5).text
            assert "Весенняя скидка" in page
            read = sink.page_url + re.search(r"/letters/\d+", page).group()
            assert "перешёл по ссылке" in requests.get(read, timeout=5).text
            body = requests.get(f"{read}/body", timeout=5)
            assert '<head><base target="_blank">' in body.text
            assert body.headers["Content-Security-Policy"].startswith("default-src 'none'")
    new = [row for row in portal.control("rows/lead?limit=10000") if row["ID"] not in before]
    (lead,) = [row for row in new if row["EMAIL"][0]["VALUE"] == wanted[Kind.WIN][1]]
    assert (lead["UTM_SOURCE"], lead["UTM_CAMPAIGN"]) == ("rubilnik", "spring")
    assert lead["STATUS_ID"] == "CONVERTED"
    (deal,) = [
        row for row in portal.control("rows/deal?limit=10000") if row.get("LEAD_ID") == lead["ID"]
    ]
    assert (deal["STAGE_ID"], deal["CONTACT_IDS"]) == ("WON", [lead["CONTACT_ID"]])
    assert deal["UTM_CAMPAIGN"] == "spring"
    told = mails(portal, "lead", lead["ID"]) + mails(portal, "contact", lead["CONTACT_ID"])
    assert {mail["VALUE"] for mail in told} == {wanted[Kind.WIN][1]}
    assert len({mail["ID"] for mail in told}) == 2, "each has a number of its own"


def mails(portal, entity, number):
    """A card's e-mails as REST tells them."""
    webhook = portal.control("webhooks", {"user_id": 1})["url"]
    asked = {"filter": {"ID": number}, "select": ["ID", "EMAIL"]}
    answer = requests.post(f"{webhook}crm.{entity}.list", json=asked, timeout=5).json()
    return answer["result"][0]["EMAIL"]


def test_what_comes_back_is_what_servers_write():
    raw = letter("https://app.example.com", "anna@example.com", 7).as_bytes()
    taken = Letter(
        1, None, "b+1.2.ab@example.com", ("anna@example.com",), "<m1.1.7.abc@example.com>", raw
    )
    report = message_from_bytes(returned.report(taken))
    assert report.get_content_type() == "multipart/report"
    _text, about, headers = report.get_payload()
    assert about.get_payload()[1]["Status"] == "5.1.1"
    assert about.get_payload()[1]["Final-Recipient"] == "rfc822; anna@example.com"
    assert "<m1.1.7.abc@example.com>" in headers.get_payload()
    complaint = message_from_bytes(returned.complaint(taken))
    assert complaint.get_param("report-type") == "feedback-report"
    answer = message_from_bytes(returned.reply(taken))
    assert answer["In-Reply-To"] == "<m1.1.7.abc@example.com>"
