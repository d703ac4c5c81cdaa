"""pictures of letters, uploaded in the editor"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("portal_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["portal_id"], ["portals.id"], name=op.f("fk_pictures_portal_id_portals"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("portal_id", "name", name=op.f("pk_pictures")),
        sa.UniqueConstraint("portal_id", "digest", name=op.f("uq_pictures_portal_id_digest")),
    )


def downgrade() -> None:
    op.drop_table("pictures")
