"""Why a mailing stopped by itself: `Mailing.state_reason` begins with one of these."""

from __future__ import annotations

from enum import StrEnum

from mailings.rules.lifecycle import LOOK_FIRST


class Pause(StrEnum):
    """Each needs a person. After a colon there may follow what exactly it is about."""

    SERVER = "server_unreachable"  # three failures of the mail server in a row; its row says which
    DISTRUST = (
        "sender_refused"  # mail services refuse us; then the record to put right (`replies.Record`)
    )
    LETTER = "letter_broken"  # the letter could not be put together
    PORTAL = "portal_cut_off"  # the portal has shut the application out
    RESTORED = LOOK_FIRST  # this may be a copy of an earlier day; then why, since and until when
    NO_SERVER = "no_server"  # there is no mail server to send by
