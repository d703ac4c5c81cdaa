"""metrics rewritten whole: a partition for each portal, best clients kept with the totals; rates kept by day

The figures themselves are not carried over: with no run on record the next look recomputes them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

CANDIDATE = "stage_semantic = 'S' AND NOT is_recurring AND deleted_at IS NULL"
OLD = ['opportunity', 'currency_id', 'closed_on', 'moved_at', 'pipeline_id', 'bitrix_id']
INCLUDED = ['base_amount', 'closed_on', 'moved_at', 'pipeline_id', 'bitrix_id']
SIGNS = {'purchases': 'base_amount > 0', 'refunds': 'base_amount < 0'}
CLIENTS = ('contact', 'company')
KEY = ('portal_id', 'kind', 'client_id')


def columns() -> list[sa.Column]:
    return [
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('client_id', sa.BigInteger(), nullable=False),
        sa.Column('ltv', sa.Numeric(18, 2), nullable=False),
        sa.Column('sales', sa.Integer(), nullable=False),
        sa.Column('average_check', sa.Numeric(18, 2)),
        sa.Column('first_sale_on', sa.Date()),
        sa.Column('last_sale_on', sa.Date()),
        sa.Column('mean_gap_days', sa.Numeric(10, 2)),
    ]


def upgrade() -> None:
    op.drop_table('client_metrics')
    op.create_table('client_metrics', *columns(),
                    sa.PrimaryKeyConstraint(*KEY, name='pk_client_metrics'),
                    postgresql_partition_by='LIST (portal_id)')
    op.execute("CREATE TABLE client_metrics_others PARTITION OF client_metrics DEFAULT")
    op.execute("""
        CREATE FUNCTION forget_client_metrics() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM client_metrics WHERE portal_id IN (SELECT id FROM gone);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER forget_client_metrics AFTER DELETE ON portals
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_client_metrics()
    """)
    op.execute("DELETE FROM metrics_runs")
    op.execute("DELETE FROM base_totals")
    op.add_column('base_totals', sa.Column(
        'best', postgresql.ARRAY(sa.BigInteger()), server_default='{}', nullable=False))
    op.create_table('currency_rates',
                    sa.Column('portal_id', sa.Integer(), nullable=False),
                    sa.Column('code', sa.Text(), nullable=False),
                    sa.Column('day', sa.Date(), nullable=False),
                    sa.Column('rate', sa.Numeric(24, 10), nullable=False),
                    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                            name='fk_currency_rates_portal_id_portals'),
                    sa.PrimaryKeyConstraint('portal_id', 'code', 'day', name='pk_currency_rates'))
    op.execute("INSERT INTO currency_rates SELECT portal_id, code, CURRENT_DATE, rate FROM currencies")
    op.add_column('deals', sa.Column('base_amount', sa.Numeric(18, 2)))
    op.execute("""
        UPDATE deals d SET base_amount = CASE
            WHEN coalesce(d.currency_id = p.base_currency, true) THEN d.opportunity
            ELSE (SELECT round(d.opportunity * c.rate, 2) FROM currencies c
                  WHERE c.portal_id = d.portal_id AND c.code = d.currency_id) END
        FROM portals p WHERE p.id = d.portal_id
    """)
    for client in CLIENTS:
        op.drop_index(f'ix_deals_sales_by_{client}', table_name='deals')
        for name, sign in SIGNS.items():
            op.create_index(
                f'ix_deals_{name}_by_{client}', 'deals', ['portal_id', f'{client}_id'],
                postgresql_include=INCLUDED,
                postgresql_where=sa.text(f'{CANDIDATE} AND {client}_id IS NOT NULL AND {sign}'))


def downgrade() -> None:
    for client in CLIENTS:
        for name in SIGNS:
            op.drop_index(f'ix_deals_{name}_by_{client}', table_name='deals')
        op.create_index(f'ix_deals_sales_by_{client}', 'deals', ['portal_id', f'{client}_id'],
                        postgresql_include=OLD,
                        postgresql_where=sa.text(f'{CANDIDATE} AND {client}_id IS NOT NULL'))
    op.drop_column('deals', 'base_amount')
    op.drop_table('currency_rates')
    op.drop_column('base_totals', 'best')
    op.execute("DELETE FROM metrics_runs")
    op.execute("DROP TRIGGER forget_client_metrics ON portals")
    op.execute("DROP FUNCTION forget_client_metrics")
    op.drop_table('client_metrics')
    op.create_table('client_metrics', *columns(),
                    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                            name='fk_client_metrics_portal_id_portals'),
                    sa.PrimaryKeyConstraint(*KEY, name='pk_client_metrics'))
    op.create_index('ix_client_metrics_best', 'client_metrics',
                    ['portal_id', sa.literal_column('ltv DESC'), 'client_id'],
                    postgresql_where=sa.text("kind = 'contact'"))
