"""whose a deal is, margin and active clients in the sale rule and in the figures

The defaults are what was in force, so no figure changes; who is active is counted when first looked at.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

CANDIDATE = "stage_semantic = 'S' AND NOT is_recurring AND deleted_at IS NULL"
INCLUDED = ['base_amount', 'closed_on', 'moved_at', 'pipeline_id', 'bitrix_id']
SIGNS = {'purchases': 'base_amount > 0', 'refunds': 'base_amount < 0'}
OTHERS = {'contact': 'company_id', 'company': 'contact_id'}
RULES = ('sale_rules', 'sale_rule_versions')
DEFAULTS = {'date_source': 'closed', 'contact_mode': 'primary'}  # as the rule in force has them


def choices() -> list[sa.Column]:
    return [
        sa.Column('client_mode', sa.Text(), server_default='each', nullable=False),
        sa.Column('margin_source', sa.Text(), server_default='none', nullable=False),
        sa.Column('margin_field', sa.Text()),
        sa.Column('margin_percent', sa.Numeric(5, 2)),
        sa.Column('margin_by_pipeline', postgresql.JSONB(), server_default='{}', nullable=False),
        sa.Column('active_sales', sa.Integer(), server_default='1', nullable=False),
        sa.Column('active_window', sa.Text(), server_default='month', nullable=False),
    ]


def figures() -> list[sa.Column]:
    return [
        sa.Column('margin', sa.Numeric(18, 2)),
        sa.Column('margin_coverage', sa.Numeric(5, 4)),
        sa.Column('kth_sale_on', sa.Date()),
    ]


def sales_indexes(more: dict[str, list[str]]) -> None:
    for client in OTHERS:
        for name, sign in SIGNS.items():
            op.drop_index(f'ix_deals_{name}_by_{client}', table_name='deals')
            op.create_index(
                f'ix_deals_{name}_by_{client}', 'deals', ['portal_id', f'{client}_id'],
                postgresql_include=[*INCLUDED, *more[client]],
                postgresql_where=sa.text(f'{CANDIDATE} AND {client}_id IS NOT NULL AND {sign}'))


def upgrade() -> None:
    for table in RULES:
        for column in choices():
            op.add_column(table, column)
    for name, value in DEFAULTS.items():
        op.alter_column('sale_rule_versions', name, server_default=value)
    op.add_column('sale_rule_versions', sa.Column(
        'margin_field_missing', sa.Boolean(), server_default=sa.false(), nullable=False))
    for column in figures():
        op.add_column('client_metrics', column)
    op.add_column('base_totals', sa.Column('active', sa.Integer(), server_default='0', nullable=False))
    op.add_column('base_totals', sa.Column('active_since', sa.Date()))
    sales_indexes({client: [other] for client, other in OTHERS.items()})


def downgrade() -> None:
    sales_indexes({client: [] for client in OTHERS})
    op.drop_column('base_totals', 'active_since')
    op.drop_column('base_totals', 'active')
    for column in figures():
        op.drop_column('client_metrics', column.name)
    op.drop_column('sale_rule_versions', 'margin_field_missing')
    for name in DEFAULTS:
        op.alter_column('sale_rule_versions', name, server_default=None)
    for table in RULES:
        for column in choices():
            op.drop_column(table, column.name)
