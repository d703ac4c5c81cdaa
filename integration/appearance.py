"""What an employee has chosen for himself: how light the pages are, and whether to be shown round."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.database import Base
from integration.models import OfPortal


class Theme(StrEnum):
    """How light the pages are. The portal does not tell its own theme."""

    LIGHT = "light"
    DARK = "dark"
    AUTO = "auto"  # as the employee's device


class UserSetting(OfPortal, Base):
    """The choices of one employee; without a row, those everybody begins with.

    `toured`: the tour was offered, and taken or refused.
    """

    __tablename__ = "user_settings"

    user_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    theme: Mapped[str] = mapped_column(sa.Text, server_default=Theme.LIGHT)
    toured: Mapped[bool] = mapped_column(server_default=sa.false())


@dataclass(frozen=True, slots=True)
class Chosen:
    """The same without the row."""

    theme: Theme = Theme.LIGHT
    toured: bool = False


def of(session: Session, portal_id: int, user_id: int) -> Chosen:
    """What an employee has chosen."""
    row = session.get(UserSetting, (portal_id, user_id))
    return Chosen(Theme(row.theme), row.toured) if row else Chosen()


def choose(session: Session, portal_id: int, user_id: int, theme: Theme) -> None:
    """Show an employee every page in this theme from now on."""
    _keep(session, portal_id, user_id, theme=theme)


def answer_tour(session: Session, portal_id: int, user_id: int) -> None:
    """Offer an employee no tour any more."""
    _keep(session, portal_id, user_id, toured=True)


def _keep(session: Session, portal_id: int, user_id: int, **chosen: Theme | bool) -> None:
    row = insert(UserSetting).values(portal_id=portal_id, user_id=user_id, **chosen)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[UserSetting.portal_id, UserSetting.user_id], set_=chosen
        )
    )
