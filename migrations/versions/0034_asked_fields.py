"""custom fields that conditions ask for, repeated by what is known of the cards"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("card_facts", sa.Column("custom", JSONB))
    op.create_table(
        "asked_fields",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("portal_id", "entity", "code", name="pk_asked_fields"),
        sa.ForeignKeyConstraint(
            ["portal_id"], ["portals.id"], name="fk_asked_fields_portal_id", ondelete="CASCADE"
        ),
    )
    # The facts of all cards are found anew, with the fields of segments that are there already.
    op.execute("UPDATE facts_runs SET due_at = now()")


def downgrade() -> None:
    op.drop_table("asked_fields")
    op.drop_column("card_facts", "custom")
