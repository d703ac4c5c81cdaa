"""What each of the first steps shows: what is read, how far it is, the choices of the sale rule, the base at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.orm import Session

from core.clock import utcnow
from integration import keeping
from integration.sync import runs
from segments import chances, pipeline, suggestions
from segments.first_run import Step
from segments.models import ClientMode
from segments.worth import base, sale_rules
from segments.worth.choices import Values
from segments.worth.sales import rule_of
from segments.writing import admin_words, writeback, writing_rules


def facts(session: Session, portal_id: int, step: Step) -> dict[str, Any]:
    """What the page of a step needs; the step about rights asks the portal itself."""
    gather = _FACTS.get(step)
    return gather(session, portal_id) if gather else {}


def _of_plan(session: Session, portal_id: int) -> dict[str, Any]:
    rule, run = keeping.rule_of(session, portal_id), runs.progress(session, portal_id)
    targets = writing_rules.chosen(session, portal_id)[1]
    return {
        "expected": {each.entity: each.expected for each in run.entities} if run else {},
        "reads": rule.reads,
        "metrics": _once(admin_words.metrics()[target.metric] for target in targets),
        "written": writeback.settings_of(session, portal_id).enabled,
    }


def of_reading(session: Session, portal_id: int) -> dict[str, Any]:
    """How far the reading is."""
    run = runs.progress(session, portal_id)
    return {"run": run, "left": run.left(utcnow()) if run else None}


def _of_rule(session: Session, portal_id: int) -> dict[str, Any]:
    version, _saved = sale_rules.saved(session, portal_id)
    return {
        "version": version,
        "rule": Values(**rule_of(session, portal_id).chosen()),
        "pipelines": base.pipelines(session, portal_id),
        "client_modes": list(ClientMode),
    }


def _of_writing(session: Session, portal_id: int) -> dict[str, Any]:
    return {
        "enabled": writeback.settings_of(session, portal_id).enabled,
        "last_write": writeback.last_run(session, portal_id),
        "counted": pipeline.last_run(session, portal_id) is not None,
    }


def of_base(session: Session, portal_id: int) -> dict[str, Any]:
    """The base at a glance; `early`: not everything is counted yet."""
    people, _companies = base.glance(session, portal_id)
    return {
        "people": people,
        "early": people.computed_at is None or suggestions.is_early(session, portal_id),
        "chances": chances.found(session, portal_id),
    }


def _once(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


_FACTS: dict[Step, Callable[[Session, int], dict[str, Any]]] = {
    Step.PLAN: _of_plan,
    Step.READING: of_reading,
    Step.RULE: _of_rule,
    Step.WRITING: _of_writing,
    Step.BASE: of_base,
}
