"""What must be true after any trouble: mirror, metrics and cards, against the portal's own rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa

from core.database import Base
from integration.mirror import (
    Activity,
    Address,
    Company,
    Contact,
    Currency,
    CustomField,
    Deal,
    DealContact,
    Lead,
    Pipeline,
    PortalUser,
    StageMove,
    Status,
)
from integration.models import QuarantinedRow
from segments.models import ClientMetrics

CARDS = (Contact, Company, Lead, Deal)
PLAIN = (
    *(DealContact, Address, StageMove, Activity, Pipeline, Status, Currency, PortalUser),
    *(CustomField, QuarantinedRow),
)
CENT = Decimal("0.01")
_VOLATILE = {"portal_id", "synced_at", "seen_at", "id"}


def metrics_of(world, kind):
    with world.runtime.sessions() as session:
        rows = session.scalars(
            sa.select(ClientMetrics).where(
                ClientMetrics.portal_id == world.portal_id, ClientMetrics.kind == kind
            )
        ).all()
    return {
        row.client_id: (
            row.ltv, row.sales, row.average_check, row.first_sale_on, row.last_sale_on,
            row.mean_gap_days,
        )
        for row in rows
    }  # fmt: skip


def wanted(values):
    def money(text):
        return None if text is None else Decimal(str(text)).quantize(CENT, ROUND_HALF_UP)

    def day(text):
        return None if text is None else date.fromisoformat(text)

    return {
        int(key): (
            money(v["ltv"]), v["sales"], money(v["average_check"]), day(v["first_sale"]),
            day(v["last_sale"]), money(v["mean_gap_days"]),
        )
        for key, v in values.items()
        if money(v["ltv"]) or v["sales"]
    }  # fmt: skip


def assert_cards_hold_truth(world, truth):
    for entity, values in (("contact", truth["contacts"]), ("company", truth["companies"])):
        rows = {row["ID"]: row for row in world.rows(entity)}
        for key, value in values.items():
            row = rows[int(key)]
            amount, _, currency = row["UF_CRM_RUBILNIK_LTV"].partition("|")
            assert (Decimal(amount), currency) == (Decimal(str(value["ltv"])), "RUB"), (entity, key)
            check = row.get("UF_CRM_RUBILNIK_AVERAGE_CHECK") or None
            if value["average_check"] is None:
                assert check is None, (entity, key)
            else:
                assert Decimal(check.partition("|")[0]) == Decimal(str(value["average_check"]))


@dataclass(frozen=True)
class Outcome:
    """Everything a finished run leaves, in a form to compare byte for byte."""

    mirror: dict[str, Any]
    metrics: dict[str, Any]
    cards: dict[str, Any]


def outcome(world) -> Outcome:
    """What the mirror, the metrics and the portal's cards hold now."""
    return Outcome(
        mirror_of(world),
        {kind: metrics_of(world, kind) for kind in ("contact", "company")},
        {entity: written_fields(world, entity) for entity in ("contact", "company")},
    )


def mirror_of(world) -> dict[str, Any]:
    """Hashes of the mirrored cards by id, and the rows of every other mirrored table."""
    found: dict[str, Any] = {}
    with world.runtime.sessions() as session:
        for table in CARDS:
            rows = session.execute(
                sa.select(table.bitrix_id, table.row_hash, table.deleted_at.is_(None)).where(
                    table.portal_id == world.portal_id
                )
            )
            found[table.__tablename__] = {row[0]: tuple(row[1:]) for row in rows}
        for table in PLAIN:
            found[table.__tablename__] = _lines(session, world.portal_id, table)
    return found


def assert_same(found: Outcome, expected: Outcome) -> None:
    """Compare part by part, so that a failure names the table and a few of its rows."""
    for part in ("mirror", "metrics", "cards"):
        one, other = getattr(found, part), getattr(expected, part)
        assert set(one) == set(other), part
        for name in other:
            assert one[name] == other[name], (part, name, _difference(one[name], other[name]))


def written_fields(world, entity: str) -> dict[int, dict[str, Any]]:
    """Our fields on every card of the portal."""
    return {
        row["ID"]: {
            code: value or None for code, value in row.items() if code.startswith("UF_CRM_RUBILNIK")
        }
        for row in world.rows(entity)
    }


def assert_truth(world) -> None:
    """Metrics and cards are what the portal's rows say, and nothing in the portal is missing here."""
    truth = world.truth()
    assert metrics_of(world, "contact") == wanted(truth["contacts"])
    assert metrics_of(world, "company") == wanted(truth["companies"])
    assert_cards_hold_truth(world, truth)
    mirrored = mirror_of(world)
    for entity, name in (("contact", "contacts"), ("company", "companies"), ("deal", "deals")):
        alive = {key for key, (_hash, is_alive) in mirrored[name].items() if is_alive}
        assert alive == {row["ID"] for row in world.rows(entity)}, entity


def _lines(session, portal_id: int, table: type[Base]) -> list[tuple[Any, ...]]:
    columns = [c for c in table.__table__.columns if c.name not in _VOLATILE]
    rows = session.execute(sa.select(*columns).where(table.portal_id == portal_id))
    return sorted((tuple(row) for row in rows), key=repr)


def _difference(one, other) -> Any:
    if isinstance(one, dict):
        keys = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
        return [(key, one.get(key), other.get(key)) for key in sorted(keys, key=repr)[:5]]
    left, right = set(map(repr, one)), set(map(repr, other))
    return sorted(left - right)[:5], sorted(right - left)[:5]
