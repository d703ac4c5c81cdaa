"""mailings: offers, deliveries, what came of them, consents, mail servers"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('deliveries',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('mailing_id', sa.BigInteger(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('client_id', sa.BigInteger(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('group_key', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('variant', sa.Text(), nullable=True),
    sa.Column('code', sa.Text(), nullable=True),
    sa.Column('attempt', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('owner', sa.UUID(as_uuid=False), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reply_code', sa.SmallInteger(), nullable=True),
    sa.Column('reply_status', sa.Text(), nullable=True),
    sa.Column('provider_id', sa.Text(), nullable=True),
    sa.Column('planned_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('bounced_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('human_opened_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('clicked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('human_clicked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('replied_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('unsubscribed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('complained_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('portal_id', 'id', name=op.f('pk_deliveries'))
    )
    op.create_index('ix_deliveries_due', 'deliveries', ['portal_id', 'mailing_id', 'next_try_at', 'id'], unique=False, postgresql_where=sa.text("state IN ('pending', 'deferred')"))
    op.create_index('ix_deliveries_failed', 'deliveries', ['portal_id', 'address'], unique=False, postgresql_where=sa.text("state = 'failed'"))
    op.create_index('ix_deliveries_leased', 'deliveries', ['portal_id', 'lease_until'], unique=False, postgresql_where=sa.text("state IN ('claimed', 'sending')"))
    op.create_index('ix_deliveries_of_client', 'deliveries', ['portal_id', 'kind', 'client_id', 'sent_at'], unique=False, postgresql_where=sa.text('sent_at IS NOT NULL'))
    op.create_index('uq_deliveries_address', 'deliveries', ['portal_id', 'mailing_id', 'address'], unique=True, postgresql_where=sa.text("address IS NOT NULL AND state <> 'skipped'"))
    op.create_index('uq_deliveries_client', 'deliveries', ['portal_id', 'mailing_id', 'kind', 'client_id'], unique=True)
    op.create_table('attributions',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('entity', sa.Text(), nullable=False),
    sa.Column('bitrix_id', sa.BigInteger(), nullable=False),
    sa.Column('mailing_id', sa.BigInteger(), nullable=False),
    sa.Column('delivery_id', sa.BigInteger(), nullable=False),
    sa.Column('touch', sa.Text(), nullable=False),
    sa.Column('touched_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sold_on', sa.Date(), nullable=True),
    sa.Column('amount', sa.Numeric(precision=18, scale=2), nullable=True),
    sa.Column('margin', sa.Numeric(precision=18, scale=2), nullable=True),
    sa.Column('attributed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_attributions_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'entity', 'bitrix_id', name=op.f('pk_attributions'))
    )
    op.create_index(op.f('ix_attributions_portal_id_mailing_id'), 'attributions', ['portal_id', 'mailing_id'], unique=False)
    op.create_table('attribution_runs',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('read_to', sa.DateTime(timezone=True), nullable=False),
    sa.Column('whole_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rules', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_attribution_runs_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', name=op.f('pk_attribution_runs'))
    )
    op.create_table('consent_records',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('address_hash', sa.LargeBinary(), nullable=False),
    sa.Column('given', sa.Boolean(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('text_version', sa.Text(), nullable=True),
    sa.Column('text_hash', sa.Text(), nullable=True),
    sa.Column('ip', sa.Text(), nullable=True),
    sa.Column('user_agent', sa.Text(), nullable=True),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.Column('proof', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_consent_records_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'id', name=op.f('pk_consent_records'))
    )
    op.create_index(op.f('ix_consent_records_portal_id_channel_address_hash_topic'), 'consent_records', ['portal_id', 'channel', 'address_hash', 'topic'], unique=False)
    op.create_table('consents',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('address_hash', sa.LargeBinary(), nullable=False),
    sa.Column('given', sa.Boolean(), nullable=False),
    sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('record_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_consents_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'channel', 'topic', 'address_hash', name=op.f('pk_consents'))
    )
    op.create_table('delivery_attempts',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('delivery_id', sa.BigInteger(), nullable=False),
    sa.Column('attempt', sa.SmallInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('reply_code', sa.SmallInteger(), nullable=True),
    sa.Column('reply_status', sa.Text(), nullable=True),
    sa.Column('text', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_delivery_attempts_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'id', name=op.f('pk_delivery_attempts'))
    )
    op.create_index(op.f('ix_delivery_attempts_portal_id_delivery_id'), 'delivery_attempts', ['portal_id', 'delivery_id'], unique=False)
    op.create_table('delivery_events',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('delivery_id', sa.BigInteger(), nullable=False),
    sa.Column('mailing_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('link', sa.SmallInteger(), nullable=True),
    sa.Column('human', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('ruling', sa.Text(), nullable=True),
    sa.Column('detail', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_delivery_events_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'id', name=op.f('pk_delivery_events'))
    )
    op.create_index('ix_delivery_events_replies', 'delivery_events', ['portal_id', 'at'], unique=False, postgresql_where=sa.text("kind = 'replied'"))
    op.create_index(op.f('ix_delivery_events_portal_id_delivery_id'), 'delivery_events', ['portal_id', 'delivery_id'], unique=False)
    op.create_index(op.f('ix_delivery_events_portal_id_mailing_id_kind'), 'delivery_events', ['portal_id', 'mailing_id', 'kind'], unique=False)
    op.create_table('erased_clients',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('client_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_erased_clients_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'kind', 'client_id', name=op.f('pk_erased_clients'))
    )
    op.create_table('mail_servers',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('from_settings', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('host', sa.Text(), nullable=True),
    sa.Column('port', sa.Integer(), nullable=True),
    sa.Column('security', sa.Text(), server_default='starttls', nullable=False),
    sa.Column('username', sa.Text(), nullable=True),
    sa.Column('password_sealed', sa.Text(), nullable=True),
    sa.Column('from_email', sa.Text(), nullable=False),
    sa.Column('from_name', sa.Text(), nullable=True),
    sa.Column('reply_to', sa.Text(), nullable=True),
    sa.Column('bounce_domain', sa.Text(), nullable=True),
    sa.Column('connections', sa.SmallInteger(), server_default='10', nullable=False),
    sa.Column('rate_per_minute', sa.Integer(), nullable=True),
    sa.Column('group_rate_per_minute', sa.Integer(), nullable=True),
    sa.Column('daily_quota', sa.Integer(), nullable=True),
    sa.Column('warm_up_from', sa.Date(), nullable=True),
    sa.Column('dkim_selector', sa.Text(), nullable=True),
    sa.Column('dkim_key_sealed', sa.Text(), nullable=True),
    sa.Column('mailbox', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('mailbox_password_sealed', sa.Text(), nullable=True),
    sa.Column('mailbox_read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('mailbox_problem', sa.Text(), nullable=True),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('rest_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('problem', sa.Text(), nullable=True),
    sa.Column('checked', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('changed_by', sa.BigInteger(), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_mail_servers_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'id', name=op.f('pk_mail_servers'))
    )
    op.create_table('mailing_links',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('mailing_id', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.SmallInteger(), autoincrement=False, nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_mailing_links_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'mailing_id', 'number', name=op.f('pk_mailing_links'))
    )
    op.create_table('mailings',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), server_default='offers', nullable=False),
    sa.Column('segment_id', sa.Integer(), nullable=True),
    sa.Column('preset', sa.Text(), nullable=True),
    sa.Column('offer_id', sa.BigInteger(), nullable=True),
    sa.Column('server_id', sa.BigInteger(), nullable=True),
    sa.Column('content', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('plan', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('mode', sa.Text(), server_default='once', nullable=False),
    sa.Column('state', sa.Text(), server_default='draft', nullable=False),
    sa.Column('state_reason', sa.Text(), nullable=True),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.Column('key', sa.Text(), nullable=True),
    sa.Column('parent_id', sa.BigInteger(), nullable=True),
    sa.Column('turn', sa.Integer(), nullable=True),
    sa.Column('audience', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('fingerprint', sa.Text(), nullable=True),
    sa.Column('size', sa.Integer(), nullable=True),
    sa.Column('compiled', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('author_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('start_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('planned_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_mailings_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'id', name=op.f('pk_mailings')),
    sa.UniqueConstraint('portal_id', 'key', name=op.f('uq_mailings_portal_id_key'))
    )
    op.create_index('ix_mailings_state', 'mailings', ['portal_id', 'state'], unique=False)
    op.create_table('offers',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('content', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.Column('changed_by', sa.BigInteger(), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_offers_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'id', name=op.f('pk_offers'))
    )
    op.create_table('paces',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('level', sa.Float(), server_default='0', nullable=False),
    sa.Column('counted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_paces_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'key', name=op.f('pk_paces'))
    )
    op.create_table('portal_notes',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('mailing_id', sa.BigInteger(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('before_first_id', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('last_id', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('written', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failed', sa.Integer(), server_default='0', nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_portal_notes_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'mailing_id', name=op.f('pk_portal_notes'))
    )
    op.create_table('promo_codes',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('offer_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('delivery_id', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_promo_codes_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'offer_id', 'code', name=op.f('pk_promo_codes'))
    )
    op.create_index('ix_promo_codes_free', 'promo_codes', ['portal_id', 'offer_id', 'code'], unique=False, postgresql_where=sa.text('delivery_id IS NULL'))
    op.create_table('suppressions',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('address_hash', sa.LargeBinary(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('mailing_id', sa.BigInteger(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_suppressions_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'channel', 'address_hash', name=op.f('pk_suppressions'))
    )
    op.create_table('topics',
    sa.Column('portal_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('sort', sa.Integer(), server_default='0', nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['portal_id'], ['portals.id'], name=op.f('fk_topics_portal_id_portals'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('portal_id', 'key', name=op.f('pk_topics'))
    )
    op.execute("""
        CREATE FUNCTION forget_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM deliveries WHERE portal_id IN (SELECT id FROM gone);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER forget_deliveries AFTER DELETE ON portals
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_deliveries()
    """)
    # Whoever withdraws permission waits for the gates under way, and the next gates see it (mailings.sending.gating).
    for table, withdrawn in (("suppressions", "true"), ("consents", "NOT given")):
        op.execute(f"""
            CREATE FUNCTION {table}_wait_for_gates() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock(19783, portal_id)
                FROM (SELECT DISTINCT portal_id FROM added WHERE {withdrawn} ORDER BY portal_id) AS portals;
                RETURN NULL;
            END $$
        """)
        for event in ("insert", "update"):
            op.execute(f"""
                CREATE TRIGGER wait_for_gates_{event} AFTER {event} ON {table}
                REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION {table}_wait_for_gates()
            """)


def downgrade() -> None:
    for table in ("suppressions", "consents"):
        op.execute(f"DROP TRIGGER wait_for_gates_insert ON {table}")
        op.execute(f"DROP TRIGGER wait_for_gates_update ON {table}")
        op.execute(f"DROP FUNCTION {table}_wait_for_gates")
    op.execute("DROP TRIGGER forget_deliveries ON portals")
    op.execute("DROP FUNCTION forget_deliveries")
    op.drop_table('topics')
    op.drop_table('suppressions')
    op.drop_index('ix_promo_codes_free', table_name='promo_codes', postgresql_where=sa.text('delivery_id IS NULL'))
    op.drop_table('promo_codes')
    op.drop_table('portal_notes')
    op.drop_table('paces')
    op.drop_table('offers')
    op.drop_index('ix_mailings_state', table_name='mailings')
    op.drop_table('mailings')
    op.drop_table('mailing_links')
    op.drop_table('mail_servers')
    op.drop_table('erased_clients')
    op.drop_index(op.f('ix_delivery_events_portal_id_mailing_id_kind'), table_name='delivery_events')
    op.drop_index('ix_delivery_events_replies', table_name='delivery_events', postgresql_where=sa.text("kind = 'replied'"))
    op.drop_index(op.f('ix_delivery_events_portal_id_delivery_id'), table_name='delivery_events')
    op.drop_table('delivery_events')
    op.drop_index(op.f('ix_delivery_attempts_portal_id_delivery_id'), table_name='delivery_attempts')
    op.drop_table('delivery_attempts')
    op.drop_table('consents')
    op.drop_index(op.f('ix_consent_records_portal_id_channel_address_hash_topic'), table_name='consent_records')
    op.drop_table('consent_records')
    op.drop_index(op.f('ix_attributions_portal_id_mailing_id'), table_name='attributions')
    op.drop_table('attributions')
    op.drop_table('attribution_runs')
    op.drop_index('uq_deliveries_client', table_name='deliveries')
    op.drop_index('uq_deliveries_address', table_name='deliveries', postgresql_where=sa.text("address IS NOT NULL AND state <> 'skipped'"))
    op.drop_index('ix_deliveries_of_client', table_name='deliveries', postgresql_where=sa.text('sent_at IS NOT NULL'))
    op.drop_index('ix_deliveries_failed', table_name='deliveries', postgresql_where=sa.text("state = 'failed'"))
    op.drop_index('ix_deliveries_leased', table_name='deliveries', postgresql_where=sa.text("state IN ('claimed', 'sending')"))
    op.drop_index('ix_deliveries_due', table_name='deliveries', postgresql_where=sa.text("state IN ('pending', 'deferred')"))
    op.drop_table('deliveries')
