"""Rows 4, 5, 6 and 10: no answer, answers that are none, bombs, and batches that fail in part."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from support.trouble import assert_as_without_faults, finish, hits, newest, write_all
from support.truths import mirror_of

from core import runtime
from core.http import Http
from integration.models import PortalState

READS = ["crm.contact.list", "batch", "user.get"]


def shape(result):
    return {"kind": "html", "status": 200, "body": orjson.dumps({"result": result}).decode()}


ERROR_INSIDE = {
    "kind": "html",
    "status": 200,
    "body": '{"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}',
}
RETRIED = {
    "connection-closed": {"kind": "drop"},
    "cut-in-the-middle": {"kind": "cut"},
    "answer-lost": {"kind": "drop_after_commit"},
    "login-page": {"kind": "html", "status": 200},
    "gateway-page": {"kind": "html", "status": 502},
    "half-a-json": {"kind": "truncate"},
    "error-inside-200": ERROR_INSIDE,
    "broken-down": {"kind": "error", "status": 500},
    "a-text": shape("maintenance"),
    "wrong-type": {"kind": "content_type", "body": "text/html"},
}


@pytest.mark.parametrize("name", RETRIED)
def test_spoilt_answers_are_asked_again(world, fault_free, name):
    for match in READS:
        world.demo.fault(match=match, times=1, **RETRIED[name])
    assert world.sync().status == "done"
    assert hits(world) == len(READS)
    finish(world)
    assert_as_without_faults(world, fault_free)


@pytest.mark.parametrize("name", ["connection-closed", "answer-lost", "cut-in-the-middle"])
def test_a_write_without_an_answer_is_sent_again(world, fault_free, name):
    assert world.sync().status == "done"
    world.count()
    world.demo.fault(match="batch", times=1, **RETRIED[name])
    report = world.write()
    assert (report.failed, report.reason) == (0, None)
    assert hits(world) == 1
    write_all(world)
    assert_as_without_faults(world, fault_free)


@pytest.fixture
def impatient(world):
    """Answers are waited for a moment only."""
    world.runtime = replace(
        world.runtime,
        http=Http(
            allow_private=True, trusted=world.runtime.settings.b24_oauth_urls, read_timeout=0.4
        ),
    )
    runtime.install(world.runtime)


def test_an_answer_that_never_comes_is_asked_again(world, fault_free, impatient):
    world.demo.fault("delay", "crm.company.list", seconds=0.8)
    finish(world)
    assert hits(world) == 1
    assert_as_without_faults(world, fault_free)


def assert_only_good_rows(world, fault_free):
    """What has been committed is part of what a run without faults commits."""
    for name, rows in mirror_of(world).items():
        expected = fault_free.mirror[name]
        if isinstance(rows, dict):
            assert rows.items() <= expected.items(), name
        else:
            assert set(map(repr, rows)) <= set(map(repr, expected)), name


WRONG = {
    "rows-not-asked-for": {"kind": "bad_rows", "skip": 2},
    "another-shape": shape({"rows": 1}),
    "no-rows-but-numbers": shape([1, 2, 3]),
    "null-rows": shape([None]),
    "no-id": shape([{"ID": None, "NAME": "X"}]),
    "huge": {"kind": "huge"},
    "bomb": {"kind": "gzip_bomb"},
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_lies_ends_the_run_and_is_not_stored(world, fault_free, name):
    world.demo.fault(match="crm.contact.list", **WRONG[name])
    progress = world.sync()
    assert progress.status == "failed"
    assert progress.reason.split(":")[0] in {"PageMismatch", "UnexpectedAnswer"}
    assert world.portal.state == PortalState.ACTIVE
    assert_only_good_rows(world, fault_free)
    finish(world)
    assert_as_without_faults(world, fault_free)


@pytest.mark.parametrize(
    "dictionaries",
    [
        {"statuses": 5},
        {"statuses": [{"NAME": "no id"}]},
        {"pipelines": []},
        {"currencies": [None]},
        {"item_fields": {"fields": [1]}},
    ],
)
def test_dictionaries_of_another_shape_end_the_run_with_a_reason(
    world, fault_free, dictionaries, monkeypatch
):
    from integration.sync import dictionaries as module

    read = module.read

    def spoilt(*args, **kwargs):
        found = read(*args, **kwargs)
        found.rows |= dictionaries
        return found

    with monkeypatch.context() as patch:
        patch.setattr(module, "read", spoilt)
        progress = slice_of(world)
    assert "UnexpectedAnswer" in progress.reason
    finish(world)
    assert_as_without_faults(world, fault_free)


def slice_of(world):
    """One slice of a run, as a job would work on it."""
    from core.database import transaction
    from integration.sync import engine, runs

    with transaction(world.runtime.sessions) as session:
        run = runs.start(session, world.portal_id, full=True)
    engine.run_slice(world.runtime, world.portal_id, run.id)
    return world.progress()


def test_a_page_quoted_in_a_reason_has_no_secrets(world):
    page = "<html>access_token=abcdef0123456789abcdef0123456789 ivan@example.com +7 495 000-00-01</html>"
    world.demo.fault("html", "crm.contact.list", status=200, body=page, times=-1)
    reason = slice_of(world).reason
    assert "UnexpectedAnswer" in reason
    for secret in ("abcdef0123456789", "ivan@example.com", "000-00-01"):
        assert secret not in reason


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ERROR_CORE"), (400, "ERROR_BATCH_LENGTH_EXCEEDED"), (403, "")]
)
def test_three_of_fifty_writes_failing_are_reported_and_written_next_time(
    world, fault_free, status, code
):
    assert world.sync().status == "done"
    world.count()
    mark = newest(world)
    world.demo.fault(
        "subcommand_error", "crm.contact.update", status=status, code=code, times=3, skip=5
    )
    report = world.write()
    assert report.failed == 3
    assert sum(report.failures.values()) == 3
    assert report.written == report.changed - 3
    entries = world.demo.control(f"log?since={mark}&limit=10000")
    updates = [e for e in entries if e["method"].endswith(".update") and e["error"] is None]
    assert len(updates) == report.written, "nothing is sent twice"
    second = world.write()
    assert (second.changed, second.written, second.failed) == (3, 3, 0)
    assert_as_without_faults(world, fault_free)


def test_pages_failing_inside_a_batch_are_read_singly(world, fault_free):
    world.demo.fault("subcommand_error", "crm.item.list", status=500, skip=1)
    world.demo.fault("subcommand_error", "crm.contact.list", status=400, code="ERROR_CORE")
    finish(world)
    assert hits(world) == 2
    assert_as_without_faults(world, fault_free)
