"""Leads and deals of a result as the portal itself says they stand, while the mirror still knows them as they were."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from support.mail_results import mailed
from support.settings_page import plain
from support.world import read

from core.clock import utcnow
from integration.mirror import Deal, Lead
from mailings.models import Attribution, Delivery


def living(table):
    """Under way, and a deal of the first pipeline."""
    found = [table.stage_semantic == "P", table.deleted_at.is_(None)]
    return [*found, table.pipeline_id == 0] if table is Deal else found


def followed(world):
    """The portal's first deal and lead, credited to a mailing; its id."""
    with world.runtime.sessions.begin() as session:
        mailed(session, world.portal_id)
        sent = session.scalars(sa.select(Delivery).order_by(Delivery.id).limit(1)).one()
        for entity, table in (("deal", Deal), ("lead", Lead)):
            number = session.scalar(sa.select(sa.func.min(table.bitrix_id)).where(*living(table)))
            session.add(
                Attribution(
                    portal_id=world.portal_id, entity=entity, bitrix_id=number, mailing_id=sent.mailing_id,
                    delivery_id=sent.id, touch="clicked", touched_at=utcnow() - timedelta(hours=1),
                    happened_at=utcnow(),
                )
            )  # fmt: skip
        session.flush()
        ids = sa.select(Attribution.entity, Attribution.bitrix_id)
        return sent.mailing_id, {row[0]: row[1] for row in session.execute(ids)}


def test_stage_and_owner_are_the_portals_own_and_the_mirrors_when_it_is_silent(world):
    world.reach(read)
    mailing_id, ids = followed(world)
    headers = {"Authorization": f"Bearer {world.open(1).headers['X-Session']}"}

    def page(**asked):
        answer = world.browser.get(
            f"/mailings/{mailing_id}/leads", query_string=asked, headers=headers
        )
        assert answer.status_code == 200
        return plain(answer.get_data(as_text=True))

    world.call(
        "crm.deal.update", id=ids["deal"], fields={"STAGE_ID": "WON", "TITLE": "Окна и двери"}
    )
    world.call("crm.lead.update", id=ids["lead"], fields={"STATUS_ID": "JUNK"})
    before = page()
    assert "Окна и двери" not in before
    assert "Некачественный лид" not in before
    now = page(live="1")
    assert "Окна и двери" in now
    assert "Сделка успешна" in now
    assert "Некачественный лид" in now
    assert "по последнему чтению" not in now
    world.demo.fault("drop", "*", times=-1)
    silent = page(live="1")
    world.demo.clear_faults()
    assert "Окна и двери" not in silent
    assert silent.count("по последнему чтению") == 2
