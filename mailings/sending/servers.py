"""Mail servers of a portal: its own, as an administrator enters them, or the one of SMTP_URL."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from datetime import date
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.clock import utcnow
from core.config import Settings
from core.crypto import Vault
from core.database import transaction
from core.locks import one_at_a_time
from core.runtime import Runtime, current
from integration.models import Portal, PortalState
from mailings.channels.email import reason_of
from mailings.channels.smtp import Access, GateSMTP, Security
from mailings.models import Mailing, MailServer
from mailings.sending import dns
from mailings.sending.server_checks import check

_LOCK = 0x4D53
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}


class UnknownServer(LookupError):
    """The portal has no such server."""


@dataclass(frozen=True)
class Wanted:
    """What an administrator enters; secrets come apart. Zero and None of a limit are «no limit»."""

    name: str
    host: str
    from_email: str
    port: int = 587
    security: str = "starttls"
    username: str = ""
    from_name: str = ""
    reply_to: str = ""
    bounce_domain: str = ""
    connections: int = 10
    rate_per_minute: int | None = None
    group_rate_per_minute: int | None = None
    daily_quota: int | None = None
    warm_up_from: date | None = None
    dkim_selector: str = ""


@dataclass(frozen=True)
class Secrets:
    """What is stored sealed; empty: keep what is stored."""

    password: str = field(default="", repr=False)
    dkim_key: str = field(default="", repr=False)


NO_SECRETS = Secrets()


def of(session: Session, portal_id: int, settings: Settings | None = None) -> list[MailServer]:
    """The servers the portal can send by; flushes the row of SMTP_URL when it has none."""
    settings = settings or current().settings
    found = _listed(session, portal_id, settings)
    if not found and settings.smtp_url:
        one_at_a_time(session, _LOCK, portal_id)
        found = _listed(session, portal_id, settings)
        if not found:
            session.add(_of_settings(portal_id, settings))
            session.flush()
            found = _listed(session, portal_id, settings)
    return found


def provide(session: Session, settings: Settings) -> int:
    """Give every active portal without a server the one of SMTP_URL; how many got it."""
    if not settings.smtp_url:
        return 0
    has = sa.exists().where(MailServer.portal_id == Portal.id, MailServer.archived_at.is_(None))
    query = sa.select(Portal.id).where(Portal.state == PortalState.ACTIVE.value, ~has)
    return sum(bool(of(session, portal_id, settings)) for portal_id in session.scalars(query).all())


def choose(
    session: Session, mailing: Mailing, settings: Settings | None = None
) -> MailServer | None:
    """The mailing's own server; without one of its own, the portal's first."""
    return chosen(of(session, mailing.portal_id, settings), mailing.server_id)


def chosen(servers: list[MailServer], server_id: int | None) -> MailServer | None:
    """The one asked for, or the first if none is; a server that is gone is not replaced by another."""
    if server_id is None:
        return servers[0] if servers else None
    return next((server for server in servers if server.id == server_id), None)


def find(session: Session, portal_id: int, server_id: int) -> MailServer:
    """One of the portal's servers. Raises UnknownServer."""
    server = session.get(MailServer, (portal_id, server_id))
    if server is None or server.archived_at is not None:
        raise UnknownServer(server_id)
    return server


def create(
    session: Session,
    runtime: Runtime,
    portal_id: int,
    wanted: Wanted,
    secrets: Secrets = NO_SECRETS,
    by: int | None = None,
) -> MailServer:
    """Enter a server. Raises BadServer."""
    server = MailServer(portal_id=portal_id)
    _write(runtime, server, wanted, secrets, by)
    session.add(server)
    session.flush()
    return server


def change(
    session: Session,
    runtime: Runtime,
    portal_id: int,
    server_id: int,
    wanted: Wanted,
    secrets: Secrets = NO_SECRETS,
    by: int | None = None,
) -> MailServer:
    """Change a server; empty secrets leave the stored ones, but not for another host. Raises BadServer, UnknownServer."""
    server = find(session, portal_id, server_id)
    moved = (server.host, server.port, server.username) != (
        wanted.host, wanted.port, wanted.username,
    )  # fmt: skip
    if moved and not server.from_settings:
        server.password_sealed = (
            None  # a stored password is never shown to a server it was not meant for
        )
    _write(runtime, server, wanted, secrets, by)
    server.failures, server.rest_until, server.problem = 0, None, None
    server.checked, server.checked_at = None, None
    session.flush()
    return server


