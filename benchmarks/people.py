"""What segments ask of, put beside a large mirror: custom fields, addresses, leads, activities, worth.

200 custom fields of contacts in the portal's list, some 30 of them filled on a card.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.database import transaction
from core.runtime import Runtime
from segments.worth import metrics

_FIELDS = """
INSERT INTO custom_fields (portal_id, entity, code, type_id, label, multiple)
SELECT :portal_id, entity, 'UF_CRM_' || n,
       (ARRAY['string', 'integer', 'enumeration', 'date', 'boolean'])[n % 5 + 1], 'Поле ' || n, false
FROM generate_series(1, 200) n CROSS JOIN (VALUES ('contact'), ('lead')) kinds(entity)
"""

# A card fills thirty fields that follow each other, so that each is filled on some 15 % of the cards.
_CUSTOM = """
UPDATE contacts SET birth_date = date '1950-01-01' + (bitrix_id * 37 % 20000)::int,
    source_id = (ARRAY['WEB', 'CALL', 'RECOMMENDATION', 'WEBFORM'])[bitrix_id % 4 + 1],
    assigned_by_id = bitrix_id % 40 + 1,
    created_at = timestamptz '2019-01-01' + (bitrix_id % 2500) * interval '1 day',
    custom = (
        SELECT jsonb_object_agg('UF_CRM_' || f, CASE f % 5
            WHEN 0 THEN to_jsonb('текст ' || f) WHEN 1 THEN to_jsonb(bitrix_id % 100)
            WHEN 2 THEN to_jsonb(bitrix_id % 7)
            WHEN 3 THEN to_jsonb(date '2024-01-01' + (bitrix_id % 900)::int)
            ELSE to_jsonb(bitrix_id % 3 = 0) END)
        FROM (SELECT (bitrix_id * 7 + k) % 200 + 1 AS f FROM generate_series(1, 30) k) chosen)
WHERE portal_id = :portal_id
"""

_ADDRESSES = """
INSERT INTO addresses (portal_id, entity, entity_id, kind, position, value_type, value, normalised)
SELECT :portal_id, :entity, bitrix_id, kind, 0, 'WORK', address, address
FROM {table}, LATERAL (VALUES
    ('email', CASE WHEN bitrix_id % 5 < 4 THEN :entity || bitrix_id % 900000 || '@example.com' END),
    ('phone', CASE WHEN bitrix_id % 10 < 9
              THEN CASE WHEN bitrix_id % 30 = 0 THEN '+4930' ELSE '+7900' END
                   || lpad((bitrix_id % 9000000)::text, 7, '0') END)) listed(kind, address)
WHERE portal_id = :portal_id AND address IS NOT NULL
"""

_LEADS = """
INSERT INTO leads (portal_id, bitrix_id, title, name, stage_id, stage_semantic, source_id, contact_id,
                   created_at, updated_at, closed_at, custom)
SELECT :portal_id, n, 'Лид ' || n, 'Имя ' || n % 997,
       (ARRAY['NEW', 'IN_PROCESS', 'JUNK', 'CONVERTED'])[n % 4 + 1],
       (ARRAY['P', 'P', 'F', 'S'])[n % 4 + 1],
       (ARRAY['WEB', 'CALL', 'WEBFORM'])[n % 3 + 1], CASE WHEN n % 4 = 3 THEN n END,
       now() - (n % 900) * interval '1 day', now(), now() - (n % 800) * interval '1 day',
       jsonb_build_object('UF_CRM_4', n % 10 = 0)
FROM generate_series(1, CAST(:contacts AS int) * 3 / 5) n
"""

_ACTIVITIES = """
INSERT INTO activities (portal_id, bitrix_id, owner_type, owner_id, type_id, completed, created_at)
SELECT :portal_id, n, CASE WHEN n % 4 = 0 THEN 3 ELSE 2 END,
       CASE WHEN n % 4 = 0 THEN n % CAST(:contacts AS int) + 1 ELSE n * 2 END,
       n % 4 + 1, n % 10 > 0, now() - (n % 900) * interval '1 day'
FROM generate_series(1, CAST(:contacts AS int) * 2) n
"""

_MADE = "SELECT EXISTS (SELECT FROM custom_fields WHERE portal_id = :portal_id)"
_TABLES = ("contacts", "companies", "leads", "addresses", "activities", "deals", "client_metrics")


def provide(made: Runtime, portal_id: int, contacts: int) -> None:
    """The rows, unless an earlier run left them."""
    numbers = {"portal_id": portal_id, "contacts": contacts}
    with transaction(made.sessions) as session:
        if session.scalar(sa.text(_MADE), numbers):
            return
        for statement in (_FIELDS, _CUSTOM, _LEADS, _ACTIVITIES):
            session.execute(sa.text(statement), numbers)
        for table, entity in (("contacts", "contact"), ("companies", "company"), ("leads", "lead")):
            put = sa.text(_ADDRESSES.format(table=table))  # names are of our own tables
            session.execute(put, {**numbers, "entity": entity})
    with transaction(made.sessions) as session:
        metrics.compute_all(session, portal_id)
    with made.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"VACUUM (ANALYZE) {', '.join(_TABLES)}"))
