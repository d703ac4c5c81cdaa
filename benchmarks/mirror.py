"""A large mirror made by the database itself: contacts, and deals with the habits of real buyers.

A client buys at a rate of their own (gamma) and leaves after some purchase (the BG/NBD story), so most
have one or two sales and a few have dozens. Deals are stored in the order they were closed, so that
one client's deals are scattered over the table, as in a CRM that grew for years.
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from core.database import transaction
from core.runtime import Runtime
from integration.mirror import Currency, CurrencyRate, Deal, Pipeline
from integration.models import Portal, PortalState

CLIENT_ID = "local.bench.mirror"
MEMBER_ID = "b" * 32
_INDEXES = sorted(Deal.__table__.indexes, key=lambda index: index.name)

_CONTACTS = """
INSERT INTO contacts (portal_id, bitrix_id, name, last_name, company_id, created_at, updated_at)
SELECT :portal_id, n, 'Имя ' || n % 997, 'Фамилия ' || n % 9973,
       CASE WHEN n % 4 = 0 THEN n / 40 + 1 END, now(), now()
FROM generate_series(1, CAST(:contacts AS int)) n
"""

_COMPANIES = """
INSERT INTO companies (portal_id, bitrix_id, title, created_at, updated_at)
SELECT :portal_id, n, 'Компания ' || n, now(), now()
FROM generate_series(1, CAST(:contacts AS int) / 40 + 1) n
"""

# Rates are gamma (shape 0.75, by -ln of uniforms), lifetimes geometric: 944 of 1000 get any deal.
_DEALS = """
WITH client AS MATERIALIZED (
    SELECT n AS id,
           1 + floor(-ln(1 - random()) * 4.6 * (0.25 + 1.5 * random()))::int AS deals,
           date '2019-01-01' + (random() * 1800)::int AS first_on
    FROM generate_series(1, CAST(:contacts AS int)) n
), deal AS (
    SELECT c.id AS contact_id,
           c.first_on + (k * (20 + 80 * random()))::int AS closed_on,
           random() AS fate,
           round(exp(8 + 1.2 * sqrt(-2 * ln(1 - random())) * cos(6.283185 * random()))::numeric, 2)
               AS amount
    FROM client c CROSS JOIN LATERAL generate_series(1, c.deals) k
), numbered AS (
    SELECT row_number() OVER (ORDER BY closed_on, fate) AS id, * FROM deal
)
INSERT INTO deals (portal_id, bitrix_id, title, pipeline_id, stage_id, stage_semantic, opportunity,
                   base_amount, currency_id, contact_id, company_id, closed_on, created_at, updated_at)
SELECT :portal_id, id, 'Сделка ' || id, (id % 3)::int,
       CASE WHEN fate < 0.68 THEN 'WON' WHEN fate < 0.89 THEN 'LOSE' ELSE 'NEW' END,
       CASE WHEN fate < 0.68 THEN 'S' WHEN fate < 0.89 THEN 'F' ELSE 'P' END,
       CASE WHEN fate < 0.01 THEN -amount ELSE amount END,
       CASE WHEN fate < 0.01 THEN -amount ELSE amount END
           * CASE WHEN id % 20 = 0 THEN 81.5 ELSE 1 END,
       CASE WHEN id % 20 = 0 THEN 'USD' ELSE 'RUB' END,
       contact_id, CASE WHEN contact_id % 4 = 0 THEN contact_id / 40 + 1 END,
       closed_on, closed_on, closed_on
FROM numbered ORDER BY id LIMIT :deals
"""


def provide(made: Runtime, contacts: int, deals: int) -> int:
    """The id of a portal with about so many rows; what an earlier run left is used again."""
    with made.sessions() as session:
        portal = session.scalar(sa.select(Portal).where(Portal.client_id == CLIENT_ID))
        if portal is not None and portal.installer_id == deals:
            return portal.id
    with transaction(made.sessions) as session:
        session.execute(sa.delete(Portal).where(Portal.client_id == CLIENT_ID))
        portal = Portal(
            client_id=CLIENT_ID, domain="bench.example.com", state=PortalState.ACTIVE,
            member_id=MEMBER_ID, base_currency="RUB", installer_id=deals,
        )  # fmt: skip
        session.add(portal)
        session.flush()
        numbers = {"portal_id": portal.id, "contacts": contacts, "deals": deals}
        session.add(Currency(portal_id=portal.id, code="RUB", rate=1, is_base=True))
        session.add(Currency(portal_id=portal.id, code="USD", rate="81.5"))
        session.add(
            CurrencyRate(portal_id=portal.id, code="USD", day=date(2026, 1, 1), rate="81.5")
        )
        session.add(Pipeline(portal_id=portal.id, bitrix_id=0, name="Продажи", is_default=True))
        session.flush()
        session.execute(sa.text("SELECT setseed(0.42)"))
        for index in _INDEXES:
            index.drop(session.connection())
        for statement in (_COMPANIES, _CONTACTS, _DEALS):
            session.execute(sa.text(statement), numbers)
        for index in _INDEXES:
            index.create(session.connection())
    with made.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM (ANALYZE) contacts, companies, deals"))
    return portal.id
