"""What can come back of a delivery."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """What happened to a message after it was sent."""

    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    CALLED = "called"  # the manager's call to the client was made
    BOUNCED = "bounced"
    DELAYED = "delayed"  # the recipient's server is still trying
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    UNREADABLE = "unreadable"  # a return that nobody understood: an administrator may look

    @property
    def reaction(self) -> bool:
        """Whether the client did something because of the message, so that sales may follow from it."""
        return self in _REACTIONS


_REACTIONS = {EventKind.OPENED, EventKind.CLICKED, EventKind.REPLIED, EventKind.CALLED}
REACTIONS = tuple(kind for kind in EventKind if kind.reaction)
