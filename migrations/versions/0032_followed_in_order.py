"""what followed a mailing, the newest first"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

NEW, OLD = "ix_attributions_mailing", "ix_attributions_portal_id_mailing_id"


def upgrade() -> None:
    columns = ["portal_id", "mailing_id", "happened_at", "entity", "bitrix_id"]
    op.create_index(NEW, "attributions", columns)
    op.drop_index(OLD, table_name="attributions")


def downgrade() -> None:
    op.create_index(OLD, "attributions", ["portal_id", "mailing_id"])
    op.drop_index(NEW, table_name="attributions")
