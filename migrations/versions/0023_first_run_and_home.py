"""how far an administrator was led, the totals of each day, and what each group is likely to bring

Portals that have been read already know the application: nobody is led there. Their scores are made anew, and
the outlooks with them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(18, 2)


def upgrade() -> None:
    op.create_table(
        "first_runs",
        _portal(),
        sa.Column("confirmed", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        *_of_portal("portal_id"),
    )
    op.create_table(
        "base_days",
        _portal(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("clients", "buyers", "repeat_buyers")),
        sa.Column("sales", sa.BigInteger(), nullable=False),
        *(sa.Column(name, MONEY, nullable=False) for name in ("revenue", "turnover")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("active", "silent")),
        sa.Column("silent_ltv", MONEY, nullable=False),
        sa.Column("silent_days", sa.Integer(), nullable=False),
        *_of_portal("portal_id", "kind", "day"),
    )
    op.create_table(
        "group_outlooks",
        _portal(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("ltv", MONEY, nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("likely", sa.Float(), nullable=False),
        sa.Column("expected", MONEY, nullable=False),
        *_of_portal("portal_id", "kind", "group_key"),
    )
    op.execute(
        "INSERT INTO first_runs (portal_id, closed_at) "
        "SELECT id, now() FROM portals WHERE last_sync_at IS NOT NULL"
    )
    op.execute("UPDATE score_bases SET due = true")


def _portal() -> sa.Column:
    return sa.Column("portal_id", sa.Integer(), nullable=False)


def _of_portal(*key: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*key),
    )


def downgrade() -> None:
    for name in ("group_outlooks", "base_days", "first_runs"):
        op.drop_table(name)
