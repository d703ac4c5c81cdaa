"""`mailings.rules.domains.group` as SQL, for statements that write many deliveries at once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mailings.rules.domains import GROUP_OF


def group_sql(address: sa.ColumnElement[Any] | Any) -> sa.ColumnElement[str]:
    """The mail service of a column of normalised addresses; NULL of none."""
    domain = sa.func.split_part(address, "@", -1, type_=sa.Text)
    others = {domain: group for domain, group in GROUP_OF.items() if domain != group}
    return sa.case(others, value=domain, else_=domain)
