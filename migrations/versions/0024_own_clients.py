"""whose clients are whose, and who answered a mailing when: found without looking at everybody"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

ALIVE = {"contacts": "deleted_at IS NULL", "companies": "deleted_at IS NULL AND NOT is_my_company"}


def upgrade() -> None:
    for table, alive in ALIVE.items():
        op.create_index(
            f"ix_{table}_responsible", table, ["portal_id", "assigned_by_id", "bitrix_id"],
            postgresql_where=sa.text(alive),
        )
    op.create_index(
        "ix_deliveries_answered", "deliveries",
        ["portal_id", sa.text("GREATEST(human_clicked_at, replied_at)")],
        postgresql_where=sa.text("human_clicked_at IS NOT NULL OR replied_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_answered", table_name="deliveries")
    for table in reversed(ALIVE):
        op.drop_index(f"ix_{table}_responsible", table_name=table)
