"""The portal's whole state put aside under a name and put back: tests start from it many times."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.portal.state import Portal

_SENDER = "events"  # sockets and tasks: nothing to put aside


class Snapshots:
    """States of one portal by name, kept as bytes so that nothing done later reaches into them."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._kept: dict[str, bytes] = {}

    def save(self, name: str) -> None:
        """Remember rows, applications, tokens, switches, log: everything but events on their way."""
        state = {key: value for key, value in vars(self._portal).items() if key != _SENDER}
        self._kept[name] = pickle.dumps(state)

    def restore(self, name: str) -> None:
        """Be as at that moment; what is still to be sent is dropped."""
        vars(self._portal).update(pickle.loads(self._kept[name]))  # noqa: S301 - our own bytes
        self._portal.events.forget()
