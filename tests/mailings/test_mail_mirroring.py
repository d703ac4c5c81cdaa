"""Unsubscriptions reach the portal's field the administrator chose, and consents said there reach the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from support.world import read

from core.database import transaction
from core.queue import Queue
from integration.mirror import Address, Contact
from mailings.consent import ledger, mirroring, settings, suppressions
from mailings.consent.settings import ConsentField, Rules, UnsubscribeField
from mailings.jobs import planning as jobs

NO_MAIL, CONSENT = "UF_CRM_NO_MAIL", "UF_CRM_MAY_MAIL"


def settled(world):
    """The portal read, with two boxes of its own on contacts."""
    for code in (NO_MAIL, CONSENT):
        fields = {
            "FIELD_NAME": code.removeprefix("UF_CRM_"),
            "USER_TYPE_ID": "boolean",
            "EDIT_FORM_LABEL": code,
        }
        world.call("crm.contact.userfield.add", fields=fields)
    read(world)


def addresses(session, portal_id):
    """Contacts with e-mails nobody shares with them, and the e-mails."""
    own = sa.select(Address.normalised).where(
        Address.portal_id == portal_id, Address.kind == "email"
    )
    alone = own.group_by(Address.normalised).having(sa.func.count() == 1)
    query = sa.select(Address.entity_id, Address.normalised).where(
        Address.portal_id == portal_id, Address.entity == "contact", Address.kind == "email",
        Address.position == 0, Address.normalised.in_(alone),
    )  # fmt: skip
    return session.execute(query.order_by(Address.entity_id).limit(3)).all()


def test_unsubscriptions_and_consents_go_both_ways_and_only_once(world):
    world.reach(settled)
    portal_id = world.portal_id
    with transaction(world.runtime.sessions) as session:
        (gone, gone_address), (asked, asked_address), (other, _) = addresses(session, portal_id)
        settings.change(
            session, portal_id,
            Rules(consent_field=ConsentField(CONSENT, ("contact",)), unsubscribe_field=UnsubscribeField(NO_MAIL, ("contact",))),
            1,
        )  # fmt: skip
        suppressions.suppress(session, portal_id, "email", gone_address, "unsubscribed", source="x")
        suppressions.suppress(session, portal_id, "email", asked_address, "paused", source="x")
    world.call("crm.contact.update", id=asked, fields={CONSENT: "1"})
    world.sync()

    jobs.follow_consents()
    world.work(Queue.COMPUTE, Queue.SYNC)
    cards = (gone, asked, other)
    marked = [each for each in cards if world.call("crm.contact.get", id=each)[NO_MAIL] == "1"]
    assert marked == [gone]
    with world.runtime.sessions() as session:
        assert ledger.stands(session, portal_id, "email", "offers", asked_address).given
        assert ledger.stands(session, portal_id, "email", "offers", gone_address) is None
        assert mirroring.waiting(session) == []
        assert session.get(Contact, (portal_id, gone)).custom[NO_MAIL] is True

    calls = world.demo.counters()
    assert mirroring.mirror(world.runtime, portal_id).written == 0
    assert world.demo.counters() == calls, "what is written already is not sent again"

    world.call("crm.contact.update", id=gone, fields={NO_MAIL: "0"})
    world.sync()
    assert mirroring.mirror(world.runtime, portal_id).written == 1, "the suppression is what counts"
