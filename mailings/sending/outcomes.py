"""What became of tries, written down: each only by the token that claimed the delivery.

Losing such a mark is safe, since the mark before it is durable: the delivery then ends as `unknown`, never twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session

from core.database import id_array
from mailings import touching
from mailings.channels.base import Outcome, SendResult
from mailings.consent.suppressions import suppress
from mailings.models import Delivery, DeliveryAttempt
from mailings.rules.consents import Reason
from mailings.rules.replies import GIVEN_UP_AFTER, SOFT_DAYS, SOFT_NUMBER
from mailings.rules.states import DeliveryState
from mailings.sending.claiming import Claimed
from mailings.sending.prepared import Prepared, Together, as_rows, given, rows_of, together

HARD, SOFT, OURS, REFUSED, EXPIRED = (
    "no_such_address",
    "mailbox_full",
    "sender_refused",
    "refused",
    "expired",
)
"""Reasons of a failed delivery; further ones are `OWN`."""

OWN = {"letter", "no_smtputf8"}
"""What we found ourselves: the message could not be written, the server does not know such addresses."""

_STATES = {
    Outcome.SENT: DeliveryState.SENT,
    Outcome.NOT_TRIED: DeliveryState.PENDING,
    Outcome.REFUSED_AT_GATE: DeliveryState.PENDING,
    Outcome.DEFERRED: DeliveryState.DEFERRED,
    Outcome.FAILED: DeliveryState.FAILED,
    Outcome.UNKNOWN: DeliveryState.UNKNOWN,
}
_LOGGED = {Outcome.DEFERRED, Outcome.FAILED, Outcome.UNKNOWN}
_LONGEST_TEXT = 500
_COLUMNS: dict[str, Any] = {
    "id": sa.BigInteger(),
    "owner": UUID(as_uuid=False),
    "state": sa.Text(),
    "outcome": sa.Text(),
    "logged": sa.Boolean(),
    "reason": sa.Text(),
    "code": sa.SmallInteger(),
    "status": sa.Text(),
    "text": sa.Text(),
    "provider_id": sa.Text(),
    "wait": sa.Float(),
    "tries": sa.SmallInteger(),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """One try and its end. `passed`: it had passed the gate, which counted it; `wait`: how long till the next."""

    row: Claimed
    result: SendResult
    passed: bool
    wait: timedelta = timedelta(0)
    counted: bool = True


def reason_of(result: SendResult) -> str | None:
    """Why it failed, in a word."""
    if result.outcome is not Outcome.FAILED:
        return None
    if result.status in OWN:
        return result.status
    if result.suppress:
        return HARD
    if result.soft:
        return SOFT
    return OURS if result.ours else REFUSED


def write(session: Session, ended: Sequence[Ended]) -> None:
    """Bring the deliveries to their states, keep what servers said, suppress dead addresses."""
    if not ended:
        return
    with together(session) as said:
        written = say(said, ended)
    rows = [row for each in written for row in each.fetchall()]
    attempts = [
        {
            "portal_id": portal_id, "delivery_id": number, "attempt": attempt, "outcome": outcome,
            "reply_code": code, "reply_status": status, "text": text,
        }
        for portal_id, number, attempt, outcome, code, status, text, logged in rows
        if logged
    ]  # fmt: skip
    if attempts:
        session.execute(sa.insert(DeliveryAttempt), attempts)
    known = {(row[0], row[1]) for row in rows}
    _suppress(session, [e for e in ended if (e.row.portal_id, e.row.id) in known])


def say(said: Together, ended: Iterable[Ended]) -> list[psycopg.Cursor[Any]]:
    """The same along with others, enough for those that are `all_well`."""
    by_portal: dict[int, list[Ended]] = {}
    for each in ended:
        by_portal.setdefault(each.row.portal_id, []).append(each)
    return [
        _writing().say(
            said,
            rows=_incoming(of_portal),
            portal=portal_id,
            ids=id_array(e.row.id for e in of_portal),
        )
        for portal_id, of_portal in by_portal.items()
    ]


def all_well(ended: Iterable[Ended]) -> bool:
    """Whether there is nothing to be kept of them but their states."""
    return all(each.result.outcome is Outcome.SENT for each in ended)


def dead(ended: Iterable[Ended]) -> set[int]:
    """Portals in which `write` will suppress addresses."""
    return {each.row.portal_id for each in ended if each.result.suppress or each.result.soft}


@cache
def _writing() -> Prepared:
    """The rows, and their clients noted for the segments that ask for messages."""
    portal = given("portal", sa.Integer())
    ids = sa.cast(given("ids", sa.Text()), sa.ARRAY(sa.BigInteger))
    noted = touching.noting(portal, sa.any_(ids)).cte("noted")
    incoming = rows_of("incoming", **_COLUMNS)
    tried_for_long = sa.exists().where(
        DeliveryAttempt.portal_id == Delivery.portal_id,
        DeliveryAttempt.delivery_id == Delivery.id,
        DeliveryAttempt.outcome == Outcome.DEFERRED.value,
        DeliveryAttempt.at < sa.func.now() - GIVEN_UP_AFTER,
    )
    over = sa.and_(incoming.c.state == DeliveryState.DEFERRED.value, tried_for_long)
    opened = incoming.c.state.in_([DeliveryState.PENDING.value, DeliveryState.DEFERRED.value])
    return Prepared(
        sa.update(Delivery)
        .where(
            Delivery.portal_id == portal,
            Delivery.id == incoming.c.id,
            Delivery.owner == incoming.c.owner,
            Delivery.state.in_(
                [
                    DeliveryState.CLAIMED.value,
                    DeliveryState.SENDING.value,
                    DeliveryState.UNKNOWN.value,
                ]
            ),
        )
        .values(
            state=sa.case((over, DeliveryState.FAILED.value), else_=incoming.c.state),
            reason=sa.case((over, EXPIRED), else_=incoming.c.reason),
            reply_code=incoming.c.code,
            reply_status=incoming.c.status,
            provider_id=incoming.c.provider_id,
            attempt=Delivery.attempt + incoming.c.tries,
            next_try_at=sa.case(
                (opened, sa.func.now() + incoming.c.wait * sa.text("interval '1 second'"))
            ),
            sent_at=sa.case((incoming.c.state == DeliveryState.SENT.value, sa.func.now())),
            owner=None,
            lease_until=None,
        )
        .returning(
            *(Delivery.portal_id, Delivery.id, Delivery.attempt, incoming.c.outcome),
            *(incoming.c.code, incoming.c.status, incoming.c.text, incoming.c.logged),
        )
        .add_cte(noted)
    )


def _incoming(ended: Sequence[Ended]) -> str:
    rows: list[Mapping[str, Any]] = []
    for each in ended:
        result = each.result
        rows.append(
            {
                "id": each.row.id, "owner": each.row.owner,
                "state": _STATES[result.outcome].value, "outcome": result.outcome.value,
                "logged": result.outcome in _LOGGED,
                "reason": reason_of(result), "code": result.code, "status": result.status,
                "text": clean(result.text), "provider_id": result.provider_id,
                "wait": each.wait.total_seconds(), "tries": _tries(each),
            }
        )  # fmt: skip
    return as_rows(rows)


def clean(text: str) -> str:
    """A server's words as they can be stored."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:_LONGEST_TEXT]