def archive(session: Session, portal_id: int, server_id: int, by: int | None = None) -> None:
    """Send by it no more; its mailings wait for another. Raises UnknownServer."""
    server = find(session, portal_id, server_id)
    server.archived_at, server.changed_by = utcnow(), by
    server.password_sealed = server.dkim_key_sealed = server.mailbox_password_sealed = None
    session.flush()


def access(settings: Settings, vault: Vault, server: MailServer) -> Access:
    """How to get in."""
    name = urlsplit(settings.public_url).hostname or "localhost"
    if server.from_settings:
        return _access_of_settings(settings, name)
    sealed = server.password_sealed
    return Access(
        host=server.host or "",
        port=server.port or 587,
        security=Security(server.security),
        username=server.username or "",
        password=vault.open(server.portal_id, sealed) if sealed else "",
        name=name,
        allow_private=settings.allow_private_portals,
    )


def host_of(settings: Settings, server: MailServer) -> str:
    """Where it is."""
    return _access_of_settings(settings, "").host if server.from_settings else server.host or ""


def beside_us(settings: Settings, server: MailServer) -> bool:
    """Whether it is the operator's relay on this very machine."""
    return bool(server.from_settings) and host_of(settings, server) in _LOOPBACK


def examine(runtime: Runtime, portal_id: int, server_id: int) -> MailServer:
    """Connect to a server, look at its domain's records and keep what was found; nothing is sent. Raises UnknownServer."""
    with runtime.sessions() as session:
        server = find(session, portal_id, server_id)
    problem = probe(runtime, server)
    findings = dns.check(server, host_of(runtime.settings, server), vault=runtime.vault)
    with transaction(runtime.sessions) as session:
        note_probe(session, portal_id, server_id, problem)
        dns.note(session, portal_id, server_id, findings)
        return find(session, portal_id, server_id)


def probe(runtime: Runtime, server: MailServer) -> str | None:
    """Connect, check the certificate, log in and leave; what went wrong, or None. No transaction may be open."""
    try:
        smtp = GateSMTP(access(runtime.settings, runtime.vault, server))
    except Exception as error:  # noqa: BLE001 - whatever it is, the administrator is told
        return reason_of(error)
    smtp.leave()
    return None


def note_probe(session: Session, portal_id: int, server_id: int, problem: str | None) -> None:
    """Remember how a probe ended; a good one lets the server work at once."""
    server = find(session, portal_id, server_id)
    server.problem = problem
    if problem is None:
        server.failures, server.rest_until = 0, None


def _write(
    runtime: Runtime, server: MailServer, wanted: Wanted, secrets: Secrets, by: int | None
) -> None:
    checked = check(
        asdict(wanted),
        allow_private=runtime.settings.allow_private_portals,
        from_settings=bool(server.from_settings),
        dkim_key=secrets.dkim_key,
    )
    of_operator = {"host", "port", "security", "username"} if server.from_settings else set()
    for each in fields(Wanted):
        if each.name not in of_operator:
            setattr(server, each.name, checked[each.name])
    if secrets.password and not server.from_settings:
        server.password_sealed = runtime.vault.seal(server.portal_id, secrets.password)
    if secrets.dkim_key:
        server.dkim_key_sealed = runtime.vault.seal(server.portal_id, secrets.dkim_key)
    server.changed_by, server.changed_at = by, utcnow()


def _listed(session: Session, portal_id: int, settings: Settings) -> list[MailServer]:
    query = sa.select(MailServer).where(
        MailServer.portal_id == portal_id, MailServer.archived_at.is_(None)
    )
    if not settings.smtp_url:
        query = query.where(~MailServer.from_settings)
    return list(session.scalars(query.order_by(MailServer.from_settings, MailServer.id)))


def _of_settings(portal_id: int, settings: Settings) -> MailServer:
    name, address = parseaddr(settings.mail_from)
    host = _access_of_settings(settings, "").host
    return MailServer(
        portal_id=portal_id, name=host, from_settings=True, from_email=address,
        from_name=name or None, security=_access_of_settings(settings, "").security.value,
    )  # fmt: skip


def _access_of_settings(settings: Settings, name: str) -> Access:
    """Of SMTP_URL, which the operator wrote, so it may be on a private address."""
    parts = urlsplit(settings.smtp_url)
    host = parts.hostname or ""
    security = Security.TLS if parts.scheme == "smtps" else Security.STARTTLS
    if parts.scheme == "smtp" and host in _LOOPBACK:
        security = Security.NONE
    return Access(
        host=host,
        port=parts.port or _PORTS[security],
        security=security,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        name=name or "localhost",
        allow_private=True,
    )
