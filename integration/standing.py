"""What every page says above its content while the connection is broken: one notice, in its reader's words.

An administrator reads what happened and gets what to do about it; everybody else one calm line telling
as of when the figures are.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.web import formats
from core.web.shell import Notice
from core.web.words import gettext as _
from integration import health, health_words, troubles
from integration.models import Portal
from integration.rules.health import Code, Problem, Severity, shut_out

_STEPS = "/install/progress"


def notice(session: Session, portal_id: int, *, is_admin: bool) -> Notice | None:
    """The notice for a viewer of this portal; None while it lets us work."""
    portal = session.get(Portal, portal_id)
    problem = _problem(session, portal) if portal is not None else None
    if portal is None or problem is None:
        return None
    return _for_admin(problem) if is_admin else _for_others(problem, portal.last_sync_at)


def _problem(session: Session, portal: Portal) -> Problem | None:
    steps = health.failed_steps(portal)
    if ended := shut_out(portal.state, portal.state_reason, portal.state_since, steps):
        return ended
    refused = troubles.since(session, portal.id, Code.WRITING_REFUSED)
    if refused is None:
        return None
    return Problem(Code.WRITING_REFUSED, Severity.NEEDS_YOU, since=refused)


def _for_admin(problem: Problem) -> Notice:
    words = health_words.worded(problem)
    since = _("Since %(time)s.", time=formats.moment(problem.since)) if problem.since else ""
    text = " ".join(filter(None, (words.meaning, words.advice, since)))
    if problem.code is Code.INSTALL_UNFINISHED:
        return Notice(words.title, text, "danger", _("Look at the steps"), _STEPS)
    return Notice(words.title, text, "danger", _("Renew the connection"))


def _for_others(problem: Problem, read_at: datetime | None) -> Notice:
    if problem.code is Code.WRITING_REFUSED:
        text = _("Figures here are up to date; those in the fields of cards may be older.")
    elif read_at is None:
        text = _("There are no figures yet: the connection to Bitrix24 is being set up.")
    else:
        text = _(
            "Figures are as of %(time)s: the connection to Bitrix24 is interrupted.",
            time=formats.moment(read_at),
        )
    return Notice(text, tone="info")
