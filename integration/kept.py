"""What an employee keeps of a list: his views by name, which of them it opens with, and the columns he sees outside of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.database import Base
from core.web.lists import Kept, ListKey, View
from integration.models import OfPortal

MOST = 30
NAME_LENGTH = 60
QUERY_LENGTH = 4000
_OUTSIDE = ""
_KEY = ("portal_id", "user_id", "list", "name")

Whose = tuple[int, int, ListKey]
"""Portal, employee and list."""


class ListView(OfPortal, Base):
    """A view of a list as one employee keeps it: `query` as in the list's address.

    The row without a name holds the columns he sees outside of views. `opens`: the list begins with it.
    """

    __tablename__ = "list_views"

    user_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    list: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    query: Mapped[str] = mapped_column(sa.Text)
    opens: Mapped[bool] = mapped_column(server_default=sa.false())


class Nameless(ValueError):
    """A view needs a name."""


class Taken(ValueError):
    """Another view of this list has the name."""


class TooMany(ValueError):
    """Nobody finds his way among more views."""


def of(session: Session, whose: Whose) -> Kept:
    """All that somebody keeps of a list, the views by name."""
    rows = session.scalars(sa.select(ListView).where(*_mine(whose)).order_by(ListView.name)).all()
    views = tuple(View(row.name, row.query, row.opens) for row in rows if row.name != _OUTSIDE)
    return Kept(views, next((row.query for row in rows if row.name == _OUTSIDE), None))


def keep(session: Session, whose: Whose, name: str, query: str) -> str:
    """Keep a view, in place of the one of this name if there is one; its name. Raises Nameless, TooMany."""
    named = _named(name)
    names = {view.name for view in of(session, whose).views}
    if named not in names and len(names) >= MOST:
        raise TooMany
    _put(session, whose, named, query)
    return named


def rename(session: Session, whose: Whose, name: str, to: str) -> str:
    """Give a view another name; the name. Raises Nameless, Taken."""
    named = _named(to)
    if named == name:
        return name
    if any(view.name == named for view in of(session, whose).views):
        raise Taken
    session.execute(sa.update(ListView).where(*_one(whose, name)).values(name=named))
    return named


def forget(session: Session, whose: Whose, name: str) -> None:
    """Keep a view no longer."""
    session.execute(sa.delete(ListView).where(*_one(whose, name)))


def open_with(session: Session, whose: Whose, name: str) -> None:
    """Begin the list with this view, or with everything where there is none of the name."""
    put = sa.update(ListView).where(*_mine(whose)).values(opens=_one_is(name))
    session.execute(put.execution_options(synchronize_session=False))


def choose_columns(session: Session, whose: Whose, columns: Iterable[str]) -> None:
    """Show these columns outside of views from now on."""
    _put(session, whose, _OUTSIDE, ",".join(columns))


def _put(session: Session, whose: Whose, name: str, query: str) -> None:
    values = dict(zip(_KEY, (*whose, name), strict=True)) | {"query": query[:QUERY_LENGTH]}
    row = insert(ListView).values(values)
    session.execute(
        row.on_conflict_do_update(index_elements=_KEY, set_={"query": row.excluded.query})
    )


def _named(name: str) -> str:
    cleaned = " ".join(name.replace("\0", "").split())[:NAME_LENGTH]
    if not cleaned:
        raise Nameless
    return cleaned


def _mine(whose: Whose) -> tuple[Any, ...]:
    portal_id, user_id, key = whose
    return ListView.portal_id == portal_id, ListView.user_id == user_id, ListView.list == key


def _one(whose: Whose, name: str) -> tuple[Any, ...]:
    return (*_mine(whose), _one_is(name), ListView.name != _OUTSIDE)


def _one_is(name: str) -> Any:
    return ListView.name == name.replace("\0", "")
