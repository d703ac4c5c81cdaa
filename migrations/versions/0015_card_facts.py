"""what counters need of every card: sums of its addresses and deals, addresses that several cards have"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEYS = {
    "card_facts": ["portal_id", "kind", "card_id"],
    "shared_addresses": ["portal_id", "kind", "normalised", "entity", "entity_id"],
}
SMALL = ("emails", "phones", "messengers", "shared", "reached_by")
NUMBERS = ("deals", "open", "won", "lost", "counted_open", "counted_won", "counted_lost")


def upgrade() -> None:
    by_portal(
        "card_facts",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("card_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.SmallInteger(), nullable=False) for name in SMALL),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in NUMBERS),
        sa.Column("last_state", sa.Text()),
        sa.Column("days_after_lost", sa.Integer()),
        sa.Column("check_change", sa.Numeric()),
    )
    by_portal(
        "shared_addresses",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("normalised", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "ix_shared_addresses_portal_id_entity_entity_id", "shared_addresses",
        ["portal_id", "entity", "entity_id"],
    )
    op.create_table(
        "facts_runs",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("cards", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["portal_id"], ["portals.id"], ondelete="CASCADE", name="fk_facts_runs_portal_id_portals"
        ),
        sa.PrimaryKeyConstraint("portal_id", name="pk_facts_runs"),
    )
    op.create_index("ix_companies_own", "companies", ["portal_id", "bitrix_id"],
                    postgresql_where=sa.text("is_my_company"))
    op.create_index("ix_deals_templates", "deals", ["portal_id", "bitrix_id"],
                    postgresql_where=sa.text("is_recurring"))
    for moment in ("created_at", "ended_at"):
        op.create_index(f"ix_activities_portal_id_{moment}", "activities", ["portal_id", moment])


def by_portal(table: str, *columns: sa.Column) -> None:
    """A table with a partition for each portal, whose rows go with their portal by a trigger."""
    op.create_table(
        table, *columns, sa.PrimaryKeyConstraint(*KEYS[table], name=f"pk_{table}"),
        postgresql_partition_by="LIST (portal_id)",
    )
    op.execute(f"CREATE TABLE {table}_others PARTITION OF {table} DEFAULT")
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
    for moment in ("created_at", "ended_at"):
        op.drop_index(f"ix_activities_portal_id_{moment}", table_name="activities")
    op.drop_index("ix_deals_templates", table_name="deals")
    op.drop_index("ix_companies_own", table_name="companies")
    op.drop_table("facts_runs")
    for table in reversed(KEYS):
        op.execute(f"DROP TRIGGER forget_{table} ON portals")
        op.execute(f"DROP FUNCTION forget_{table}")
        op.drop_table(table)
