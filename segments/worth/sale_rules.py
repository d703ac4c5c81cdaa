"""Changing what counts as a sale: checked against the portal's dictionaries, every version kept.

One change of a portal's rule at a time. Who made his from an older version than the one in force is told
so (`Overtaken`) instead of undoing what somebody else has saved meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from core.clock import utcnow
from core.locks import one_at_a_time
from segments.models import ClientMode, ContactMode, DateSource, MarginSource, SaleRule
from segments.worth import references, rule_versions
from segments.worth.choices import Active, Margin, Values
from segments.worth.references import Missing
from segments.worth.sales import Rule, in_effect, rule_of

MOST_SALES = 100
_LOCK = 0x5352


class WrongRule(ValueError):
    """The asked rule names something the portal doesn't have; the message says what."""


class Overtaken(Exception):
    """Somebody has saved another version since the one this change was made from."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A new rule as asked; None leaves a part as it is. `pipelines` () means all of them."""

    pipelines: tuple[int, ...] | None = None
    date_source: DateSource | None = None
    date_field: str | None = None
    contact_mode: ContactMode | None = None
    client_mode: ClientMode | None = None
    margin: Margin | None = None
    active: Active | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Two changes of one version put together: what others saved, and one's own choices on top."""

    values: Values
    theirs: tuple[str, ...]
    both: tuple[str, ...]


def saved(session: Session, portal_id: int) -> tuple[int, Values]:
    """The version in force and its choices as they were saved."""
    row = session.get(SaleRule, portal_id)
    return (row.version if row else 1, Values.of(row))


def wished(session: Session, portal_id: int, asked: Asked) -> Values:
    """The saved choices with the asked ones on top. Raises WrongRule."""
    values = saved(session, portal_id)[1]
    if asked.pipelines is not None:
        _check_pipelines(session, portal_id, asked.pipelines)
        values = replace(values, pipelines=tuple(sorted(set(asked.pipelines))) or None)
    if asked.date_source is not None:
        custom = asked.date_source is DateSource.CUSTOM
        if custom:
            _check_date_field(session, portal_id, asked.date_field)
        values = replace(
            values,
            date_source=asked.date_source,
            date_field=asked.date_field if custom else None,
        )
    if asked.margin is not None:
        _check_margin(session, portal_id, asked.margin)
    if asked.active is not None and not 1 <= asked.active.sales <= MOST_SALES:
        raise WrongRule(f"an active client has 1 to {MOST_SALES} sales, not {asked.active.sales}")
    plain = ("contact_mode", "client_mode", "margin", "active")
    given = {name: getattr(asked, name) for name in plain if getattr(asked, name) is not None}
    return replace(values, **given)


def compiled(session: Session, portal_id: int, values: Values) -> Rule:
    """The rule that these choices would put into effect."""
    rule = replace(rule_of(session, portal_id), **values.chosen())
    return in_effect(session, rule)


def change(
    session: Session,
    portal_id: int,
    asked: Asked,
    user_id: int | None = None,
    *,
    made_from: int | None = None,
) -> bool:
    """Store the new rule as the next version; False when it is the same.

    `made_from`: the version the change was made from. Raises WrongRule, Overtaken.
    """
    _alone(session, portal_id)
    version, before = saved(session, portal_id)
    values = wished(session, portal_id, asked)
    if values == before:
        return False
    if made_from is not None and made_from != version:
        raise Overtaken
    _store(session, portal_id, values, user_id)
    return True


def restore(
    session: Session, portal_id: int, number: int, user_id: int | None, *, made_from: int
) -> bool:
    """Put an older version into force again, as a new one; False when it says the same.

    What the portal has lost since then is no obstacle: it is marked like any other loss. Raises
    WrongRule when there is no such version, Overtaken.
    """
    _alone(session, portal_id)
    version, before = saved(session, portal_id)
    older = rule_versions.find(session, portal_id, number)
    if older is None:
        raise WrongRule(f"no version {number} is on record")
    if Values.of(older) == before:
        return False
    if made_from != version:
        raise Overtaken
    _store(session, portal_id, Values.of(older), user_id)
    return True


