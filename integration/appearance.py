"""What an employee has chosen for himself: so far, how light the pages are."""

from __future__ import annotations

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
    """The choices of one employee; without a row, those everybody begins with."""

    __tablename__ = "user_settings"

    user_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    theme: Mapped[str] = mapped_column(sa.Text, server_default=Theme.LIGHT)


def theme_of(session: Session, portal_id: int, user_id: int) -> Theme:
    """The theme an employee has chosen."""
    chosen = session.get(UserSetting, (portal_id, user_id))
    return Theme(chosen.theme) if chosen else Theme.LIGHT


def choose(session: Session, portal_id: int, user_id: int, theme: Theme) -> None:
    """Show an employee every page in this theme from now on."""
    row = insert(UserSetting).values(portal_id=portal_id, user_id=user_id, theme=theme)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[UserSetting.portal_id, UserSetting.user_id], set_={"theme": theme}
        )
    )
