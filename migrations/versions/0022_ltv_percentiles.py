"""the place of a client's LTV among the buyers', kept with the scores of the day"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    money = postgresql.ARRAY(sa.Numeric(18, 2))
    op.add_column("score_bases", sa.Column("ltv_percentiles", money, nullable=True))
    op.execute("UPDATE score_bases SET due = true")


def downgrade() -> None:
    op.drop_column("score_bases", "ltv_percentiles")
