"""errors of a mailing, and how it went in time, found quickly"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

MOMENTS = ("sent_at", "human_opened_at", "human_clicked_at", "replied_at")


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_errors",
        "deliveries",
        ["portal_id", "mailing_id"],
        postgresql_where=sa.text("state IN ('failed', 'bounced')"),
    )
    begun = ", ".join(
        f"(date_bin('5 minutes'::interval, {name}, '2001-01-01 00:00:00+00'::timestamptz))"
        for name in MOMENTS
    )
    op.execute(f"CREATE STATISTICS deliveries_in_time (ndistinct) ON {begun} FROM deliveries")


def downgrade() -> None:
    op.execute("DROP STATISTICS deliveries_in_time")
    op.drop_index("ix_deliveries_errors", table_name="deliveries")
