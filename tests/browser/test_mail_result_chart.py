"""A report in the browser: its chart drawn from its table and saved, its card renewed when somebody reacts."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.live import live_world

from core.clock import utcnow
from mailings.models import Delivery, Mailing
from mailings.receipts import events
from mailings.receipts.events import Event
from mailings.rules.events import EventKind

PAGE = ".app-page iframe"
KEEP = """
const make = URL.createObjectURL;
URL.createObjectURL = (blob) => { window.kept = blob; return make(blob); };
"""


@pytest.fixture
def served(settings, portal, redis_url, live_sessions):
    with live_world(settings, portal) as world:
        yield world


def finished(world):
    """A mailing to 60 people, of whom half have opened within ten hours."""
    began = utcnow() - timedelta(hours=12)
    with world.runtime.sessions.begin() as session:
        mailing = Mailing(
            portal_id=world.portal_id, name="Вернуть кофейни", channel="email", state="finished",
            started_at=began,
        )  # fmt: skip
        session.add(mailing)
        session.flush()
        for number in range(60):
            opened = began + timedelta(minutes=10 * number) if number % 2 else None
            session.add(
                Delivery(
                    portal_id=world.portal_id, mailing_id=mailing.id, kind="contact", client_id=number,
                    channel="email", state="sent", sent_at=began, human_opened_at=opened,
                )
            )  # fmt: skip
        return mailing.id


def opened_by_one_more(world, mailing_id):
    with world.runtime.sessions.begin() as session:
        unopened = sa.select(Delivery.id).where(
            Delivery.mailing_id == mailing_id, Delivery.human_opened_at.is_(None)
        )
        events.record(
            session, world.portal_id, session.scalar(unopened.limit(1)), Event(EventKind.OPENED)
        )


def test_how_a_mailing_went_is_drawn_and_can_be_saved(browser, served):
    mailing_id = finished(served)
    browser.goto(f"{served.demo.url}/?user=1")
    browser.click(".side-item >> text=Рубильник")
    browser.wait("#root:not([inert])", frame=PAGE)
    browser.eval(f"void htmx.ajax('GET', '/mailings/{mailing_id}/result', '#page')", frame=PAGE)
    browser.wait("figure.chart.drawn canvas", frame=PAGE)
    assert browser.attribute(".chart-picture", "aria-label", frame=PAGE)
    browser.eval(KEEP, frame=PAGE)
    browser.click("[data-chart-file=csv]", frame=PAGE)
    told = browser.eval("kept.text()", frame=PAGE).removeprefix("\ufeff").splitlines()
    assert told[0] == '"К этому времени";"Отправлено";"Открыли"'
    assert 10 <= len(told) <= 14
    assert told[-1].endswith(";60;30")
    browser.click("[data-chart-file=png]", frame=PAGE)
    assert browser.eval("kept.type", frame=PAGE) == "image/png"
    assert browser.eval("kept.size", frame=PAGE) > 5_000
    browser.viewport(375, 800)
    assert browser.eval("document.documentElement.scrollWidth <= innerWidth", frame=PAGE)
    opened_by_one_more(served, mailing_id)
    browser.wait("#result-card >> text=31", frame=PAGE)
    assert browser.errors() == []
