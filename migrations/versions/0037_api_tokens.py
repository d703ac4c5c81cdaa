"""tokens of programs"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "api_tokens",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_at", moment, server_default=sa.func.now(), nullable=False),
        sa.Column("used_at", moment),
        sa.Column("revoked_by", sa.BigInteger()),
        sa.Column("revoked_at", moment),
        sa.PrimaryKeyConstraint("portal_id", "id", name="pk_api_tokens"),
        sa.UniqueConstraint("portal_id", "digest", name="uq_api_tokens_portal_id_digest"),
        sa.ForeignKeyConstraint(
            ["portal_id"], ["portals.id"], name="fk_api_tokens_portal_id_portals", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("api_tokens")
