"""what changed since segments were compared: cards to look at again; lists read from files"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
SEGMENTS = ('basis', 'fingerprint', 'counted_at', 'recount_at')


def upgrade() -> None:
    op.create_table(
        'changed_cards',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('id', sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('card_id', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_changed_cards_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'id', name='pk_changed_cards'))
    op.drop_constraint('pk_changed_clients', 'changed_clients')
    op.add_column('changed_clients', sa.Column('id', sa.BigInteger(), sa.Identity(), nullable=False))
    op.create_primary_key('pk_changed_clients', 'changed_clients', ['portal_id', 'id'])
    for name in SEGMENTS:
        op.add_column('segments', sa.Column(name, MOMENT if name.endswith('_at') else sa.Text()))
    op.create_table(
        'segment_imports',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('segment_id', sa.Integer(), nullable=False),
        sa.Column('filename', sa.Text(), nullable=False),
        sa.Column('columns', postgresql.JSONB(), nullable=False),
        sa.Column('rows', sa.Integer(), nullable=False),
        sa.Column('found', sa.Integer(), nullable=False),
        sa.Column('entered', sa.Integer(), nullable=False),
        sa.Column('refused', postgresql.JSONB(), nullable=False),
        sa.Column('made_by', sa.BigInteger()),
        sa.Column('made_at', MOMENT, server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_segment_imports_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'segment_id', name='pk_segment_imports'))
    op.create_table(
        'import_columns',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('header', sa.Text(), nullable=False),
        sa.Column('meaning', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_import_columns_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'header', name='pk_import_columns'))


def downgrade() -> None:
    op.drop_table('import_columns')
    op.drop_table('segment_imports')
    for name in reversed(SEGMENTS):
        op.drop_column('segments', name)
    op.execute('DELETE FROM changed_clients a USING changed_clients b WHERE a.portal_id = b.portal_id'
               ' AND a.kind = b.kind AND a.client_id = b.client_id AND a.id > b.id')
    op.drop_constraint('pk_changed_clients', 'changed_clients')
    op.drop_column('changed_clients', 'id')
    op.create_primary_key('pk_changed_clients', 'changed_clients', ['portal_id', 'kind', 'client_id'])
    op.drop_table('changed_cards')
