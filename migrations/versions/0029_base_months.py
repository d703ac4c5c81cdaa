"""sales of the base by month"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "base_months",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("first_sales", sa.Integer(), nullable=False),
        sa.Column("first_turnover", sa.Numeric(18, 2), nullable=False),
        sa.Column("repeat_sales", sa.Integer(), nullable=False),
        sa.Column("repeat_turnover", sa.Numeric(18, 2), nullable=False),
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["portal_id"], ["portals.id"], name="fk_base_months_portal_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("portal_id", "kind", "month", name="pk_base_months"),
    )


def downgrade() -> None:
    op.drop_table("base_months")
