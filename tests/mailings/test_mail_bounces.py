"""Messages that come back: what they are, whom they speak of, and what they change. A forged one changes nothing."""

from __future__ import annotations

import email
import os
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support import returned
from support.imap_server import PASSWORD, USER, imap_server
from support.mail_results import MailPortal, web
from support.returned import complaint, dsn, letter, message_id, qmail, verp

import mailings.web.public.receipt_views
from core import runtime
from core.clock import utcnow
from integration.bitrix.answers import Batch
from integration.bitrix.errors import RateLimited
from mailings.consent import suppressions
from mailings.models import MailServer
from mailings.permissions import ConsentRecord, Suppression
from mailings.receipts import imap, mailbox, returns
from mailings.receipts.secrets import ALL_PORTALS, key, webhook_url
from mailings.results import reply_notes
from mailings.rules import bounces
from mailings.rules.bounces import Sort
from mailings.rules.tokens import Purpose

TO = "b+1.2.00112233445566ff@bounce.example.com"
KNOWN = {
    "dead": (dsn(TO), Sort.HARD),
    "dead domain": (dsn(TO, "5.1.2"), Sort.HARD),
    "unknown, said in words": (dsn(TO, "5.0.0", diagnostic="smtp; 550 User unknown"), Sort.HARD),
    "full": (dsn(TO, "5.2.2", diagnostic="smtp; 552 5.2.2 Mailbox full"), Sort.SOFT),
    "full, said in words": (dsn(TO, "5.0.0", diagnostic="smtp; 552 Quota exceeded"), Sort.SOFT),
    "given up": (dsn(TO, "4.4.7", diagnostic="smtp; delivery time expired"), Sort.SOFT),
    "our fault": (dsn(TO, "5.7.26", diagnostic="smtp; 550 5.7.26 not authenticated"), Sort.BLOCKED),
    "late": (dsn(TO, "4.4.1", action="delayed", diagnostic=""), Sort.DELAYED),
    "relayed": (dsn(TO, "2.0.0", action="relayed", diagnostic=""), Sort.AUTOMATIC),
    "no report": (qmail(TO), Sort.HARD),
    "no report, full": (qmail(TO, "Mailbox quota exceeded (#5.2.2)"), Sort.SOFT),
    "complaint": (complaint("<m1.1.2.00112233445566ff@example.com>"), Sort.COMPLAINT),
    "unsubscribe": (letter("u+1.2.00112233445566ff@example.com", "unsubscribe"), Sort.UNSUBSCRIBE),
    "reply": (letter("sales@example.com", In_Reply_To="<m1.1.2.00112233445566ff@example.com>"), Sort.REPLY),
    "reply later in a thread": (
        letter("sales@example.com", References="<a@b.c>\r\n <m1.1.2.00112233445566ff@example.com>"), Sort.REPLY),
    "out of office": (
        letter("sales@example.com", Auto_Submitted="auto-replied",
               In_Reply_To="<m1.1.2.00112233445566ff@example.com>"), Sort.AUTOMATIC),
    "out of office in Russian": (
        letter(TO, "=?utf-8?b?0JDQstGC0L7QvtGC0LLQtdGCOiDRjyDQsiDQvtGC0L/Rg9GB0LrQtQ==?="), Sort.AUTOMATIC),
    "Exchange's": (letter(TO, "Automatic reply: offer", X_Auto_Response_Suppress="All"), Sort.AUTOMATIC),
    "something else at that address": (letter(TO, "hello"), Sort.UNREADABLE),
    "nothing of ours": (letter("sales@example.com", "hello"), Sort.FOREIGN),
    "a report of a stranger's letter": (dsn("other@example.com"), Sort.HARD),
    "empty": (b"", Sort.FOREIGN),
    "rubbish": (os.urandom(2000), Sort.FOREIGN),
}  # fmt: skip


@pytest.mark.parametrize("what", KNOWN)
def test_what_a_message_is(what):
    raw, sort = KNOWN[what]
    assert bounces.read(email.message_from_bytes(raw)).sort is sort


def test_the_envelope_names_the_delivery_where_the_headers_do_not():
    read = bounces.read(email.message_from_bytes(dsn("postmaster@example.com")), TO)
    assert [(each.purpose, each.text) for each in read.labels] == [
        (Purpose.RETURN, "1.2.00112233445566ff")
    ]


@pytest.fixture
def crm(session):
    return MailPortal(session)


@pytest.fixture
def take(session, settings):
    def taken(raw, **how):
        return returns.take(session, settings.secret_key, raw, **how)

    return taken


def suppressed(crm, delivery):
    found = suppressions.of(crm.session, crm.id, "email", delivery.address)
    return found and found.reason


