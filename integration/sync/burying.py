"""Rows the portal no longer has: tombstones, the clients they concern, and duplicates merged away.

A tombstone keeps the row: what was sent to a client and what links to it stay known, and a row that
comes back is alive again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database import any_of
from integration.mirror import Address, Deal, DealContact
from integration.models import ChangedClient, Check, CheckStatus, MergedClient
from integration.sync import touched
from integration.sync.entities import COMPANIES, CONTACTS, DEALS, EntitySpec

CLIENTS = (CONTACTS, COMPANIES)
_CLOCKS_APART = timedelta(minutes=5)


def bury(
    session: Session,
    portal_id: int,
    spec: EntitySpec,
    ids: Sequence[int],
    *,
    seen_before: datetime | None = None,
) -> list[int]:
    """Mark rows the portal no longer has; the ids marked. The clients concerned are recomputed.

    `seen_before` spares rows that were stored since.
    """
    table = spec.table
    gone = sa.update(table).where(
        table.portal_id == portal_id,
        table.bitrix_id == any_of(ids),
        table.deleted_at.is_(None),
    )
    if seen_before is not None:
        gone = gone.where(table.synced_at < seen_before)
    marked = gone.values(deleted_at=sa.func.now()).returning(table.bitrix_id)
    buried = sorted(session.scalars(marked))
    if not buried:
        return buried
    touched.note(session, portal_id, spec.name, buried)
    touched.note_named(session, portal_id, spec.name, spec.table_name, buried)
    if spec is DEALS:
        _note_clients_of_deals(session, portal_id, buried)
    if spec in CLIENTS:
        note_clients(session, portal_id, spec, buried)
        _remember_winners(session, portal_id, spec, buried)
    return buried


def note_clients(session: Session, portal_id: int, spec: EntitySpec, ids: Iterable[int]) -> None:
    """These clients themselves are to be looked at again; nothing for what is no client."""
    if spec in CLIENTS and (listed := sorted(ids)):
        rows = [{"portal_id": portal_id, "kind": spec.name, "client_id": i} for i in listed]
        session.execute(insert(ChangedClient).values(rows))


def forget_winners_of_the_living(session: Session, portal_id: int, spec: EntitySpec) -> None:
    """A loser that is alive again leads to itself."""
    table = spec.table
    session.execute(
        sa.delete(MergedClient).where(
            MergedClient.portal_id == portal_id,
            MergedClient.kind == spec.name,
            sa.exists().where(
                table.portal_id == portal_id,
                table.bitrix_id == MergedClient.loser_id,
                table.deleted_at.is_(None),
            ),
        )
    )


def _note_clients_of_deals(session: Session, portal_id: int, deal_ids: list[int]) -> None:
    sources = (
        ("contact", Deal.contact_id, Deal.portal_id, Deal.bitrix_id),
        ("company", Deal.company_id, Deal.portal_id, Deal.bitrix_id),
        ("contact", DealContact.contact_id, DealContact.portal_id, DealContact.deal_id),
    )
    for kind, client, portal, deal in sources:
        clients = sa.select(sa.literal(portal_id), sa.literal(kind), client).where(
            portal == portal_id, deal.in_(deal_ids), client.is_not(None)
        )
        put = insert(ChangedClient).from_select(
            ["portal_id", "kind", "client_id"], clients.distinct()
        )
        session.execute(put)


def _remember_winners(
    session: Session, portal_id: int, spec: EntitySpec, losers: list[int]
) -> None:
    """Where a living client shares an address and was changed since: it took the loser over.

    A merge changes the winner and gives it all addresses of the loser. So of several that qualify only
    one that alone has them all is believed. Links of deals, moved as well, the mirror learns by itself.
    """
    shared = _sharing(portal_id, spec, losers)
    complete = shared.c.common == shared.c.addresses
    alone = sa.func.count() == 1
    winner = sa.case(
        (alone, sa.func.min(shared.c.winner_id)),
        else_=sa.func.min(shared.c.winner_id).filter(complete),
    )
    found = (
        sa.select(sa.literal(portal_id), sa.literal(spec.name), shared.c.loser_id, winner)
        .group_by(shared.c.loser_id)
        .having(alone | (sa.func.count().filter(complete) == 1))
    )
    put = insert(MergedClient).from_select(["portal_id", "kind", "loser_id", "winner_id"], found)
    session.execute(
        put.on_conflict_do_update(
            index_elements=["portal_id", "kind", "loser_id"],
            set_={"winner_id": put.excluded.winner_id, "merged_at": sa.func.now()},
        )
    )


def _sharing(portal_id: int, spec: EntitySpec, losers: list[int]) -> sa.Subquery:
    """Pairs of a loser and a client changed since: how many addresses the loser has, how many in common."""
    lost, won = sa.orm.aliased(spec.table), sa.orm.aliased(spec.table)
    one, other = sa.orm.aliased(Address), sa.orm.aliased(Address)
    own = sa.orm.aliased(Address)
    reachable = ("phone", "email")
    addresses = sa.select(sa.func.count(sa.distinct(own.normalised))).where(
        own.portal_id == portal_id,
        own.entity == spec.name,
        own.entity_id == lost.bitrix_id,
        own.kind.in_(reachable),
    )
    same = (other.portal_id == portal_id) & (other.entity == one.entity)
    same &= (other.kind == one.kind) & (other.normalised == one.normalised)
    seen = sa.func.greatest(lost.synced_at, _last_look(portal_id, spec)) - _CLOCKS_APART
    return (
        sa.select(
            lost.bitrix_id.label("loser_id"),
            won.bitrix_id.label("winner_id"),
            addresses.scalar_subquery().label("addresses"),
            sa.func.count(sa.distinct(one.normalised)).label("common"),
        )
        .join(one, (one.portal_id == portal_id) & (one.entity_id == lost.bitrix_id))
        .join(other, same)
        .join(won, (won.portal_id == portal_id) & (won.bitrix_id == other.entity_id))
        .where(
            lost.portal_id == portal_id,
            lost.bitrix_id == any_of(losers),
            one.entity == spec.name,
            one.kind.in_(reachable),
            won.deleted_at.is_(None),
            won.updated_at >= seen,
        )
        .group_by(lost.bitrix_id, won.bitrix_id)
        .subquery()
    )


def _last_look(portal_id: int, spec: EntitySpec) -> sa.ScalarSelect[datetime | None]:
    """When the last finished check, which would have missed the loser, began."""
    return (
        sa.select(sa.func.max(Check.started_at))
        .where(
            Check.portal_id == portal_id,
            Check.entity == spec.name,
            Check.status == CheckStatus.DONE,
        )
        .scalar_subquery()
    )
