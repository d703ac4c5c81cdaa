"""scores of clients and the edges of their lifecycle"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(18, 2)


def upgrade() -> None:
    op.create_table(
        "client_scores",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("bought", sa.Integer(), nullable=False),
        sa.Column("spent", MONEY, nullable=False),
        sa.Column("previous_sale_on", sa.Date()),
        sa.Column("r", sa.SmallInteger()),
        sa.Column("f", sa.SmallInteger()),
        sa.Column("m", sa.SmallInteger()),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "kind", "client_id", name="pk_client_scores"),
        postgresql_partition_by="LIST (portal_id)",
    )
    op.execute("CREATE TABLE client_scores_others PARTITION OF client_scores DEFAULT")
    op.execute("""
        CREATE FUNCTION forget_client_scores() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM client_scores WHERE portal_id IN (SELECT id FROM gone);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER forget_client_scores AFTER DELETE ON portals
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_client_scores()
    """)
    op.create_table(
        "score_bases",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("buyers", sa.Integer(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("days", ARRAY(sa.Integer()), nullable=False),
        sa.Column("purchases", ARRAY(sa.Integer()), nullable=False),
        sa.Column("money", ARRAY(MONEY), nullable=False),
        sa.Column("gaps", JSONB(), nullable=False),
        sa.Column("stages", ARRAY(sa.Integer()), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("choices_version", sa.Integer(), nullable=False),
        sa.Column("due", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["portal_id"], ["portals.id"], ondelete="CASCADE", name="fk_score_bases_portal_id_portals"
        ),
        sa.PrimaryKeyConstraint("portal_id", "kind", name="pk_score_bases"),
    )


def downgrade() -> None:
    op.drop_table("score_bases")
    op.execute("DROP TRIGGER forget_client_scores ON portals")
    op.execute("DROP FUNCTION forget_client_scores")
    op.drop_table("client_scores")
