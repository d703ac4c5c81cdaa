"""What servers say, and what it means: the table of replies, waits, blame."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailings.rules import replies
from mailings.rules.domains import group, named
from mailings.rules.replies import Kind, Record, judge


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (250, "2.0.0 Ok: queued as 4BCD", Kind.TAKEN),
        (421, "4.3.2 Service shutting down", Kind.LINK),
        (450, "4.2.0 Greylisted, please come back in 00:05:00", Kind.LATER),
        (451, "4.7.1 Greylisting in action, rate of spam is high", Kind.LATER),
        (452, "4.2.2 The email account is over quota", Kind.LATER),
        (454, "4.7.0 Temporary authentication failure", Kind.LINK),
        (550, "5.1.1 The email account that you tried to reach does not exist", Kind.REFUSED),
        (550, "No such user here", Kind.REFUSED),
        (552, "5.2.2 Mailbox full", Kind.REFUSED),
        (554, "5.7.1 Message rejected as spam", Kind.REFUSED),
        (535, "5.7.8 Authentication credentials invalid", Kind.LINK),
        (354, "Go ahead", Kind.LINK),
    ],
)
def test_what_is_to_be_done(code, text, kind):
    assert judge(code, text).kind is kind


@pytest.mark.parametrize("status", ["5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1"])
def test_dead_addresses_are_suppressed(status):
    found = judge(550, f"{status} gone")
    assert (found.suppress, found.soft, found.ours) == (True, False, False)


@pytest.mark.parametrize("status", ["5.2.2", "5.2.3", "5.3.4"])
def test_a_full_mailbox_is_not_dead(status):
    found = judge(552, f"{status} full")
    assert (found.suppress, found.soft, found.ours) == (False, True, False)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("5.7.26 This mail is unauthenticated", Record.SPF),
        ("5.7.26 did not pass DMARC", Record.DMARC),
        ("5.7.30 signature missing", Record.DKIM),
        ("5.7.25 the sending IP has no PTR record", Record.REVERSE),
        ("5.7.515 Access denied", Record.DMARC),
        ("5.7.1 spam", Record.REPUTATION),
        ("blocked by SPF policy", Record.SPF),
    ],
)
def test_distrust_is_ours_and_suppresses_nobody(text, record):
    found = judge(550, text)
    assert (found.ours, found.suppress) == (True, False)
    assert replies.blamed(text) is record


def test_complaints_of_the_pace_do_not_count_as_tries():
    for code, text in (
        (454, "4.7.0 Throttling failure: Maximum sending rate exceeded."),
        (421, "4.7.28 Our system has detected an unusual rate of mail"),
        (450, "4.2.1 The user is receiving mail at a rate that is too fast"),
    ):
        found = judge(code, text)
        assert (found.kind, found.slow_down, found.counted) == (Kind.LATER, True, False)


def test_an_answer_to_the_whole_letter_is_about_the_letter():
    assert judge(421, "4.3.2 closing", after_dot=True).kind is Kind.LATER
    assert judge(530, "5.7.0 authentication required", after_dot=True).kind is Kind.REFUSED


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 300 seconds", 300), ("Greylisted for 5 minutes", 300),
        ("please come back in 00:04:59", 299), ("retry after 1 hour", 3600),
        ("try again in 20 hours", 6 * 3600), ("try again later", None), ("in 0 seconds", None),
    ],
)  # fmt: skip
def test_the_wait_a_text_asks_for(text, seconds):
    assert replies.wait_asked(text) == (None if seconds is None else timedelta(seconds=seconds))


@given(attempt=st.integers(1, 200), luck=st.floats(0, 1))
def test_waits_grow_and_stay_within_reason(attempt, luck):
    wait = replies.next_wait(attempt, luck)
    assert timedelta(minutes=5) <= wait <= replies.LONGEST_ASKED * 1.2
    assert replies.next_wait(attempt, 0) <= replies.next_wait(attempt + 1, 0)
    assert wait >= replies.next_wait(attempt, 0)


@given(code=st.integers(-1, 700), text=st.text(max_size=80), after_dot=st.booleans())
def test_every_reply_means_something(code, text, after_dot):
    found = judge(code, text, after_dot=after_dot)
    assert found.suppress + found.soft + found.ours <= 1
    if found.kind is Kind.TAKEN:
        assert 200 <= code < 300


@given(recent=st.lists(st.booleans(), max_size=400))
def test_blame_is_too_much_from_more_than_two_in_a_hundred(recent):
    assert replies.too_much_blame(recent) == (sum(recent[-200:]) > 4)


def test_domains_of_one_mail_service_are_one_group():
    assert {group(f"a@{d}") for d in ("gmail.com", "googlemail.com")} == {"gmail.com"}
    assert {
        group(f"a@{d}") for d in ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru")
    } == {"mail.ru"}
    assert {group(f"a@{d}") for d in ("ya.ru", "yandex.ru", "yandex.kz", "yandex.com")} == {
        "yandex.ru"
    }
    assert group("a@example.org") == "example.org"
    assert named("gmail.com", "Gmail.com says slow down")
    assert not named("mail.ru", "gmail.com says slow down")
