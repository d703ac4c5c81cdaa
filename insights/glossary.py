"""The words of the pages, explained: what each figure, stage, group and step of a mailing means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.web.words import gettext as _
from segments.scoring import score_words


@dataclass(frozen=True, slots=True)
class Chapter:
    """Words of one kind. `key` is where a link to it leads."""

    key: str
    title: str
    terms: tuple[tuple[str, str], ...]


def chapters(group_names: Mapping[str, str]) -> list[Chapter]:
    """All of it. `group_names`: those of RFM groups an administrator has chosen."""
    stages, about = score_words.stages(), score_words.about_stages()
    groups = score_words.groups(group_names)
    return [
        Chapter("worth", _("Clients and their worth"), _worth()),
        Chapter("stages", _("Stages of life"), tuple((stages[key], about[key]) for key in stages)),
        Chapter(
            "groups",
            _("RFM groups"),
            tuple((groups[key], _(score_words.MEANINGS[key].who)) for key in groups),
        ),
        Chapter("segments", _("Segments"), _segments()),
        Chapter("mailings", _("Mailings"), _mailings()),
    ]


def _worth() -> tuple[tuple[str, str], ...]:
    return (
        (_("Client"), _("A contact or a company of the CRM. A lead becomes one when it is converted.")),
        (_("Sale"), _("A won deal of the pipelines that count, with an amount above zero. An administrator chooses which pipelines and which date.")),
        (_("LTV"), _("All sales of a client added up, refunds taken off. It is what he has brought so far, not a forecast.")),
        (_("Average check"), _("All sales added up and divided by their number.")),
        (_("Days between sales"), _("From the first sale to the last, divided by the number of pauses. Who bought once has none.")),
        (_("Next purchase expected"), _("The last sale and the client's own usual pause after it. It counts as late when that day has passed.")),
        (_("Margin"), _("What is left of the sales after the cost: by a percent, by a field of the deal or by the purchase prices of its products.")),
        (_("Active client"), _("Has bought within the window an administrator has chosen: a month, 90, 180 or 365 days.")),
        (_("Sleeping money"), _("All that was brought by clients who have been silent so long that hardly anybody returns.")),
        (_("Expected revenue"), _("How often clients silent for as long have come back within 30 days, times their own average check. It is what they usually do, not what a mailing adds.")),
    )  # fmt: skip


def _segments() -> tuple[tuple[str, str], ...]:
    return (
        (_("Segment"), _("Clients and leads that fit its conditions now. Who begins or ceases to fit comes and goes by himself.")),
        (_("List"), _("People chosen by hand or from a file. It changes only when somebody changes it.")),
        (_("Counters"), _("How many different addresses the people of a segment have: an address of two cards is counted once.")),
        (_("RFM"), _("Points from 1 to 5 for how recently, how often and for how much a client has bought; groups are named by them.")),
    )  # fmt: skip


def _mailings() -> tuple[tuple[str, str], ...]:
    return (
        (_("Offer"), _("What is proposed, on which terms, until when and why. A letter and a script of a call are made from it.")),
        (_("Consent"), _("A client's word that he may be written to, with its day, source and wording. An unsubscription counts before it.")),
        (_("Sent"), _("Taken by the mail server and not returned.")),
        (_("Opened, followed a link"), _("By people. Programs that open letters and links by themselves are counted apart.")),
        (_("Errors"), _("Refused or returned. A share of those it was tried to write to; all other shares are of the sent.")),
        (_("Credited leads and deals"), _("Those that appeared after a client's reaction, within the days set in the settings of mailings. The last mailing he reacted to gets them.")),
        ("ROI", _("Margin of the credited sales less the cost of the mailing, divided by that cost.")),
        (_("Control group"), _("A part chosen by chance that gets nothing. What it buys less tells what the mailing has added.")),
        (_("Limit of messages"), _("How many messages one person may get in a number of days. Who has had them waits or is left out.")),
    )  # fmt: skip
