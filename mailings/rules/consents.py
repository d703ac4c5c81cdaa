"""Permission in plain terms: on what ground people are written to, and why some addresses are not."""

from __future__ import annotations

from enum import StrEnum

from mailings.rules.states import ChannelKey


class Basis(StrEnum):
    """On what ground a portal writes to people."""

    CONSENT = "consent"  # whoever said yes to the topic
    EXISTING_CLIENTS = "existing_clients"  # contacts and companies that did not say no, too

    def needs_yes(self, channel: str) -> frozenset[str]:
        """The kinds of cards that are written to on this channel only after a yes.

        A call is a manager's own work with his client: there a no counts, and silence is none.
        """
        if channel == ChannelKey.CALL_LIST:
            return frozenset()
        clients = {"contact", "company"} if self is Basis.CONSENT else set()
        return frozenset({"lead", *clients})


class Reason(StrEnum):
    """Why an address is not written to, from the weakest to the strongest: of two, the stronger is kept."""

    PAUSED = "paused"  # the person asked for a rest
    BOUNCED = "bounced"  # the address does not exist or takes nothing
    MANUAL = "manual"  # by hand
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    ERASED = "erased"  # the person had everything about him removed

    @property
    def liftable(self) -> bool:
        """Whether an administrator may write to the address again."""
        return self not in {Reason.COMPLAINED, Reason.ERASED}

    @property
    def of_person(self) -> bool:
        """Whether it speaks for the person, so for all addresses of his card, or for that address alone."""
        return self is not Reason.BOUNCED


STRONGEST_LAST = tuple(Reason)
OF_PERSON = tuple(reason for reason in Reason if reason.of_person)
FIRST_TOPIC = "offers"  # there from the start
