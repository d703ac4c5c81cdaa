"""more of what counters need of every card: days of sale, the last contact, narrow columns, addresses of both sides"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = {
    "sold_days": sa.ARRAY(sa.Date()),
    "last_contact_at": MOMENT,
    "created_at": MOMENT,
    "source_id": sa.Text(),
    "assigned_by_id": sa.BigInteger(),
    "birth_date": sa.Date(),
    "company_id": sa.BigInteger(),
    "contact_id": sa.BigInteger(),
    "stage_semantic": sa.Text(),
    "closed_at": MOMENT,
}


def upgrade() -> None:
    for name, type_ in COLUMNS.items():
        op.add_column("card_facts", sa.Column(name, type_))
    op.create_table(
        "crossing_addresses",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("normalised", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "portal_id", "kind", "normalised", "entity", "entity_id", name="pk_crossing_addresses"
        ),
        postgresql_partition_by="LIST (portal_id)",
    )
    op.create_index(
        "ix_crossing_addresses_portal_id_entity_entity_id", "crossing_addresses",
        ["portal_id", "entity", "entity_id"],
    )
    op.execute("CREATE TABLE crossing_addresses_others PARTITION OF crossing_addresses DEFAULT")
    op.execute("""
        CREATE FUNCTION forget_crossing_addresses() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM crossing_addresses WHERE portal_id IN (SELECT id FROM gone);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER forget_crossing_addresses AFTER DELETE ON portals
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_crossing_addresses()
    """)
    # The facts of all cards are to be found anew: until then the mirror is asked.
    op.execute("UPDATE facts_runs SET due_at = now()")


def downgrade() -> None:
    op.execute("DROP TRIGGER forget_crossing_addresses ON portals")
    op.execute("DROP FUNCTION forget_crossing_addresses()")
    op.drop_table("crossing_addresses")
    for name in reversed(COLUMNS):
        op.drop_column("card_facts", name)
