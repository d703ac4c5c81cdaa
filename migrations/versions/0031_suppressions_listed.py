"""suppressed addresses found and sorted quickly"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

INDEXES = {
    "at": ("at", "channel", "address_hash"),
    "address": (sa.text("coalesce(address, '') COLLATE \"C\""), "channel", "address_hash"),
    "domain": (sa.text("split_part(address, '@', 2)"),),
}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(f"ix_suppressions_{name}", "suppressions", ["portal_id", *columns])
    op.create_index(
        "ix_suppressions_reason",
        "suppressions",
        ["portal_id", "reason", "at", "channel", "address_hash"],
        postgresql_include=["until"],
    )
    op.create_index(
        "ix_suppressions_until",
        "suppressions",
        ["portal_id", "until"],
        postgresql_where=sa.text("until IS NOT NULL"),
    )


def downgrade() -> None:
    for name in (*INDEXES, "reason", "until"):
        op.drop_index(f"ix_suppressions_{name}", table_name="suppressions")
