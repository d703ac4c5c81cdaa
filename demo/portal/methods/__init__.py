"""The data methods of the portal; importing this package fills the registry."""

from demo.portal.methods import (
    activities,
    catalog,
    classic_read,
    classic_write,
    configurable,
    dictionaries,
    duplicates,
    history,
    item_read,
    item_write,
    layouts,
    links,
    product_rows,
    todos,
    userfields,
    users,
)

__all__ = [
    "activities",
    "catalog",
    "classic_read",
    "classic_write",
    "configurable",
    "dictionaries",
    "duplicates",
    "history",
    "item_read",
    "item_write",
    "layouts",
    "links",
    "product_rows",
    "todos",
    "userfields",
    "users",
]
