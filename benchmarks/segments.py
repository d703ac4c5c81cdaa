"""Segments over a large base: counters of presets, a count while typing, membership of one and of many."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

import sqlalchemy as sa

from benchmarks import mirror, people, world
from benchmarks.report import Figure, Options, percentile, ratio, timed
from core.database import transaction
from core.runtime import Runtime
from mailings import conditions as mail_conditions
from segments import asked_fields, audience
from segments.conditions import definitions
from segments.conditions.catalog import scope_of
from segments.facts import keeping
from segments.members import lists, membership, saving
from segments.ready import presets
from segments.rules.tree import Definition, Kind

TITLE = "Segments of the whole base"
SIZES = (1_000_000, 5_000_000)
QUICK_SIZES = (5_000, 25_000)
MANY, SOME, CHANGED = 200, 50, 1000  # segments stored, of them compared, cards changed

_LOST = {"related": "deals", "where": {"all": [{"field": "state", "op": "any_of", "value": ["F"]}]}}
_NOT_WON = {
    "related": "deals",
    "measure": "none",
    "where": {"all": [{"field": "state", "op": "any_of", "value": ["S", "P"]}]},
}
_BY_HAND: dict[str, tuple[dict[str, Any], str]] = {
    "lost deals, none won or open": (
        {"all": [_LOST, _NOT_WON]},
        "SELECT count(*) FROM contacts c WHERE portal_id = :p AND deleted_at IS NULL"
        " AND EXISTS (SELECT FROM deals d WHERE d.portal_id = :p AND d.contact_id = c.bitrix_id"
        " AND d.stage_semantic = 'F' AND d.deleted_at IS NULL AND NOT d.is_recurring)"
        " AND NOT EXISTS (SELECT FROM deals d WHERE d.portal_id = :p AND d.contact_id = c.bitrix_id"
        " AND d.stage_semantic IN ('S', 'P') AND d.deleted_at IS NULL AND NOT d.is_recurring)",
    ),
    "LTV, a list field, a lost deal": (
        {
            "all": [
                {"field": "ltv", "op": "between", "value": [10_000, 60_000]},
                {"field": "UF_CRM_2", "op": "any_of", "value": ["1", "2", "3"]},
                _LOST,
            ]
        },
        "SELECT count(*) FROM contacts c JOIN client_metrics m ON m.portal_id = :p"
        " AND m.kind = 'contact' AND m.client_id = c.bitrix_id WHERE c.portal_id = :p"
        " AND c.deleted_at IS NULL AND m.ltv BETWEEN 10000 AND 60000"
        " AND c.custom ->> 'UF_CRM_2' IN ('1', '2', '3')"
        " AND EXISTS (SELECT FROM deals d WHERE d.portal_id = :p AND d.contact_id = c.bitrix_id"
        " AND d.stage_semantic = 'F' AND d.deleted_at IS NULL AND NOT d.is_recurring)",
    ),
    "three or more sales, born this month": (
        {
            "all": [
                {"field": "sales", "op": "ge", "value": 3},
                {"field": "birth_date", "op": "anniversary_month", "value": [3]},
                {"field": "source", "op": "any_of", "value": ["WEB"]},
            ]
        },
        "SELECT count(*) FROM contacts c JOIN client_metrics m ON m.portal_id = :p"
        " AND m.kind = 'contact' AND m.client_id = c.bitrix_id WHERE c.portal_id = :p"
        " AND c.deleted_at IS NULL AND m.sales >= 3 AND extract(month FROM c.birth_date) = 3"
        " AND c.source_id = 'WEB'",
    ),
}


def measure(options: Options) -> list[Figure]:
    """Presets, typing, one client in many segments, many clients in some segments."""
    contacts, deals = QUICK_SIZES if options.quick else SIZES
    mail_conditions.join()
    with world.servers(options.data) as settings:
        made = world.runtime(settings)
        portal_id = mirror.provide(made, contacts, deals)
        people.provide(made, portal_id, contacts)
        figures = [
            *_known(made, portal_id),
            *_presets(made, portal_id, options.runs),
            *_typing(made, portal_id, options.runs),
            *_memberships(made, portal_id, options.runs),
        ]
        made.engine.dispose()
    return figures


def _known(made: Runtime, portal_id: int) -> list[Figure]:
    """The facts of all cards, as the upkeep finds them once the mirror is read; and of a changed thousand."""
    with transaction(made.sessions) as session:
        everybody = timed(lambda: keeping.find_all(session, portal_id))
    with made.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            sa.text("VACUUM (ANALYZE) card_facts, shared_addresses, crossing_addresses")
        )
    touched = {Kind.CONTACT: list(range(5000, 5000 + CHANGED * 90, 90))}
    with made.sessions() as session:  # rolled back
        some = timed(lambda: keeping.follow(session, portal_id, touched))
    return [
        Figure("facts of all cards found", f"{everybody:.1f} s"),
        Figure(f"facts of {CHANGED} changed clients followed", f"{some * 1000:.0f} ms"),
    ]


def _presets(made: Runtime, portal_id: int, runs: int) -> list[Figure]:
    seconds: dict[str, float] = {}
    with made.sessions() as session:
        scope = scope_of(session, portal_id)
        facts = presets.facts_of(session, scope)
        ready = {
            key: definitions.read(presets.build(facts, key), scope)
            for key, preset in presets.PRESETS.items()
            if not presets.missing(preset, facts)
        }
    for key, definition in ready.items():
        taken = [_counted(made, portal_id, definition) for _ in range(runs)]
        seconds[key] = statistics.median(taken)
    slowest = max(seconds, key=lambda key: seconds[key])
    median, high = statistics.median(seconds.values()), percentile(seconds.values(), 0.95)
    return [
        Figure(f"five counters of {len(seconds)} presets, median", f"{median:.2f} s", "", "<= 1 s", median <= 1),
        Figure("the same, 95th percentile", f"{high:.2f} s", f"slowest: {slowest}", "<= 2 s", high <= 2),
    ]  # fmt: skip


def _counted(made: Runtime, portal_id: int, definition: Definition) -> float:
    with made.sessions() as session:
        scope = scope_of(session, portal_id)
        return timed(lambda: audience.count(session, scope, definition))


def _typing(made: Runtime, portal_id: int, runs: int) -> list[Figure]:
    questions = {
        what: {"version": 1, "clients": {"kinds": ["contact"], "where": tree}}
        for what, (tree, _) in _BY_HAND.items()
    }
    figures = [_first_asked(made, portal_id, list(questions.values()))]
    for what, (_, by_hand) in _BY_HAND.items():
        raw = questions[what]
        ours: list[float] = []
        theirs: list[float] = []
        with made.sessions() as session:
            scope = scope_of(session, portal_id)
            definition = definitions.read(raw, scope)
            for _ in range(runs + 1):  # the first one warms up
                theirs.append(timed(partial(_by_hand, session, by_hand, portal_id)))
                ours.append(timed(partial(audience.size, session, scope, definition)))
        milliseconds = statistics.median(ours[1:]) * 1000
        times = ratio(ours[1:], theirs[1:])
        figures.append(
            Figure(
                f"while typing: {what}",
                f"{milliseconds:.0f} ms",
                f"{times:.2f} x by hand",
                "<= 300 ms, 1.5 x",
                milliseconds <= 300 and times <= 1.5,
            )
        )
    return figures


def _first_asked(made: Runtime, portal_id: int, questions: list[dict[str, Any]]) -> Figure:
    """What the upkeep does once a draft names a custom field nobody has asked for yet."""
    with transaction(made.sessions) as session:
        asked_fields.note(session, portal_id, questions)
    with transaction(made.sessions) as session:
        seconds = timed(lambda: keeping.repeat_fields(session, portal_id))
    return Figure("a custom field nobody has asked for becomes quick within", f"{seconds:.1f} s")


def _by_hand(session: Any, statement: str, portal_id: int) -> None:
    with audience.patient(session):
        session.execute(sa.text(statement), {"p": portal_id}).all()


def _memberships(made: Runtime, portal_id: int, runs: int) -> list[Figure]:
    one: list[float] = []
    many: list[float] = []
    with made.sessions() as session:  # rolled back
        scope = scope_of(session, portal_id)
        trees = [_varied(number) for number in range(MANY)]
        ready = [definitions.read(raw, scope) for raw in trees]
        stored = [
            saving.create(session, portal_id, f"Сегмент {number}", raw)
            for number, raw in enumerate(trees)
        ]
        for segment in stored:
            membership.refresh(session, scope, segment)
        for run in range(runs):
            client = 1000 + run * 77
            one.append(timed(partial(lists.of_card, session, portal_id, Kind.CONTACT, client)))
            touched = {Kind.CONTACT: range(5000 + run, 5000 + run + CHANGED * 90, 90)}
            many.append(
                timed(
                    partial(
                        _touched,
                        session,
                        scope,
                        list(zip(stored, ready, strict=True))[:SOME],
                        touched,
                    )
                )
            )
    alone, together = statistics.median(one) * 1000, statistics.median(many)
    return [
        Figure(f"one client against {MANY} segments", f"{alone:.0f} ms", "", "<= 50 ms", alone <= 50),
        Figure(f"{CHANGED} changed clients in {SOME} segments", f"{together:.2f} s", "", "<= 2 s", together <= 2),
    ]  # fmt: skip


def _touched(session: Any, scope: Any, stored: list[Any], touched: Any) -> None:
    for segment, definition in stored:
        membership.refresh_touched(session, scope, segment, definition, touched)


def _varied(number: int) -> dict[str, Any]:
    """A metric, a custom field or two, and for every third a question about deals."""
    code = number % 190 + 1
    custom = {
        0: {"op": "contains", "value": "текст"},
        1: {"op": "ge", "value": number % 90},
        2: {"op": "any_of", "value": [str(number % 7)]},
        3: {"op": "in_last", "value": {"n": 400, "unit": "day"}},
        4: {"op": "yes"},
    }[code % 5]
    parts: list[dict[str, Any]] = [
        {"field": "ltv", "op": "ge", "value": number * 500},
        {"field": f"UF_CRM_{code}", **custom},
    ]
    if number % 3 == 0:
        parts.append(_LOST)
    return {"version": 1, "clients": {"kinds": ["contact"], "where": {"all": parts}}}