def reconcile(session: Session, portal_id: int, asked: Asked, made_from: int) -> Reconciled:
    """The form of somebody who was overtaken: what others saved is in it, and so is what he chose."""
    older = rule_versions.find(session, portal_id, made_from)
    base, current = Values.of(older), saved(session, portal_id)[1]
    mine = wished(session, portal_id, asked)
    own, theirs = base.differing(mine), base.differing(current)
    values = current
    for part in own:
        values = values.with_part(part, mine)
    both = tuple(part for part in own if part in theirs and part in mine.differing(current))
    return Reconciled(values, theirs, both)


def notice(session: Session, portal_id: int) -> bool:
    """Note what the portal has lost or got back of the rule, as a version of its own: figures follow.

    False when nothing of the kind happened.
    """
    row = session.get(SaleRule, portal_id)
    if row is None or _kept_missing(session, row) == attention(session, portal_id):
        return False
    _alone(session, portal_id)
    row = session.get_one(SaleRule, portal_id, populate_existing=True)
    if _kept_missing(session, row) == attention(session, portal_id):
        return False
    _store(session, portal_id, Values.of(row), None)
    return True


def attention(session: Session, portal_id: int) -> Missing:
    """What the saved rule refers to and the portal no longer has."""
    values = saved(session, portal_id)[1]
    return references.missing(session, portal_id, values)


def shown(session: Session, portal_id: int) -> dict[str, Any]:
    """The rule in effect, for the command line, and what the portal lacks of the saved one."""
    gone = attention(session, portal_id)
    fields = filter(None, [gone.date_field, gone.margin_field])
    lost = [*(f"pipeline {i}" for i in gone.pipelines), *fields]
    rule = rule_of(session, portal_id)
    facts = ("portal_id", "base_currency", "utc_offset_minutes", "version")
    return {
        **{name: getattr(rule, name) for name in facts},
        **rule.listed(),
        "missing": ", ".join(lost) or None,
    }


def _kept_missing(session: Session, row: SaleRule) -> Missing:
    return rule_versions.missed_in(rule_versions.find(session, row.portal_id, row.version))


def _store(session: Session, portal_id: int, values: Values, user_id: int | None) -> None:
    row = session.get(SaleRule, portal_id)
    if row is None:
        rule_versions.keep_first(session, portal_id)
        row = SaleRule(portal_id=portal_id, version=1)
    for name, value in values.columns().items():
        setattr(row, name, value)
    row.version += 1
    row.changed_by, row.changed_at = user_id, utcnow()
    session.add(row)
    session.flush()
    rule_versions.keep(session, row, attention(session, portal_id))


def _alone(session: Session, portal_id: int) -> None:
    """Until the end of the transaction; what was read before may be old."""
    one_at_a_time(session, _LOCK, portal_id)
    session.get(SaleRule, portal_id, populate_existing=True)


def _check_pipelines(session: Session, portal_id: int, asked: tuple[int, ...]) -> None:
    known = references.pipeline_ids(session, portal_id)
    unknown = sorted(set(asked) - known)
    if unknown:
        raise WrongRule(f"the portal has no pipeline {unknown[0]}; it has {sorted(known)}")


def _check_date_field(session: Session, portal_id: int, code: str | None) -> None:
    if not references.is_date_field(session, portal_id, code):
        raise WrongRule(f"{code or 'the field'} is not a single date field of deals")


def _check_margin(session: Session, portal_id: int, margin: Margin) -> None:
    if margin.of_field and not references.is_number_field(session, portal_id, margin.field):
        raise WrongRule(
            f"{margin.field or 'the field'} is not a single money or number field of deals"
        )
    if margin.source is MarginSource.PERCENT and not margin.has_percents:
        raise WrongRule("a margin by percent needs a percent, for all pipelines or for some")
    percents = [value for _, value in margin.by_pipeline]
    for percent in filter(None, [margin.percent, *percents]):
        if not 0 <= percent <= 100 or percent != round(percent, 2):
            raise WrongRule(f"a percent is 0 to 100 with two decimals at most, not {percent}")
    _check_pipelines(session, portal_id, tuple(key for key, _ in margin.by_pipeline))
