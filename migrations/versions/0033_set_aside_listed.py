"""rows set aside found and sorted quickly"""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

INDEXES = {"seen": ["seen_at", "entity", "bitrix_id"], "reason": ["reason"]}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(
            f"ix_quarantined_rows_{name}", "quarantined_rows", ["portal_id", *columns]
        )


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(f"ix_quarantined_rows_{name}", table_name="quarantined_rows")
