"""addresses and contacts of deals go with their portal by a trigger: no foreign key to look up for each row"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("addresses", "deal_contacts")


def upgrade() -> None:
    for table in TABLES:
        op.drop_constraint(f"fk_{table}_portal_id_portals", table, type_="foreignkey")
        op.execute(f"""
            CREATE FUNCTION forget_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                DELETE FROM {table} WHERE portal_id IN (SELECT id FROM gone);
                RETURN NULL;
            END $$
        """)
        op.execute(f"""
            CREATE TRIGGER forget_{table} AFTER DELETE ON portals
            REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_{table}()
        """)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER forget_{table} ON portals")
        op.execute(f"DROP FUNCTION forget_{table}")
        op.create_foreign_key(
            f"fk_{table}_portal_id_portals", table, "portals", ["portal_id"], ["id"], ondelete="CASCADE"
        )
