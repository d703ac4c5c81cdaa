"""A letter sent to somebody who looks it over before clients get it."""

from __future__ import annotations

from core.errors import ServiceError
from core.runtime import Runtime
from mailings.channels.base import Outcome
from mailings.channels.email import EmailLink
from mailings.content import checking, compiling, drafting
from mailings.content.checking import Person
from mailings.content.compiling import BadLetter
from mailings.content.message import BadAddress, Envelope
from mailings.content.rendering import RenderFailed
from mailings.sending import servers

_KEPT_SECONDS = 900


def send(runtime: Runtime, portal_id: int, mailing_id: int, person: Person, address: str) -> str:
    """Send it as this person would get it; a code of `letter_words.sending`, or the server's own words."""
    with runtime.sessions.begin() as session:
        mailing = drafting.find(session, portal_id, mailing_id)
        server = servers.choose(session, mailing, runtime.settings)
        if server is None:
            return "no_server"
        try:
            compiled = mailing.compiled or compiling.compiled(session, mailing)
            facts = checking.of_people(session, portal_id, [person])[(person.kind, person.id)]
            message = Envelope(runtime.settings, mailing, server, compiled).test(address, facts)
        except (BadLetter, RenderFailed):
            return "broken"
        except BadAddress:
            return "address"
        access = servers.access(runtime.settings, runtime.vault, server)
    link = EmailLink(access)
    try:
        result = link.send(message, lambda: True)
    except ServiceError as error:
        return str(error)
    finally:
        link.close()
    return {Outcome.SENT: "sent", Outcome.UNKNOWN: "lost"}.get(result.outcome, result.text or "?")


def note(runtime: Runtime, portal_id: int, trial: str, code: str) -> None:
    """Remember for the page how it stands."""
    runtime.redis.set(_key(portal_id, trial), code[:500], ex=_KEPT_SECONDS)


def standing(runtime: Runtime, portal_id: int, trial: str) -> str | None:
    """How it stands; None when nothing is known of it any more."""
    found = runtime.redis.get(_key(portal_id, trial))
    return found.decode() if isinstance(found, bytes) else None


def _key(portal_id: int, trial: str) -> str:
    return f"rubilnik:letter-trial:{portal_id}:{trial}"
