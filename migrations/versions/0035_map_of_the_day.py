"""the map of RFM is counted with the day's scores"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("score_bases", sa.Column("cells", JSONB))
    op.execute("UPDATE score_bases SET due = true")


def downgrade() -> None:
    op.drop_column("score_bases", "cells")
