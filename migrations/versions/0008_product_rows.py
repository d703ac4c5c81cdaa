"""product rows of deals and the catalog behind them"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('deals', sa.Column('cost', sa.Numeric(18, 2)))
    op.add_column('deals', sa.Column('products_hash', sa.BigInteger()))
    op.add_column('sync_cursors', sa.Column('refused', sa.Text()))
    op.create_table(
        'deal_products',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('deal_id', sa.BigInteger(), nullable=False),
        sa.Column('row_id', sa.BigInteger(), nullable=False),
        sa.Column('product_id', sa.BigInteger()),
        sa.Column('name', sa.Text()),
        sa.Column('quantity', sa.Numeric(18, 4), nullable=False),
        sa.Column('price', sa.Numeric(18, 2), nullable=False),
        sa.Column('amount', sa.Numeric(18, 2), nullable=False),
        sa.Column('discount', sa.Numeric(18, 2), server_default='0', nullable=False),
        sa.Column('tax_rate', sa.Numeric(6, 2)),
        sa.Column('tax_included', sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column('measure', sa.Text()),
        sa.Column('position', sa.Integer(), server_default='0', nullable=False),
        sa.Column('purchase_price', sa.Numeric(18, 2)),
        sa.Column('purchase_currency', sa.Text()),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_deal_products_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'deal_id', 'row_id', name='pk_deal_products'))
    op.create_index('ix_deal_products_portal_id_product_id_deal_id', 'deal_products',
                    ['portal_id', 'product_id', 'deal_id'])
    op.create_table(
        'products',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('bitrix_id', sa.BigInteger(), nullable=False),
        sa.Column('catalog_id', sa.Integer(), nullable=False),
        sa.Column('section_id', sa.BigInteger()),
        sa.Column('parent_id', sa.BigInteger()),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('active', sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column('purchase_price', sa.Numeric(18, 2)),
        sa.Column('purchase_currency', sa.Text()),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_products_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'bitrix_id', name='pk_products'))
    op.create_index('ix_products_portal_id_section_id', 'products', ['portal_id', 'section_id'])
    op.create_table(
        'product_sections',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('bitrix_id', sa.BigInteger(), nullable=False),
        sa.Column('catalog_id', sa.Integer(), nullable=False),
        sa.Column('parent_id', sa.BigInteger()),
        sa.Column('name', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_product_sections_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'bitrix_id', name='pk_product_sections'))


def downgrade() -> None:
    op.drop_table('product_sections')
    op.drop_table('products')
    op.drop_table('deal_products')
    op.drop_column('sync_cursors', 'refused')
    op.drop_column('deals', 'products_hash')
    op.drop_column('deals', 'cost')
