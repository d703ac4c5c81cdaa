"""troubles told to the administrator; the portal's last count kept beside the cursor"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'troubles',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('code', sa.Text(), nullable=False),
        sa.Column('since', sa.DateTime(timezone=True), nullable=False),
        sa.Column('tried_at', sa.DateTime(timezone=True)),
        sa.Column('told_at', sa.DateTime(timezone=True)),
        sa.Column('gone_at', sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_troubles_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'code', name='pk_troubles'))
    op.add_column('sync_cursors', sa.Column('portal_rows', sa.BigInteger()))
    op.add_column('sync_cursors', sa.Column('counted_at', sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column('sync_cursors', 'counted_at')
    op.drop_column('sync_cursors', 'portal_rows')
    op.drop_table('troubles')
