"""The badge in a field of a card: a page of one line, without scripts, for it is opened with every card."""

from __future__ import annotations

from flask import g, render_template

from core.runtime import current
from core.web.words import gettext as _
from insights import badge, subject
from insights.tab import profile_words
from insights.tab.profile import Scored
from segments.worth.explain import Client


def opened(clients: list[str]) -> str:
    """The first client the viewer may see; a lead is none."""
    whom = next(filter(_is_client, map(subject.named, clients)), None)
    if not isinstance(whom, Client):
        return nothing(_("no client"))
    with current().sessions() as session:
        found = badge.read(session, g.viewer.portal_id, whom)
    return render_template(
        "insights/badge.html", badge=found, stage=profile_words.stage(Scored(found.stage)), text=""
    )


def nothing(text: str = "—") -> str:
    """A line without figures."""
    return render_template("insights/badge.html", badge=None, stage=None, text=text)


def _is_client(whom: object) -> bool:
    return isinstance(whom, Client)