def test_a_dead_address_is_written_to_no_more(crm, take, settings):
    delivery = crm.delivery(crm.mailing())
    taken = take(dsn(verp(settings.secret_key, delivery)))
    assert (taken.sort, taken.delivery_id, taken.new) == (Sort.HARD, delivery.id, True)
    stored = crm.fresh(delivery)
    assert (stored.state, stored.reason, stored.reply_status) == ("bounced", "hard", "5.1.1")
    assert stored.bounced_at is not None
    assert suppressed(crm, delivery) == "bounced"
    assert crm.session.scalar(sa.select(sa.func.count(Suppression.address_hash))) == 1


def test_the_enclosed_letter_tells_whose_it_is(crm, take, settings):
    delivery = crm.delivery(crm.mailing(), state="unknown", sent_at=None)
    take(dsn("postmaster@example.com", original=message_id(settings.secret_key, delivery)))
    assert crm.fresh(delivery).state == "bounced"


def test_a_full_box_is_forgiven_twice_in_a_month(crm, take, settings):
    mailing_ids = [crm.mailing() for _ in range(4)]
    deliveries = [crm.delivery(each) for each in mailing_ids]
    for number, delivery in enumerate(deliveries[:3]):
        assert suppressed(crm, delivery) is None
        take(dsn(verp(settings.secret_key, delivery), "5.2.2", number=number))
        if number == 0:  # the first one was long ago
            crm.events(delivery)[0].at = utcnow() - timedelta(days=31)
            crm.session.flush()
    assert suppressed(crm, deliveries[0]) is None
    take(dsn(verp(settings.secret_key, deliveries[3]), "5.2.2", number=9))
    assert suppressed(crm, deliveries[3]) == "bounced"


def test_what_is_our_fault_or_may_pass_suppresses_nobody(crm, take, settings):
    mailing = crm.mailing()
    blocked, late, away = (crm.delivery(mailing, number) for number in (1, 2, 3))
    secret = settings.secret_key
    take(dsn(verp(secret, blocked), "5.7.1", diagnostic="smtp; 550 5.7.1 spam"))
    take(dsn(verp(secret, late), "4.4.1", action="delayed", diagnostic=""))
    take(letter(verp(secret, away), "Out of office", Auto_Submitted="auto-replied"))
    assert [crm.fresh(each).state for each in (blocked, late, away)] == ["bounced", "sent", "sent"]
    assert [len(crm.events(each)) for each in (blocked, late, away)] == [1, 1, 0]
    assert [suppressed(crm, each) for each in (blocked, late, away)] == [None] * 3


def test_a_complaint_is_for_good(crm, take, settings):
    delivery = crm.delivery(crm.mailing())
    take(complaint(message_id(settings.secret_key, delivery)))
    assert crm.fresh(delivery).complained_at is not None
    assert crm.fresh(delivery).state == "sent"
    assert suppressed(crm, delivery) == "complained"
    with pytest.raises(suppressions.NeverLifted):
        suppressions.lift(crm.session, crm.id, "email", delivery.address, actor="1")


def test_a_letter_unsubscribes(crm, take, settings):
    delivery = crm.delivery(crm.mailing())
    label = returned.label(settings.secret_key, delivery, Purpose.UNSUBSCRIBE)
    take(letter(f"u+{label}@example.com", "unsubscribe"))
    assert crm.fresh(delivery).unsubscribed_at is not None
    assert suppressed(crm, delivery) == "unsubscribed"
    [word] = crm.session.scalars(sa.select(ConsentRecord).where(ConsentRecord.portal_id == crm.id))
    assert (word.given, word.address, word.topic) == (False, delivery.address, "offers")


def test_a_reply_is_told_from_a_machines(crm, take, settings):
    delivery = crm.delivery(crm.mailing())
    ours = message_id(settings.secret_key, delivery)
    take(letter("sales@example.com", In_Reply_To=ours, Auto_Submitted="auto-generated"))
    assert crm.fresh(delivery).replied_at is None
    take(letter("sales@example.com", In_Reply_To=ours))
    assert crm.fresh(delivery).replied_at is not None


def test_the_same_message_counts_once(crm, take, settings):
    delivery = crm.delivery(crm.mailing())
    raw = dsn(verp(settings.secret_key, delivery))
    assert [take(raw).new for _ in range(3)] == [True, False, False]
    assert len(crm.events(delivery)) == 1


