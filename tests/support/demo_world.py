"""A tiny hand-made portal whose data methods are called directly, without a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

import demo.portal.methods  # noqa: F401
from demo.portal.api import METHODS, ApiError, Context, Result
from demo.portal.state import App, Portal
from demo.portal.store import Store

NOW = datetime(2026, 3, 1, 9, 30, 15, 500_000, tzinfo=UTC)
STAGES = (
    *(("DEAL_STAGE", "NEW", None), ("DEAL_STAGE", "EXECUTING", None)),
    *(("DEAL_STAGE", "WON", "S"), ("DEAL_STAGE", "LOSE", "F"), ("DEAL_STAGE", "APOLOGY", "F")),
    *(("DEAL_STAGE_1", "C1:NEW", None), ("DEAL_STAGE_1", "C1:WON", "S")),
    *(("STATUS", "NEW", None), ("STATUS", "CONVERTED", "S"), ("STATUS", "JUNK", "F")),
    *(("SOURCE", "WEB", None), ("SOURCE", "CALL", None)),
)


@dataclass
class World:
    """A portal, its published events, and a way to call methods."""

    portal: Portal
    events: list[tuple[str, dict[str, Any], int | None, str]] = field(default_factory=list)
    now: datetime = NOW

    @property
    def store(self) -> Store:
        return self.portal.store

    def answer(
        self,
        name: str,
        *,
        user: int = 1,
        connector: str = "",
        app: App | None = None,
        **params: Any,
    ) -> Result:
        """The whole answer of a method."""
        ctx = Context(
            portal=self.portal,
            user_id=user,
            app=app,
            now=self.now,
            auth_connector=connector,
            is_admin=self.portal.is_admin(user),
        )
        return METHODS[name.lower()].handler(ctx, params)

    def call(self, name: str, **params: Any) -> Any:
        """The `result`, as a client decodes it."""
        return orjson.loads(orjson.dumps(self.answer(name, **params).value))

    def error(self, name: str, **params: Any) -> tuple[int, str | int, str]:
        """The error a method must answer with."""
        try:
            self.answer(name, **params)
        except ApiError as error:
            return error.status, error.code, error.description
        raise AssertionError(f"{name} succeeded")

    def ids(self, name: str, **params: Any) -> list[int]:
        """Ids of a list page."""
        result = self.call(name, **params)
        rows = result["items"] if isinstance(result, dict) else result
        return [int(row.get("ID", row.get("id"))) for row in rows]


def _users() -> list[dict[str, Any]]:
    people = ((1, "A", "Y", [1]), (2, "S", "N", [2]), (3, "D", "N", [2]), (4, "", "N", [2]))
    return [
        {"ID": n, "NAME": f"N{n}", "ADMIN": a, "CRM_RIGHTS": r, "UF_DEPARTMENT": d, "ACTIVE": True}
        for n, r, a, d in people
    ]


def _deals() -> list[dict[str, Any]]:
    return [
        {
            "ID": number * 2,
            "TITLE": f"Сделка {number}",
            "STAGE_ID": "WON" if number % 3 == 0 else "NEW",
            "STAGE_SEMANTIC_ID": "S" if number % 3 == 0 else "P",
            "CATEGORY_ID": 0,
            "OPPORTUNITY": float(number * 100),
            "CURRENCY_ID": "RUB",
            "CONTACT_IDS": [number % 7 + 1],
            "COMPANY_ID": 0 if number % 2 else None,
            "ASSIGNED_BY_ID": 2 if number % 10 == 0 else 1,
            "OPENED": "N",
            "CLOSEDATE": date(2026, 1, 1),
            "DATE_CREATE": datetime(2026, 1, 1, tzinfo=UTC),
            "DATE_MODIFY": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
            "SOURCE_ID": "WEB" if number % 2 else None,
        }
        for number in range(1, 121)
    ]


def world() -> World:
    """Four users, 120 deals with even ids, 7 contacts, 2 companies, one lead."""
    store = Store()
    store.tables["user"].load(_users())
    store.tables["category"].load(
        [
            {"ID": 0, "NAME": "Общая", "SORT": 300, "ENTITY_TYPE_ID": 2, "IS_DEFAULT": "Y"},
            {"ID": 1, "NAME": "Повторные", "SORT": 200, "ENTITY_TYPE_ID": 2},
        ]
    )
    store.tables["status"].load(
        {
            "ID": number,
            "ENTITY_ID": dictionary,
            "STATUS_ID": code,
            "NAME": code,
            "SORT": number * 10,
            "SEMANTICS": semantics,
        }
        for number, (dictionary, code, semantics) in enumerate(STAGES, 1)
    )
    store.tables["currency"].load(
        [
            {"ID": 1, "CURRENCY": "RUB", "AMOUNT": 1.0, "AMOUNT_CNT": 1, "BASE": "Y"},
            {"ID": 2, "CURRENCY": "USD", "AMOUNT": 80.5, "AMOUNT_CNT": 1, "BASE": "N"},
        ]
    )
    store.tables["company"].load({"ID": n, "TITLE": f"Компания {n}"} for n in (1, 2))
    store.tables["contact"].load(
        {
            "ID": n,
            "NAME": f"Имя {n}",
            "COMPANY_ID": 1 if n < 3 else None,
            "OPENED": "Y",
            "ASSIGNED_BY_ID": 1,
            "CATEGORY_ID": 5 if n == 7 else 0,
            "PHONE": [{"ID": n, "VALUE_TYPE": "WORK", "VALUE": f"+7495000000{n}"}],
        }
        for n in range(1, 8)
    )
    store.tables["deal"].load(_deals())
    store.tables["lead"].load([{"ID": 1, "TITLE": "Лид", "STATUS_ID": "NEW"}])
    portal = Portal(store, time_zone="Europe/Moscow")
    made = World(portal)

    def publish(
        event: str, fields: dict[str, Any], actor_id: int | None = None, auth_connector: str = ""
    ) -> None:
        made.events.append((event, fields, actor_id, auth_connector))

    portal.events.publish = publish  # type: ignore[method-assign]
    return made
