"""What is told of segments and their members in JSON. Moments are ISO 8601 in UTC, money is a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from core.web.words import gettext as _
from segments.conditions.catalog import Field, Scope
from segments.conditions.relations import RELATIONS
from segments.members.roster import Person
from segments.models import ClientMetrics
from segments.ready.preset_parts import Missing, Preset
from segments.saved import Segment

Json = dict[str, Any]


def segment(found: Segment) -> Json:
    """A segment in a list. `stale_since`: since when its members may differ from its question's answer."""
    return {
        "id": found.id,
        "name": found.name,
        "how": found.how,
        "preset": found.preset,
        "version": found.version,
        "counters": found.counters,
        "counted_at": _moment(found.counted_at),
        "refreshed_at": _moment(found.refreshed_at),
        "stale_since": _moment(found.stale_at),
        "problem": found.problem,
        "changed_at": _moment(found.changed_at),
    }


def member(person: Person) -> Json:
    """A member: who, since when and why, by what address, and what he is worth."""
    return {
        "entity": person.member.kind.value,
        "id": person.member.id,
        "name": person.member.name,
        "emails": list(person.emails),
        "phones": list(person.phones),
        "messengers": list(person.messengers),
        "entered_at": _moment(person.stay.entered_at),
        "why": person.stay.entered_by,
        "worth": None if person.metrics is None else _worth(person.metrics),
    }


def preset(found: Preset, definition: Json | None, lacks: Iterable[Missing]) -> Json:
    """A ready segment as this portal would have it; without a definition where it lacks something."""
    return {
        "key": found.key,
        "name": _(found.name),
        "definition": definition,
        "lacks": list(dict.fromkeys(_(each.words) for each in lacks)),
    }


def fields(scope: Scope, card: Iterable[Field]) -> Json:
    """What conditions can be about: fields of cards, and of the rows that belong to them."""
    return {
        "fields": [_field(each) for each in card],
        "related": [
            {
                "related": relation.key,
                "label": _(relation.label),
                "entities": [kind.value for kind in relation.kinds],
                "fields": [_field(each) for each in relation.context.listed(scope)],
            }
            for relation in RELATIONS.values()
        ],
    }


def _field(found: Field) -> Json:
    return {
        "field": found.key,
        "label": found.label if found.code is not None else _(found.label),
        "type": found.type.value,
        "entities": [kind.value for kind in found.kinds],
        "operators": {key: each.shape.key for key, each in found.operators.items()},
    }


def _worth(metrics: ClientMetrics) -> Mapping[str, Any]:
    return {
        "ltv": str(metrics.ltv),
        "sales": metrics.sales,
        "average_check": None if metrics.average_check is None else str(metrics.average_check),
        "first_sale_on": _day(metrics.first_sale_on),
        "last_sale_on": _day(metrics.last_sale_on),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _day(on: date | None) -> str | None:
    return None if on is None else on.isoformat()