def test_a_forged_return_changes_nothing(crm, take, settings, session):
    delivery, other = crm.delivery(crm.mailing()), MailPortal(session)
    numbers = f"{crm.id}.{delivery.id}"
    good = returned.label(settings.secret_key, delivery)
    message = returned.label(settings.secret_key, delivery, Purpose.MESSAGE)
    forged = [
        dsn("b+@bounce.example.com"), dsn(f"b+{numbers}@x.example"), dsn(f"b+{numbers}.{'0' * 16}@x.example"),
        dsn(f"b+{message}@x.example"), dsn(f"b+{good[:-1]}{'0' if good[-1] != '0' else '1'}@x.example"),
        dsn(f"b+{crm.id}.{delivery.id + 1}.{good.rpartition('.')[2]}@x.example"),
        dsn(f"b+99999999999.{delivery.id}.{'0' * 16}@x.example"),
        dsn(delivery.address), complaint(f"<m1.{good}@example.com>"), complaint("<m1@example.com>"),
        letter(f"u+{good}@example.com", "unsubscribe"), letter(f"u+{message}@example.com"),
    ]  # fmt: skip
    for raw in forged:
        assert take(raw).delivery_id is None
    assert take(dsn(verp(settings.secret_key, delivery)), portal_id=other.id).delivery_id is None
    assert crm.events(delivery) == []
    assert crm.fresh(delivery).state == "sent"
    assert session.scalar(sa.select(sa.func.count(Suppression.address_hash))) == 0


def test_a_bottomless_message_ends(take):
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=B%d\r\n\r\n--B%d\r\n" % (n, n)
        for n in range(3000)
    )
    assert take(deep).delivery_id is None
    assert take(b"Content-Type: message/rfc822\r\n\r\n" * 5000).delivery_id is None


@pytest.fixture
def post(settings, sessions, redis_url):
    with web(settings, sessions, mailings.web.public.receipt_views.blueprint) as client:

        def posted(raw, door, provider="dsn", **headers):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.post(
                f"/receipts/email/{provider}?key={door}", data=raw, headers=named,
                content_type="application/x-www-form-urlencoded",
            )  # fmt: skip

        yield posted


def test_returned_letters_are_posted_with_a_key(crm, post, settings):
    mailing = crm.mailing()
    first, second = crm.delivery(mailing, 1), crm.delivery(mailing, 2)
    own, all_portals = key(settings, crm.id), key(settings, ALL_PORTALS)
    assert webhook_url(settings, crm.id) == f"https://app.example.com/receipts/email/dsn?key={own}"
    answer = post(dsn(verp(settings.secret_key, first)), own)
    assert answer.json == {"taken": "hard", "delivery": first.id, "new": True}
    answer = post(
        dsn("x@example.com"), all_portals, X_Envelope_To=verp(settings.secret_key, second)
    )
    assert answer.json["delivery"] == second.id
    assert crm.fresh(second).state == "bounced"


def test_without_the_key_nothing_is_read(crm, post, settings, session):
    delivery = crm.delivery(crm.mailing())
    raw, good = dsn(verp(settings.secret_key, delivery)), key(settings, crm.id)
    number, _, signature = good.partition(".")
    for wrong in (
        "",
        "x",
        signature,
        f"{int(number) + 1}.{signature}",
        f"{good}0",
        f"-{good}",
        f"{10**30}.a",
    ):
        assert post(raw, wrong).status_code == 403
    assert post(raw, good, provider="other").status_code == 404
    assert post(b"x" * (1024 * 1024 + 1), good).status_code == 413
    stranger = MailPortal(session)
    assert post(raw, key(settings, stranger.id)).json["delivery"] is None
    assert crm.fresh(delivery).state == "sent"


# -- the mailbox -------------------------------------------------------------------------------


@pytest.fixture
def box(tmp_path):
    with imap_server(tmp_path) as server:
        yield server


@pytest.fixture
def server(crm, post, box):
    sealed = runtime.current().vault.seal(crm.id, PASSWORD)
    made = MailServer(
        portal_id=crm.id, name="Почта", from_email="sales@example.com", mailbox_password_sealed=sealed,
        mailbox={"host": "127.0.0.1", "port": box.port, "security": "tls", "username": USER},
    )  # fmt: skip
    crm.session.add(made)
    crm.session.commit()
    return made


@pytest.fixture
def read(crm, server, box):
    def reading(**how):
        found = mailbox.read(runtime.current(), crm.id, server.id, **{"context": box.trust, **how})
        crm.session.expire_all()
        return found

    return reading


def test_the_mailbox_is_read_and_cleared_of_what_is_done_with(crm, read, server, box, settings):
    mailing = crm.mailing()
    first, second = crm.delivery(mailing, 1), crm.delivery(mailing, 2)
    box.put(dsn(verp(settings.secret_key, first)))
    reply = box.put(
        letter("sales@example.com", In_Reply_To=message_id(settings.secret_key, second))
    )
    strange = box.put(letter("sales@example.com", "hello"))
    found = read()
    assert found.taken == {"hard": 1, "reply": 1, "foreign": 1}
    assert set(box.letters) == {reply, strange}, "people read their letters themselves"
    assert crm.fresh(first).state == "bounced"
    assert crm.fresh(second).replied_at is not None
    assert server.mailbox_problem is None
    assert server.mailbox_read_at is not None
    assert read().taken == {}, "nothing is read twice"
    box.put(complaint(message_id(settings.secret_key, second)))
    assert read().taken == {"complaint": 1}


