"""The verdict from facts alone: which problems there are, who ends them, and that one cause is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.web import words
from integration import health_words, misfit_words
from integration.rules.health import Code, Facts, Figures, OpenRun, Problem, Severity, diagnose

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def before(**passed):
    return NOW - timedelta(**passed)


def facts(**changed):
    fine = {
        "now": NOW,
        "state": "active",
        "installed_at": before(days=30),
        "last_sync_at": before(minutes=4),
        "last_event_at": before(minutes=10),
        "newest_card_at": before(minutes=11),
        "figures": Figures(writing=True),
    }
    return Facts(**(fine | changed))


def run(**changed):
    return OpenRun(**({"created_at": before(minutes=1), "started": True, "held": True, "reason": None}
                      | changed))  # fmt: skip


def codes(**changed):
    return [problem.code for problem in diagnose(facts(**changed))]


def severity(**changed):
    (problem,) = diagnose(facts(**changed))
    return problem.severity


def test_nothing_wrong_is_nothing_said():
    assert codes() == []
    assert codes(open_run=run()) == []


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        ("registered", None, Code.NOT_INSTALLED),
        ("uninstalled", "removed on the portal", Code.UNINSTALLED),
        ("reopen", "AuthDead", Code.ACCESS_LOST),
        ("reopen", "UserDismissed", Code.INSTALLER_DISMISSED),
        ("reopen", "UserBarred", Code.INSTALLER_BARRED),
        ("reopen", "WrongClient", Code.KEYS_REFUSED),
        ("blocked", "PlanWithoutRest", Code.PLAN_WITHOUT_REST),
        ("blocked", "PaymentRequired", Code.PORTAL_UNPAID),
        ("blocked", "Overloaded", Code.PORTAL_OVERLOADED),
        ("blocked", "PortalGone", Code.PORTAL_CLOSED),
        ("blocked", "Unreachable", Code.PORTAL_SILENT),
    ],
)
def test_a_portal_that_shuts_us_out_is_the_one_thing_said(state, reason, code):
    late = {"last_sync_at": before(days=2), "failure": "AuthDead: dead", "quarantined": 5}
    assert codes(state=state, state_reason=reason, **late) == [code]
    assert severity(state=state, state_reason=reason, **late) is Severity.NEEDS_YOU


def test_an_unfinished_installation_names_its_steps():
    (problem,) = diagnose(facts(state="installing", failed_steps=("events",), last_sync_at=None))
    assert (problem.code, problem.names) == (Code.INSTALL_UNFINISHED, ("events",))
    assert codes(state="installing", installed_at=None, last_sync_at=None) == []


def test_a_late_reading_is_a_problem_unless_one_is_under_way():
    assert codes(last_sync_at=before(minutes=29)) == []
    assert codes(last_sync_at=before(minutes=31)) == [Code.SYNC_LATE]
    assert codes(last_sync_at=None, installed_at=before(hours=1)) == [Code.SYNC_LATE]
    long_ago = {"last_sync_at": before(hours=6)}
    assert codes(**long_ago, open_run=run(created_at=before(hours=5))) == []
    abandoned = run(created_at=before(hours=5), held=False)
    assert codes(**long_ago, open_run=abandoned) == [Code.SYNC_LATE]


def test_a_failed_reading_needs_a_person_only_when_it_goes_on_failing():
    failed = {"failure": "AccessDenied: no rights"}
    assert codes(**failed) == [Code.SYNC_FAILED]
    assert severity(**failed) is Severity.PASSES
    assert severity(**failed, last_sync_at=before(hours=1)) is Severity.NEEDS_YOU
    assert codes(**failed, open_run=run()) == [Code.SYNC_FAILED], "the next attempt hides nothing"


def test_waiting_for_a_limit_names_the_methods_and_the_time():
    until = NOW + timedelta(minutes=8)
    waiting = run(held=False, reason="OperationTimeLimit: used up")
    (problem,) = diagnose(
        facts(open_run=waiting, closed=(("crm.item.list", until),), last_sync_at=before(hours=3))
    )
    assert problem == Problem(
        Code.SYNC_LIMITED, Severity.PASSES, names=("crm.item.list",), until=until
    )


def test_a_reading_that_was_interrupted_says_why():
    (problem,) = diagnose(facts(open_run=run(held=False, reason="Unreachable: no answer")))
    assert (problem.code, problem.reason) == (Code.SYNC_INTERRUPTED, "Unreachable: no answer")


def test_rows_set_aside_and_deletions_held_back_need_a_person():
    (rows,) = diagnose(facts(quarantined=3))
    assert (rows.code, rows.number, rows.severity) == (Code.QUARANTINED, 3, Severity.NEEDS_YOU)
    (held,) = diagnose(facts(held_deletions=900, held_at=before(hours=2)))
    assert (held.code, held.number, held.since) == (Code.CHECK_HELD, 900, before(hours=2))


def test_mailings_held_after_a_restore_need_a_person_even_where_the_portal_is_gone():
    (problem,) = diagnose(facts(held_mailings=2))
    assert (problem.code, problem.number) == (Code.MAILINGS_HELD, 2)
    assert problem.severity is Severity.NEEDS_YOU
    assert Code.MAILINGS_HELD in codes(held_mailings=1, state="blocked")


def test_events_are_missed_when_cards_appear_without_them():
    silent = before(days=4)
    assert codes(last_event_at=silent, newest_card_at=before(hours=5)) == [Code.EVENTS_MISSED]
    assert codes(last_event_at=silent, newest_card_at=silent) == [], "a quiet portal"
    assert codes(last_event_at=before(days=2), newest_card_at=before(hours=1)) == []
    fresh = {"last_event_at": None, "installed_at": before(days=1)}
    assert codes(**fresh, newest_card_at=before(hours=1)) == []
    holidays = {"last_event_at": None, "newest_card_at": before(days=4)}
    assert codes(**holidays) == [], "its event has been forgotten since"
    never = {"last_event_at": None, "newest_card_at": before(hours=1)}
    assert codes(**never) == [Code.EVENTS_MISSED]


def test_our_own_machinery_is_blamed_for_the_first_broken_link_only():
    stuck = {
        "open_run": run(started=False, held=False, created_at=before(minutes=6)),
        "waiting_event_at": before(minutes=6),
    }
    assert codes(**stuck) == [Code.WORK_STUCK, Code.EVENTS_STUCK]
    assert codes(**stuck, silent=("worker-sync",)) == [Code.PROCESS_SILENT]
    assert codes(**stuck, queue_answers=False) == [Code.QUEUE_AWAY]
    assert codes(open_run=run(started=False, held=False), waiting_event_at=before(seconds=9)) == []


def test_writing_that_is_off_has_no_problems():
    assert codes(figures=Figures(missing=("UF_CRM_RUBILNIK_LTV",), failed=3, reason="x")) == []


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"missing": ("UF_CRM_RUBILNIK_LTV",), "reason": "missing_fields: UF_CRM_RUBILNIK_LTV"},
         [(Code.FIELDS_MISSING, Severity.NEEDS_YOU)]),
        ({"failed": 2, "reason": "{'ERROR_CORE': 2}"}, [(Code.WRITING_FAILED, Severity.NEEDS_YOU)]),
        ({"reason": "AccessDenied: no rights"}, [(Code.WRITING_REFUSED, Severity.NEEDS_YOU)]),
        ({"failed": 9, "reason": "{'ACCESS_DENIED': 9}"},
         [(Code.WRITING_REFUSED, Severity.NEEDS_YOU)]),
        ({"reason": "Unreachable: away", "resume_at": NOW}, [(Code.WRITING_WAITS, Severity.PASSES)]),
    ],
)  # fmt: skip
def test_writing_that_does_not_succeed(figures, expected):
    found = diagnose(facts(figures=Figures(writing=True, **figures)))
    assert [(problem.code, problem.severity) for problem in found] == expected


def test_figures_that_lag_behind_pass_at_first_and_then_need_a_person():
    assert codes(figures=Figures(due_since=before(minutes=14))) == []
    assert severity(figures=Figures(due_since=before(minutes=16))) is Severity.PASSES
    assert severity(figures=Figures(due_since=before(minutes=61))) is Severity.NEEDS_YOU
    assert codes(figures=Figures(due_since=before(hours=2)), open_run=run()) == []


def test_what_needs_a_person_comes_first():
    found = codes(quarantined=1, open_run=run(held=False, reason="RateLimited: slow"))
    assert found == [Code.QUARANTINED, Code.SYNC_LIMITED]


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("code", Code)
def test_every_problem_is_told_with_what_it_means_and_what_to_do(code, language):
    with words.speaking(language):
        told = health_words.worded(
            Problem(code, Severity.NEEDS_YOU, number=2, reason="AuthDead: x")
        )
        notice = health_words.notice(Problem(code, Severity.NEEDS_YOU, number=2))
    assert told.title
    assert told.meaning
    assert told.advice
    assert told.title in notice or "2" in notice
    cyrillic = any("а" <= letter <= "я" for letter in told.title + told.advice)
    assert cyrillic == (language == "ru")


def test_reasons_of_rows_are_worded_with_the_labels_of_their_fields():
    with words.speaking("ru"):
        misfit = misfit_words.misfit("left out: UF_CRM_1: not a whole number", {"UF_CRM_1": "Дети"})
        assert misfit == "Сохранено без этих значений — Дети (UF_CRM_1): не целое число"
        assert (
            misfit_words.misfit("BIRTHDATE: not a date", {}) == "Дата рождения (BIRTHDATE): не дата"
        )
        assert "виде" in misfit_words.misfit("the row has another shape", {})
        assert misfit_words.misfit("something new", {}) == "something new"
