"""The data methods of the portal; importing this package fills the registry."""

from demo.portal.methods import (
    activities,
    classic_read,
    classic_write,
    dictionaries,
    duplicates,
    history,
    item_read,
    item_write,
    layouts,
    links,
    userfields,
    users,
)

__all__ = [
    "activities",
    "classic_read",
    "classic_write",
    "dictionaries",
    "duplicates",
    "history",
    "item_read",
    "item_write",
    "layouts",
    "links",
    "userfields",
    "users",
]
