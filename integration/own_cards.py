"""Which of the clients a viewer is responsible for the portal lets him read.

The mirror says who is responsible, and may be behind; rights are the portal's alone. So whoever opens the application
without rights over the whole base is asked for with his own token, which is not kept: only the answer is, in his session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy.orm import Session

from integration.bitrix import answers
from integration.bitrix.batch import Command
from integration.bitrix.client import Client
from integration.bitrix.errors import BitrixError
from integration.cards import CLIENTS

Source = Callable[[Session, int, int], list[str]]
_source: list[Source] = []
_PAGE = 50


def wanted_from(source: Source) -> None:
    """Who knows which of his clients somebody (portal and user) is to be shown; the composition root tells."""
    _source[:] = [source]


def wanted(session: Session, portal_id: int, user_id: int) -> list[str]:
    """Those clients, as kind:id."""
    return [name for source in _source for name in source(session, portal_id, user_id)]


def readable(client: Client, names: Sequence[str]) -> list[str]:
    """Those of them that the portal lets the client's user read: asked in one request.

    Raises BitrixError where the portal can't say now.
    """
    if not names:
        return []
    commands = dict(_commands(names))
    made = client.batch(commands)
    found: set[str] = set()
    for key in commands:
        try:
            rows = answers.rows(made.answer(key).result)
        except BitrixError as error:
            if error.retryable:
                raise
            continue
        found |= {f"{key.partition('_')[0]}:{row['ID']}" for row in rows}
    return [name for name in names if name in found]


def _commands(names: Sequence[str]) -> Iterator[tuple[str, Command]]:
    for kind in CLIENTS:
        ids = [name.partition(":")[2] for name in names if name.startswith(f"{kind}:")]
        for begin in range(0, len(ids), _PAGE):
            asked = {"filter": {"@ID": ids[begin : begin + _PAGE]}, "select": ["ID"], "start": -1}
            yield f"{kind}_{begin}", (f"crm.{kind}.list", asked)
