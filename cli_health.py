"""Commands about a portal's health: the same verdict as the page, and the log of requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from flask import Flask

from cli_common import as_json, named_portal, portal_option, show
from core.runtime import current
from core.web import words
from integration import calls, health, health_rows, health_words, misfit_words
from integration.health_rows import SetAside
from integration.rules.health import Problem, Severity


def register(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.add_command(health_command)
    app.cli.add_command(calls_command)


@click.command("health")
@portal_option
@click.option("--strict", is_flag=True, help="Exit with 1 when a person is needed.")
@as_json
def health_command(name: str, strict: bool, json_: bool) -> None:
    """The verdict, the entities, rows set aside and what is left of the limits."""
    runtime, portal = current(), named_portal(name)
    problems = health.problems(runtime, portal)
    with runtime.sessions() as session:
        entities = health_rows.entities(runtime, session, portal.id)
        aside = health_rows.set_aside(session, portal.id)
        labels = health_rows.field_labels(session, portal.id)
    left = health.allowance(runtime, portal)
    verdict = {"verdict": "problems" if problems else "fine", "problems": len(problems)}
    show([verdict], json_=json_)
    with words.speaking(portal.language):
        show([_problem_row(problem) for problem in problems], json_=json_)
    show([asdict(entity) for entity in entities], json_=json_)
    with words.speaking(portal.language):
        show([_aside_row(row, labels) for row in aside], json_=json_)
    show([{"requests_left": left.free, "of": left.burst}], json_=json_)
    show(
        [
            {
                "method": method,
                "seconds_used": round(budget.used, 1),
                "of": budget.stop_at,
                "closed_for_seconds": round(budget.closed_for),
            }
            for method, budget in left.methods
        ],
        json_=json_,
    )
    if strict and any(problem.severity is Severity.NEEDS_YOU for problem in problems):
        raise SystemExit(1)


@click.command("calls")
@portal_option
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
@as_json
def calls_command(name: str, limit: int, json_: bool) -> None:
    """The last REST requests to the portal, without parameters."""
    found = calls.recent(current().redis, named_portal(name).id, limit)
    if found is None:
        raise click.ClickException("Redis does not answer, and the log is there")
    show([asdict(call) for call in found], json_=json_)


def _aside_row(row: SetAside, labels: Mapping[str, str]) -> dict[str, Any]:
    why = misfit_words.misfit(row.reason, labels)
    return {"set_aside": row.entity, "id": row.bitrix_id, "why": why, "seen_at": row.seen_at}


def _problem_row(problem: Problem) -> dict[str, Any]:
    told = health_words.worded(problem)
    return {
        "problem": problem.code.value,
        "severity": problem.severity.value,
        "title": told.title,
        "advice": told.advice,
        "names": ",".join(problem.names) or None,
        "since": problem.since,
        "until": problem.until,
    }
