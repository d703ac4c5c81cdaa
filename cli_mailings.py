"""Commands about mailings: made from a file, started, steered, looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import Flask
from sqlalchemy.orm import Session

from cli_common import as_json, named_portal, portal_option, show
from core.clock import utcnow
from core.database import transaction
from core.runtime import current
from mailings.content import compiling
from mailings.content.compiling import BadLetter
from mailings.models import Mailing
from mailings.planning import audiences, drafts, outcome, outstanding, steering
from mailings.planning.drafts import BadDraft, NoSuchMailing
from mailings.planning.steering import NotReady
from mailings.rules.lifecycle import IllegalTransition
from mailings.rules.plans import BadPlan
from mailings.rules.states import ChannelKey, MailingState
from mailings.sending import launching
from mailings.sending import restored as after_restore
from mailings.sending.restored import Choice
from segments.members.saving import NoSuchSegment

_RATE = re.compile(r"(\d{1,6})(?:/min(?:ute)?)?")
_TAG = re.compile(r"<(?:!doctype|html|head|body|table|div|p|a|br|h[1-6]|img|span)\b", re.IGNORECASE)
_WITHOUT = frozenset({"no_server"})  # the recipients can be written down without one


def register(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.add_command(mailings_group)


@click.group("mailings")
def mailings_group() -> None:
    """What is sent to whom."""


@mailings_group.command("list")
@portal_option
@as_json
def list_command(name: str, json_: bool) -> None:
    """The portal's mailings, the newest first."""
    portal = named_portal(name)
    with current().sessions() as session:
        rows = [
            {"id": each.id, "name": each.name, "channel": each.channel, **_standing(each)}
            for each in drafts.listed(session, portal.id)
        ]
    show(rows, json_=json_)


@mailings_group.command("create")
@portal_option
@click.option("--segment", required=True, metavar="KEY_OR_ID", help="Who gets it.")
@click.option("--channel", default="email", type=click.Choice([each.value for each in ChannelKey]))
@click.option("--subject", required=True, help="The subject of the letter.")
@click.option(
    "--body-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The letter as HTML, MJML or plain text.",
)
@click.option("--control", default=0, metavar="PERCENT", help="Hold so many per cent back.")
@click.option("--rate", metavar="N/min", help="Send no faster.")
@as_json
def create_command(name: str, json_: bool, **asked: Any) -> None:
    """Make a mailing; nothing is sent before it is started."""
    portal = named_portal(name)
    try:
        with transaction(current().sessions) as session:
            made = _create(session, portal.id, **asked)
            row = {"id": made.id, "state": made.state}
    except NoSuchSegment as error:
        raise click.ClickException(
            f"no such segment: {asked['segment']}; see: segments list --portal …, segments presets"
        ) from error
    except (BadDraft, BadPlan, BadLetter) as error:
        raise click.ClickException(f"{error}. Nothing was saved") from error
    show([row], json_=json_)


@mailings_group.command("start")
@click.argument("mailing_id", metavar="ID", type=int)
@as_json
def start_command(mailing_id: int, json_: bool) -> None:
    """Throw the switch: the recipients are written down at once, the sender does the rest.

    A mail server nobody has checked is checked first where the mailing goes to many.
    """
    sessions = current().sessions
    with _steered(mailing_id) as (session, portal_id):
        launching.look_at_server(current(), portal_id, mailing_id)
    with _steered(mailing_id) as (session, portal_id):
        steering.start(session, portal_id, mailing_id, passing=_WITHOUT)
    steering.plan_now(sessions, portal_id, mailing_id)
    with sessions() as session:
        mailing = drafts.find(session, portal_id, mailing_id)
        rows = [{"id": mailing_id, **_standing(mailing)}]
    show(rows, json_=json_)
    if mailing.state == MailingState.DRAFT:
        raise click.ClickException(f"not started: {mailing.state_reason}")


@mailings_group.command("pause")
@click.argument("mailing_id", metavar="ID", type=int)
@as_json
def pause_command(mailing_id: int, json_: bool) -> None:
    """Let nothing more leave for now."""
    with _steered(mailing_id) as (session, portal_id):
        steering.pause(session, portal_id, mailing_id)
    _tell(portal_id, mailing_id, json_=json_)


