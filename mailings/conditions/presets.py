"""Ready segments of how people answered mailings: who read and went no further, who came and did not order."""

from __future__ import annotations

from core.web.words import N_
from segments.ready.parameters import Parameter
from segments.ready.preset_parts import Given, Json, Preset, clients, days, is_, no, some

GROUP = N_("Mailings")
_DAYS = Parameter("days", N_("In the last days"), default=30)


def _opened_not_clicked(given: Given) -> Json:
    lately = days(given["days"])
    return clients(
        some("messages", is_("opened_at", "in_last", lately)),
        no("messages", is_("clicked_at", "in_last", lately)),
    )


def _clicked_not_ordered(given: Given) -> Json:
    lately = days(given["days"])
    new = is_("created_at", "in_last", lately)
    return clients(
        some("messages", is_("clicked_at", "in_last", lately)), no("deals", new), no("leads", new)
    )


PRESETS = (
    Preset(
        "opened_not_clicked", GROUP, N_("Opened, did not follow a link"),
        N_("Opened a letter of a mailing in these days, and followed no link of any."),
        _opened_not_clicked, (_DAYS,),
    ),
    Preset(
        "clicked_not_ordered", GROUP, N_("Followed a link, no new deal"),
        N_("Followed a link of a mailing in these days, and has neither a deal nor a lead made in them."),
        _clicked_not_ordered, (_DAYS,),
    ),
)  # fmt: skip
"""For `segments.ready.presets.join`."""