def test_a_reader_cut_off_loses_nothing_and_takes_nothing_twice(crm, read, server, box, settings):
    delivery = crm.delivery(crm.mailing())
    box.put(dsn(verp(settings.secret_key, delivery)))
    box.dies_before = "STORE"
    assert read().problem == "connection"
    assert server.mailbox_problem == "connection"
    assert crm.fresh(delivery).state == "bounced", "the row comes first"
    assert len(box.letters) == 1, "the mail second"
    box.dies_before = ""
    assert read().taken == {"hard": 1}
    assert box.letters == {}
    assert len(crm.events(delivery)) == 1
    assert server.mailbox_problem is None


def test_a_box_made_anew_is_read_from_its_beginning(crm, read, box, settings):
    delivery = crm.delivery(crm.mailing())
    box.put(letter("sales@example.com", "hello"))
    read()
    box.letters, box.validity = {}, 8
    box.put(dsn(verp(settings.secret_key, delivery)))
    assert read().taken == {"hard": 1}


def test_troubles_of_a_mailbox_have_names(crm, read, server, box):
    assert read(context=None).problem == "certificate"
    for change, problem in (
        ({"username": "nobody"}, "login"), ({"folder": "Возвраты"}, "folder"), ({"port": 9}, "connection"),
        ({"host": "no.such.host.invalid"}, "connection"), ({"host": "169.254.169.254"}, "address"),
    ):  # fmt: skip
        before = server.mailbox
        server.mailbox = {**before, **change}
        crm.session.commit()
        assert read().problem == problem
        server.mailbox = before
        crm.session.commit()


def test_private_addresses_are_read_only_where_that_is_allowed(crm, server, box):
    made = runtime.current()
    strict = replace(made, settings=replace(made.settings, allow_private_portals=False))
    found = mailbox.read(strict, crm.id, server.id, context=box.trust)
    assert (found.problem, box.commands) == ("address", [])


@pytest.mark.parametrize(
    ("name", "wire"),
    [("INBOX", '"INBOX"'), ("Возвраты", '"&BBIEPgQ3BDIEQAQwBEIESw-"'), ('a"b&c', '"a\\"b&-c"')],
)
def test_folders_in_other_letters(name, wire):
    assert imap._quoted(name) == wire


# -- replies told of ---------------------------------------------------------------------------


class Told:
    """Stands for the portal: keeps the notices, refuses those to users it is told to refuse."""

    def __init__(self, refused=()):
        self.notices, self.refused = [], refused

    def batch(self, commands, **_how):
        found = Batch()
        for name, (method, params) in commands.items():
            assert method == "im.notify.system.add"
            if params["USER_ID"] in self.refused:
                found.errors[name] = RateLimited("QUERY_LIMIT_EXCEEDED")
            else:
                self.notices.append((params["USER_ID"], params["MESSAGE"]))
        return found


@pytest.fixture
def replied(crm, take, settings):
    """Clients who replied; of each his responsible employee."""

    def reply(client_id, user_id):
        crm.contact(client_id, "Анна", f"Ветрова [{client_id}]", assigned_by_id=user_id)
        delivery = crm.delivery(crm.mailing(), client_id)
        ours = message_id(settings.secret_key, delivery)
        take(letter("sales@example.com", In_Reply_To=ours))
        crm.session.commit()

    return reply


def test_the_responsible_employee_is_told_of_a_reply_once(crm, post, replied, monkeypatch):
    replied(1, 7)
    replied(2, 8)
    replied(3, None)
    portal = Told()
    monkeypatch.setattr(reply_notes, "connect", lambda *_, **__: portal)
    assert reply_notes.due(crm.session) == [crm.id]
    assert reply_notes.tell(runtime.current(), crm.id) == 3
    assert [user for user, _ in portal.notices] == [7, 8]
    assert portal.notices[0][1] == (
        "Ответ на рассылку «Осенняя скидка»: [URL=/crm/contact/details/1/]Анна Ветрова (1)[/URL]. "
        "Письмо лежит в почтовом ящике."
    )
    assert reply_notes.due(crm.session) == []
    assert reply_notes.tell(runtime.current(), crm.id) == 0
    assert len(portal.notices) == 2


def test_a_notice_that_was_put_off_is_told_later(crm, post, replied, monkeypatch):
    replied(1, 7)
    replied(2, 8)
    portal = Told(refused={8})
    monkeypatch.setattr(reply_notes, "connect", lambda *_, **__: portal)
    assert reply_notes.tell(runtime.current(), crm.id) == 1
    portal.refused = ()
    assert reply_notes.tell(runtime.current(), crm.id) == 1
    assert [user for user, _ in portal.notices] == [7, 8]
