"""checks of the mirror against the portal, and merged duplicates"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

COUNTS = ('looked', 'missing', 'differing', 'restored', 'repaired', 'vanished', 'buried')


def of_portal(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                   name=f'fk_{table}_portal_id_portals')


def count(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), server_default='0', nullable=False)


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        'checks',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('id', sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column('entity', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), server_default='queued', nullable=False),
        sa.Column('reason', sa.Text()),
        sa.Column('owner', sa.Text()),
        sa.Column('lease_until', moment),
        sa.Column('created_at', moment, server_default=sa.text('now()'), nullable=False),
        sa.Column('started_at', moment),
        sa.Column('resume_at', moment),
        sa.Column('finished_at', moment),
        count('last_id'),
        sa.Column('listed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('approved', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('expected', sa.BigInteger()),
        *map(count, COUNTS),
        sa.Column('shift_seconds', sa.Integer(), server_default='0', nullable=False),
        count('requests'),
        sa.Column('seconds', sa.Float(), server_default='0', nullable=False),
        of_portal('checks'),
        sa.PrimaryKeyConstraint('portal_id', 'id', name='pk_checks'))
    op.create_index('uq_checks_one_open_per_entity', 'checks', ['portal_id', 'entity'], unique=True,
                    postgresql_where=sa.text("status IN ('queued', 'running')"))
    op.create_table(
        'vanished_rows',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('entity', sa.Text(), nullable=False),
        sa.Column('bitrix_id', sa.BigInteger(), nullable=False),
        of_portal('vanished_rows'),
        sa.PrimaryKeyConstraint('portal_id', 'entity', 'bitrix_id', name='pk_vanished_rows'))
    op.create_table(
        'merged_clients',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('loser_id', sa.BigInteger(), nullable=False),
        sa.Column('winner_id', sa.BigInteger(), nullable=False),
        sa.Column('merged_at', moment, server_default=sa.text('now()'), nullable=False),
        of_portal('merged_clients'),
        sa.PrimaryKeyConstraint('portal_id', 'kind', 'loser_id', name='pk_merged_clients'))


def downgrade() -> None:
    op.drop_table('merged_clients')
    op.drop_table('vanished_rows')
    op.drop_table('checks')
