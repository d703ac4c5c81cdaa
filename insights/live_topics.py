"""What pages listen to: the reading of the portal, its health, the figures, the worth of one client, mailings."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from core.web import live
from core.web.session import Viewer
from integration import health
from integration.rights import Right
from integration.sync import runs
from mailings.results import moving
from mailings.web.drafts import suggesting
from segments import pipeline
from segments.models import ClientMetrics


def register() -> None:
    """Let pages listen to them."""
    live.topic("sync", _sync)
    live.topic("figures", _figures)
    live.topic("client", _client)
    live.topic("health", _health)
    live.topic("mailing", _mailing)
    live.topic("mailings", _mailings)


def _sync(session: Session, viewer: Viewer, _rest: str) -> object:
    return runs.progress(session, viewer.portal_id)


def _figures(session: Session, viewer: Viewer, _rest: str) -> object:
    """By the minute: where clients buy all day, a page would else be renewed all the time."""
    run = pipeline.last_run(session, viewer.portal_id)
    if run is None:
        return None
    behind = pipeline.is_behind(session, viewer.portal_id)
    return run.rule_version, behind, run.computed_at.replace(second=0, microsecond=0)


def _client(session: Session, viewer: Viewer, name: str) -> object:
    """Of a client the viewer was proved to be allowed to see."""
    if name not in viewer.clients:
        return None
    kind, _, number = name.partition(":")
    row = session.get(ClientMetrics, (viewer.portal_id, kind, int(number)))
    return row and (row.ltv, row.sales, row.last_sale_on, row.margin)


def _health(session: Session, viewer: Viewer, _rest: str) -> object:
    return health.stand(session, viewer.portal_id) if viewer.is_admin else None


def _mailing(session: Session, viewer: Viewer, number: str) -> object:
    if not viewer.may(Right.WRITE) or not re.fullmatch(r"\d{1,18}", number, re.ASCII):
        return None
    return moving.stand(session, viewer.portal_id, int(number))


def _mailings(session: Session, viewer: Viewer, _rest: str) -> object:
    if not viewer.may(Right.WRITE):
        return None
    return moving.going(session, viewer.portal_id, suggesting.SHOWN)
