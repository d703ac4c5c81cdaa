"""Methods of the REST module itself: the application, events, placements, options, notifications."""

from demo.portal.system import events, information, offline, options, placements

__all__ = ["events", "information", "offline", "options", "placements"]
