"""saved segments, their versions, stays and sizes"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        'segments',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('id', sa.Integer(), sa.Identity(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('note', sa.Text()),
        sa.Column('how', sa.Text(), server_default='dynamic', nullable=False),
        sa.Column('preset', sa.Text()),
        sa.Column('definition', postgresql.JSONB(none_as_null=True)),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.Column('changed_by', sa.BigInteger()),
        sa.Column('changed_at', MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column('created_at', MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column('counters', postgresql.JSONB(none_as_null=True)),
        sa.Column('refreshed_at', MOMENT),
        sa.Column('stale_at', MOMENT),
        sa.Column('problem', sa.Text()),
        sa.Column('archived_at', MOMENT),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_segments_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'id', name='pk_segments'))
    op.create_table(
        'segment_versions',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('segment_id', sa.Integer(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('definition', postgresql.JSONB(none_as_null=True)),
        sa.Column('changed_by', sa.BigInteger()),
        sa.Column('changed_at', MOMENT, server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_segment_versions_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'segment_id', 'version',
                                name='pk_segment_versions'))
    op.create_table(
        'segment_stays',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('segment_id', sa.Integer(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('member_id', sa.BigInteger(), nullable=False),
        sa.Column('entered_at', MOMENT, nullable=False),
        sa.Column('left_at', MOMENT),
        sa.Column('entered_by', sa.Text(), nullable=False),
        sa.Column('left_by', sa.Text()),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_segment_stays_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'segment_id', 'kind', 'member_id', 'entered_at',
                                name='pk_segment_stays'))
    op.create_index('uq_segment_stays_present', 'segment_stays',
                    ['portal_id', 'segment_id', 'kind', 'member_id'], unique=True,
                    postgresql_where=sa.text('left_at IS NULL'))
    op.create_index('ix_segment_stays_of_member', 'segment_stays',
                    ['portal_id', 'kind', 'member_id'],
                    postgresql_where=sa.text('left_at IS NULL'))
    op.create_table(
        'segment_sizes',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('segment_id', sa.Integer(), nullable=False),
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('contacts', sa.Integer(), server_default='0', nullable=False),
        sa.Column('companies', sa.Integer(), server_default='0', nullable=False),
        sa.Column('leads', sa.Integer(), server_default='0', nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_segment_sizes_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'segment_id', 'day', name='pk_segment_sizes'))


def downgrade() -> None:
    op.drop_table('segment_sizes')
    op.drop_table('segment_stays')
    op.drop_table('segment_versions')
    op.drop_table('segments')
