"""What the rules of this package need of the mirror, so that it isn't left out of the reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.rules.keeping import ACTIVITY, HISTORY, LEAD, Use
from segments.conditions.card_fields import CARD
from segments.conditions.relations import RELATIONS
from segments.models import DateSource, SaleRule
from segments.rules import names
from segments.saved import How, Segment
from segments.writing import writing_rules

_ENTITIES = {"activities": ACTIVITY, "stage_moves": HISTORY, "leads": LEAD}


def of_rules(session: Session, portal_id: int) -> list[Use]:
    """Entities and custom fields that the sale rule, the writing and saved segments refer to."""
    return [
        *(
            Use(target.kind, target.code, "writing")
            for target in writing_rules.chosen(session, portal_id)[1]
        ),
        *_of_sale_rule(session, portal_id),
        *_of_segments(session, portal_id),
    ]


def _of_sale_rule(session: Session, portal_id: int) -> Iterator[Use]:
    rule = session.get(SaleRule, portal_id)
    if rule is None:
        return
    if rule.date_source == DateSource.HISTORY:
        yield Use(HISTORY, None, "sale_rule")
    for code in (rule.date_field, rule.margin_field):
        if code:
            yield Use("deal", code, "sale_rule")


def _of_segments(session: Session, portal_id: int) -> list[Use]:
    query = sa.select(Segment.definition).where(
        Segment.portal_id == portal_id,
        Segment.how == How.DYNAMIC,
        Segment.archived_at.is_(None),
    )
    found = (use for raw in session.scalars(query) for use in _of_definition(raw))
    return list(dict.fromkeys(found))


def _of_definition(raw: Any) -> Iterator[Use]:
    needed = {_ENTITIES[relation] for relation in names.relations(raw) if relation in _ENTITIES}
    needed |= {LEAD} & names.kinds(raw)
    for entity in sorted(needed):
        yield Use(entity, None, "segment")
    for place, key in names.fields(raw):
        relation = RELATIONS.get(place.relation or "")
        context = CARD if relation is None else relation.context
        if key not in context.fields:
            for entity in place.kinds if relation is None else context.custom:
                yield Use(entity, key, "segment")