def _tries(each: Ended) -> int:
    """What the number of attempts has to be corrected by: the gate counted those that passed it."""
    tried = each.result.outcome not in {Outcome.NOT_TRIED, Outcome.REFUSED_AT_GATE}
    return int(tried and each.counted) - int(each.passed)


def _suppress(session: Session, ended: Iterable[Ended]) -> None:
    for each in ended:
        row, result = each.row, each.result
        if result.outcome is not Outcome.FAILED or not (result.suppress or result.soft):
            continue
        if result.soft and not result.suppress and not _too_often(session, row):
            continue
        suppress(
            session, row.portal_id, row.channel, row.address, Reason.BOUNCED,
            source=clean(f"{result.code or ''} {result.text}").strip(), mailing_id=row.mailing_id,
        )  # fmt: skip


def _too_often(session: Session, row: Claimed) -> bool:
    """Whether this mailbox refused three letters within thirty days."""
    recent = sa.exists().where(
        DeliveryAttempt.portal_id == row.portal_id,
        DeliveryAttempt.delivery_id == Delivery.id,
        DeliveryAttempt.at > sa.func.now() - timedelta(days=SOFT_DAYS),
    )
    query = sa.select(sa.func.count()).where(
        Delivery.portal_id == row.portal_id,
        Delivery.address == row.address,
        Delivery.channel == row.channel,
        Delivery.state == DeliveryState.FAILED.value,
        Delivery.reason == SOFT,
        recent,
    )
    return (session.scalar(query) or 0) >= SOFT_NUMBER
