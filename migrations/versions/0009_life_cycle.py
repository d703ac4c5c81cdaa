"""states of a portal: since when, and what is known of those that do not answer"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

COLUMNS = ('state_since', 'silent_since', 'probed_at', 'removal_told_at')


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column('portals', sa.Column(name, sa.DateTime(timezone=True)))


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.drop_column('portals', name)
