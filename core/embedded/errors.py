"""What goes wrong with servers we run ourselves."""

from __future__ import annotations


class EmbeddedError(Exception):
    """A server could not be set up, started or stopped; the message says what it printed."""
