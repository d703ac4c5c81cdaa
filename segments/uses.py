"""What the rules of this package need of the mirror, so that it isn't left out of the reading."""

from __future__ import annotations

from sqlalchemy.orm import Session

from integration.rules.keeping import HISTORY, Use
from segments import writing_rules
from segments.models import DateSource, SaleRule


def of_rules(session: Session, portal_id: int) -> list[Use]:
    """Entities and custom fields that the sale rule and the writing refer to."""
    found = [
        Use(target.kind, target.code, "writing")
        for target in writing_rules.chosen(session, portal_id)[1]
    ]
    rule = session.get(SaleRule, portal_id)
    if rule is None:
        return found
    if rule.date_source == DateSource.HISTORY:
        found.append(Use(HISTORY, None, "sale_rule"))
    named = (rule.date_field, rule.margin_field)
    return [*found, *(Use("deal", code, "sale_rule") for code in named if code)]
