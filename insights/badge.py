"""What the badge in a card's field says: the client's LTV and stage of life, as stored."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from insights.tab import profile
from integration.models import Portal
from segments.models import ClientMetrics, MetricsRun
from segments.worth.explain import Client


@dataclass(frozen=True, slots=True)
class Badge:
    """`ltv` None: nobody has counted yet. `stage`: its key, None while nobody was compared."""

    ltv: Decimal | None
    sales: int
    currency: str
    stage: str | None


def read(session: Session, portal_id: int, client: Client) -> Badge:
    """From the figures of the last computation and the scores of the night."""
    portal = session.get_one(Portal, portal_id)
    counted = session.get(MetricsRun, portal_id) is not None
    stored = session.get(ClientMetrics, (portal_id, client.kind.value, client.id))
    nothing = Decimal(0) if counted else None
    return Badge(
        ltv=stored.ltv if stored else nothing,
        sales=stored.sales if stored else 0,
        currency=portal.base_currency or "RUB",
        stage=profile.scored(session, portal_id, client).stage,
    )