@mailings_group.command("resume")
@click.argument("mailing_id", metavar="ID", type=int)
@click.option(
    "--restored",
    type=click.Choice([each.value for each in Choice]),
    help="After the database was restored: skip those who may have got it, or send to all.",
)
@as_json
def resume_command(mailing_id: int, restored: str | None, json_: bool) -> None:
    """Go on."""
    with _steered(mailing_id) as (session, portal_id):
        if restored:
            after_restore.go_on(session, portal_id, mailing_id, Choice(restored))
        else:
            steering.resume(session, portal_id, mailing_id)
    steering.plan_now(current().sessions, portal_id, mailing_id)
    _tell(portal_id, mailing_id, json_=json_)


@mailings_group.command("cancel")
@click.argument("mailing_id", metavar="ID", type=int)
@as_json
def cancel_command(mailing_id: int, json_: bool) -> None:
    """Let nothing more leave, ever."""
    with _steered(mailing_id) as (session, portal_id):
        steering.cancel(session, portal_id, mailing_id)
    _tell(portal_id, mailing_id, json_=json_)


@mailings_group.command("stats")
@click.argument("mailing_id", metavar="ID", type=int)
@as_json
def stats_command(mailing_id: int, json_: bool) -> None:
    """How many deliveries are in each state; together they are the audience."""
    with current().sessions() as session:
        portal_id = _portal_of(session, mailing_id)
        mailing = drafts.find(session, portal_id, mailing_id)
        numbers = outcome.numbers(session, mailing)
        rows = [{"id": mailing_id, **_standing(mailing), "deliveries": numbers}]
    show(rows if json_ else ({**row, **numbers} for row in rows), json_=json_)


@mailings_group.command("deliveries")
@click.argument("mailing_id", metavar="ID", type=int)
@as_json
def deliveries_command(mailing_id: int, json_: bool) -> None:
    """Every client of the audience with what became of his message, one a line."""
    with current().sessions() as session:
        portal_id = _portal_of(session, mailing_id)
        show(outcome.rows(session, portal_id, mailing_id), json_=json_)


def _create(session: Session, portal_id: int, **asked: Any) -> Mailing:
    mailing = drafts.create(
        session,
        portal_id,
        name=asked["subject"],
        channel=asked["channel"],
        content=_content(asked["body_file"], asked["subject"]),
        plan={"control_percent": asked["control"], "rate_per_minute": _rate(asked["rate"])},
        **audiences.named(session, portal_id, asked["segment"]),
    )
    if mailing.channel == ChannelKey.EMAIL:
        compiling.compiled(session, mailing)
    return mailing


def _content(body_file: Path, subject: str) -> dict[str, Any]:
    try:
        source = body_file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{body_file} is no text in UTF-8") from error
    how = "mjml" if "<mjml" in source.lower() else "html" if _TAG.search(source) else "text"
    return {"subject": subject, "preheader": "", "how": how, "source": source}


def _rate(typed: str | None) -> int:
    found = _RATE.fullmatch(typed or "0")
    if found is None:
        raise click.ClickException(f"not a rate: {typed}; write it like 60/min")
    return int(found[1])


@contextmanager
def _steered(mailing_id: int) -> Iterator[tuple[Session, int]]:
    """A transaction and the mailing's portal; plain messages for what may not be done now."""
    try:
        with transaction(current().sessions) as session:
            yield session, _portal_of(session, mailing_id)
    except NoSuchMailing as error:
        raise click.ClickException(f"no such mailing: {mailing_id}") from error
    except NotReady as error:
        told = "; ".join(f"{each.code} {dict(each.facts) or ''}".strip() for each in error.problems)
        raise click.ClickException(f"the mailing can't be started: {told}") from error
    except IllegalTransition as error:
        raise click.ClickException(f"can't {error}") from error


def _portal_of(session: Session, mailing_id: int) -> int:
    found = outstanding.portal_of(session, mailing_id)
    if found is None:
        raise click.ClickException(f"no such mailing: {mailing_id}; see: mailings list --portal …")
    return found


def _tell(portal_id: int, mailing_id: int, *, json_: bool) -> None:
    with current().sessions() as session:
        row = {"id": mailing_id, **_standing(drafts.find(session, portal_id, mailing_id))}
    show([row], json_=json_)


def _standing(mailing: Mailing) -> dict[str, Any]:
    late = mailing.start_at if mailing.start_at and mailing.start_at > utcnow() else None
    return {
        "state": mailing.state,
        "reason": mailing.state_reason,
        "size": mailing.size,
        "start_at": late,
    }
