"""admin's rules: what is kept, where figures go, quiet hours

The fields chosen so far become the first version of where figures go, on contacts and on companies.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

OWN = "'UF_CRM_RUBILNIK_LTV', 'UF_CRM_RUBILNIK_AVERAGE_CHECK', 'UF_CRM_RUBILNIK_SALES', " \
      "'UF_CRM_RUBILNIK_FIRST_SALE', 'UF_CRM_RUBILNIK_LAST_SALE'"


def upgrade() -> None:
    op.create_table(
        'admin_rules',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('rule', sa.Text(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('content', postgresql.JSONB(), nullable=False),
        sa.Column('changed_by', sa.BigInteger()),
        sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_admin_rules_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'rule', 'version', name='pk_admin_rules'))
    op.execute(f"""
        INSERT INTO admin_rules (portal_id, rule, version, content, changed_by, changed_at)
        SELECT portal_id, 'writing', 1, (
            SELECT coalesce(jsonb_object_agg(kind || '.' || lower(substr(code, 17)), jsonb_build_object('code', code)), '{{}}')
            FROM unnest(fields) AS code, unnest(ARRAY['contact', 'company']) AS kind WHERE code IN ({OWN})
        ), changed_by, changed_at FROM writeback_settings""")
    op.drop_column('writeback_settings', 'fields')
    op.execute("UPDATE writeback_settings SET proven = '{}'")
    op.add_column('writeback_settings', sa.Column(
        'ignored', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False))
    op.add_column('sync_cursors', sa.Column('reading', sa.Integer(), server_default='0', nullable=False))
    op.add_column('sync_cursors', sa.Column('reading_asked', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('sync_cursors', 'reading_asked')
    op.drop_column('sync_cursors', 'reading')
    op.drop_column('writeback_settings', 'ignored')
    op.add_column('writeback_settings', sa.Column(
        'fields', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False))
    op.execute(f"""
        UPDATE writeback_settings s SET fields = coalesce((
            SELECT array_agg(DISTINCT target.value ->> 'code')
            FROM (SELECT content FROM admin_rules r WHERE r.portal_id = s.portal_id AND r.rule = 'writing'
                  ORDER BY version DESC LIMIT 1) AS newest, jsonb_each(newest.content) AS target
            WHERE target.value ->> 'code' IN ({OWN})), '{{}}'), proven = '{{}}'""")
    op.alter_column('writeback_settings', 'fields', server_default=None)
    op.drop_table('admin_rules')
