"""States of a mailing and of a delivery, and what they mean together.

The protocol they belong to: docs/decisions/0009-one-row-per-recipient.md.
"""

from __future__ import annotations

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where one message to one recipient stands."""

    HELD = "held"  # kept back on purpose: a control group, or capacity
    PENDING = "pending"
    CLAIMED = "claimed"  # a sender has it; nothing that counts has been said to the server
    SENDING = "sending"  # past the gate: the server may have it
    SENT = "sent"  # the server took it
    DEFERRED = "deferred"  # refused for now; tried again at `next_try_at`
    FAILED = "failed"  # refused for good, or given up
    BOUNCED = "bounced"  # taken, and returned later
    UNKNOWN = "unknown"  # the link was lost after the gate: never repeated by itself
    SKIPPED = "skipped"  # not to be sent; `reason` says why
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """Whether something is still to be done: a mailing with such a row is not finished."""
        return self in _OPEN

    @property
    def attempted(self) -> bool:
        """Whether it counts among the attempted: something was said to the provider, with an outcome."""
        return self in _ATTEMPTED

    @property
    def took(self) -> bool:
        """Whether it counts as sent: the provider took it, and it did not come back."""
        return self is DeliveryState.SENT

    @property
    def error(self) -> bool:
        """Whether it counts among the errors of the attempted."""
        return self in {DeliveryState.FAILED, DeliveryState.BOUNCED}


_OPEN = {
    DeliveryState.PENDING,
    DeliveryState.CLAIMED,
    DeliveryState.SENDING,
    DeliveryState.DEFERRED,
}
_ATTEMPTED = {
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.BOUNCED,
    DeliveryState.UNKNOWN,
}
OPEN = tuple(state for state in DeliveryState if state.open)
ATTEMPTED = tuple(state for state in DeliveryState if state.attempted)


class SkipReason(StrEnum):
    """Why a client of the audience gets no message, in the order in which the reasons are looked at.

    The waterfall of a mailing is these steps: what is left after each.
    """

    GONE = "gone"  # the card was deleted, merged away or erased
    NO_ADDRESS = "no_address"
    INVALID_ADDRESS = "invalid_address"
    DUPLICATE_ADDRESS = "duplicate_address"  # another client of the audience has the same one
    NO_CONSENT = "no_consent"
    WITHDRAWN = "withdrawn"  # consent was given once and taken back
    SUPPRESSED = "suppressed"  # unsubscribed, complained, bounced, or by hand
    PAUSED = "paused"  # asked not to be written to for a while
    CAPPED = "capped"  # was written to often enough lately
    NO_CODE = "no_code"  # the offer's promo codes ran out
    TOO_LATE = "too_late"  # the last moment of the mailing has passed


class MailingState(StrEnum):
    """Where a mailing stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"  # starts by itself at `start_at`
    PLANNING = "planning"  # started; its recipients are being written down
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing will be sent any more."""
        return self in {MailingState.FINISHED, MailingState.CANCELLED}


class Mode(StrEnum):
    """When a mailing goes out."""

    ONCE = "once"
    REPEATING = "repeating"  # a series: every turn becomes a mailing of its own
    EVERGREEN = "evergreen"  # whoever enters the segment until a date gets it


class ChannelKey(StrEnum):
    """What a message is carried by."""

    EMAIL = "email"
    CALL_LIST = "call_list"
