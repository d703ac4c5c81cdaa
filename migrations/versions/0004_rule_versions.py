"""versions of the sale rule

What was saved before is not known: the history begins with the rule in force.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

RULE = 'portal_id, version, pipelines, date_source, date_field, contact_mode, changed_by, changed_at'


def upgrade() -> None:
    op.create_table(
        'sale_rule_versions',
        sa.Column('portal_id', sa.Integer(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('pipelines', postgresql.ARRAY(sa.Integer())),
        sa.Column('date_source', sa.Text(), nullable=False),
        sa.Column('date_field', sa.Text()),
        sa.Column('contact_mode', sa.Text(), nullable=False),
        sa.Column('missing_pipelines', postgresql.ARRAY(sa.Integer()), server_default='{}', nullable=False),
        sa.Column('date_field_missing', sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column('names', postgresql.JSONB(), server_default='{}', nullable=False),
        sa.Column('changed_by', sa.BigInteger()),
        sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], ondelete='CASCADE',
                                name='fk_sale_rule_versions_portal_id_portals'),
        sa.PrimaryKeyConstraint('portal_id', 'version', name='pk_sale_rule_versions'))
    op.execute(f"INSERT INTO sale_rule_versions ({RULE}) SELECT {RULE} FROM sale_rules")


def downgrade() -> None:
    op.drop_table('sale_rule_versions')
