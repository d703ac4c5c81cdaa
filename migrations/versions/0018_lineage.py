"""which database this is and how far it has come, so that a copy of an earlier day is noticed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "lineage",
        sa.Column("id", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column(
            "name",
            postgresql.UUID(as_uuid=False),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
        ),
        sa.Column("beat", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("beat_at", moment, server_default=sa.func.now(), nullable=False),
        sa.Column("gap_cause", sa.Text(), nullable=True),
        sa.Column("gap_since", moment, nullable=True),
        sa.Column("gap_until", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage")),
    )


def downgrade() -> None:
    op.drop_table("lineage")
