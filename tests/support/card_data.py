"""A portal in the database with one busy client, for the tab's tests and pictures."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration.mirror import (
    Company,
    Contact,
    Currency,
    CurrencyRate,
    Deal,
    DealContact,
    Pipeline,
    Status,
)
from integration.models import Portal, PortalState
from integration.sync import prices
from segments.worth import metrics

ANNA, BORIS, ROMASHKA, OURS = 11, 12, 21, 22


class CardPortal:
    """Adds rows of one portal; ids of deals count from 1."""

    def __init__(self, session: Session, **facts: Any) -> None:
        self.session = session
        portal = Portal(
            **{
                "domain": "romashka.example.com",
                "member_id": "a" * 32,
                "client_id": "local.00000000000000.00000001",
                "state": PortalState.ACTIVE,
                "base_currency": "RUB",
                "last_sync_at": datetime(2026, 11, 20, 9, tzinfo=UTC),
                **facts,
            }
        )
        session.add(portal)
        session.flush()
        self.id = portal.id
        self._deals = 0
        of = {"portal_id": self.id}
        session.add_all(
            [
                Pipeline(**of, bitrix_id=0, name="Продажи", sort=10),
                Pipeline(**of, bitrix_id=3, name="Тендеры", sort=20),
                Currency(**of, code="RUB", rate=Decimal(1), is_base=True),
                Currency(**of, code="USD", rate=Decimal("90.4512")),
                CurrencyRate(**of, code="USD", day=date(2026, 1, 1), rate=Decimal("90.4512")),
                Company(**of, bitrix_id=ROMASHKA, title="ООО «Ромашка»"),
                Company(**of, bitrix_id=OURS, title="Наша фирма", is_my_company=True),
                Contact(**of, bitrix_id=ANNA, name="Анна", last_name="Ветрова"),
                Contact(**of, bitrix_id=BORIS, name="Борис", last_name="Лугов"),
                Status(**of, dictionary="DEAL_STAGE", status_id="WON", name="Успешна"),
                Status(**of, dictionary="DEAL_STAGE", status_id="NEW", name="Новая"),
                Status(**of, dictionary="DEAL_STAGE", status_id="LOSE", name="Проиграна"),
                Status(**of, dictionary="DEAL_STAGE_3", status_id="C3:WON", name="Контракт"),
            ]
        )
        session.flush()

    def deal(
        self,
        amount: object,
        closed_on: str | None = "2026-10-01",
        *,
        contacts: tuple[int, ...] = (ANNA,),
        stage: str = "WON",
        **facts: Any,
    ) -> int:
        """A deal of these contacts, the first one primary; its id."""
        self._deals += 1
        semantic = {"WON": "S", "LOSE": "F"}.get(stage.removeprefix("C3:"), "P")
        values: dict[str, Any] = {
            "title": f"Заказ № {self._deals}",
            "stage_semantic": semantic,
            "contact_id": contacts[0] if contacts else None,
            "currency_id": "RUB",
            **facts,
        }
        self.session.add(
            Deal(
                portal_id=self.id,
                bitrix_id=self._deals,
                stage_id=stage,
                opportunity=Decimal(str(amount)),
                closed_on=date.fromisoformat(closed_on) if closed_on else None,
                **values,
            )
        )
        self.session.add_all(
            DealContact(
                portal_id=self.id, deal_id=self._deals, contact_id=contact, position=position
            )
            for position, contact in enumerate(contacts)
        )
        self.price()
        return self._deals

    def price(self) -> None:
        """What storing a deal does: its amount in base currency."""
        self.session.flush()
        amount = prices.amount_sql(Deal.__tablename__)
        statement = f"UPDATE deals SET base_amount = {amount} WHERE portal_id = :portal_id"
        self.session.execute(sa.text(statement), {"portal_id": self.id})

    def compute(self) -> None:
        """Store the metrics."""
        self.price()
        metrics.compute_all(self.session, self.id)
