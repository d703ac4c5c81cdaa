"""The edge of the mailing settings: on what ground people are written to, the fields it stands on, limits, topics."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from core.web.words import gettext as _
from integration.admin_rules import Overtaken
from mailings.consent import settings, topics
from mailings.consent.settings import Rules, WrongSettings
from mailings.consent.topics import BadTopic
from mailings.web.settings import forms, pages
from mailings.web.settings.forms import Slip
from mailings.web.words import permission as permission_words

blueprint = Blueprint("mailing_settings", __name__, template_folder="../templates")


@blueprint.get("/settings/mailings/consent")
@admin_required
def consent() -> str:
    """On what ground people are written to, and the portal's fields it stands on."""
    return _consent()


@blueprint.post("/settings/mailings/consent/basis")
@admin_required
def change_basis() -> tuple[str, int]:
    """Choose the ground; another one than consent is confirmed in writing."""
    words = request.form.get("confirmation")
    return _change(_consent, lambda rules: forms.with_basis(rules, request.form), words)


@blueprint.post("/settings/mailings/consent/fields")
@admin_required
def change_fields() -> tuple[str, int]:
    """Choose the fields consents come from and unsubscriptions go to."""
    with current().sessions() as session:
        known = {each.code: each.kinds for each in pages.fields(session, g.viewer.portal_id)}
    return _change(_consent, lambda rules: forms.with_fields(rules, request.form, known))


@blueprint.get("/settings/mailings/limits")
@admin_required
def limits() -> str:
    """How often one person may be written to, what a mailing is credited with, topics."""
    return _limits()


@blueprint.post("/settings/mailings/limits")
@admin_required
def change_limits() -> tuple[str, int]:
    """Change the limits."""
    return _change(_limits, lambda rules: forms.with_limits(rules, request.form))


@blueprint.post("/settings/mailings/topics")
@admin_required
def save_topic() -> tuple[str, int]:
    """Add a topic, or call it otherwise."""
    key = request.form.get("key") or f"t{secrets.token_hex(4)}"
    return _topics(lambda session, portal_id: _name(session, portal_id, key))


@blueprint.post("/settings/mailings/topics/archive")
@admin_required
def archive_topic() -> tuple[str, int]:
    """Put a topic away."""
    key = request.form.get("key", "")
    return _topics(lambda session, portal_id: topics.archive(session, portal_id, key))


def _name(session: Any, portal_id: int, key: str) -> None:
    there = topics.listed(session, portal_id)
    sort = {each.key: each.sort for each in there}.get(key, len(there))
    topics.save(session, portal_id, key, request.form.get("name", ""), sort)


def _topics(act: Callable[[Any, int], None]) -> tuple[str, int]:
    portal_id, problem = g.viewer.portal_id, ""
    try:
        with transaction(current().sessions) as session:
            act(session, portal_id)
    except BadTopic as error:
        problem = {
            "name": _("Give the topic a name"),
            "too_many": _("There are too many topics already"),
        }.get(error.code, _("This can't be used"))
    with current().sessions() as session:
        facts = {"topics": pages.named_topics(session, portal_id), "topic_problem": problem}
    return render_template("mailings/settings_topics.html", **facts), 422 if problem else 200


def _change(
    page: Callable[..., str], wished: Callable[[Rules], Rules], words: str | None = None
) -> tuple[str, int]:
    made_from = request.form.get("version", type=int)
    if made_from is None:
        flask.abort(400)
    portal_id = g.viewer.portal_id
    try:
        with transaction(current().sessions) as session:
            rules = wished(settings.rules_of(session, portal_id))
            changed = settings.change(
                *(session, portal_id, rules, g.viewer.user_id),
                confirmation=words, made_from=made_from,
            )  # fmt: skip
    except Overtaken:
        return page(said="overtaken"), 422
    except Slip as slip:
        return page(wrong={slip.field: _slipped(slip.field)}), 422
    except WrongSettings as error:
        return page(wrong={error.field: _slipped(error.field)}), 422
    return page(said="saved" if changed else "same"), 200


def _slipped(field: str) -> str:
    if field == "confirmation":
        return _("Confirm it in writing, in a sentence at least")
    if field.startswith("cap_"):
        return _("A limit needs both numbers, whole ones")
    return {
        "consent_yes": _("Say which values mean yes"),
        "unsubscribe_value": _("Say what is to be written"),
        "attribution_days": _("Enter a whole number from 1 to 365"),
    }.get(field, _("This can't be used"))


def _consent(*, said: str = "", wrong: dict[str, str] | None = None) -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        facts = pages.consent(session, portal_id)
    return render_template(
        "mailings/settings_consent.html",
        **facts,
        said=said,
        wrong=wrong or {},
        problem=_("Look at what is marked below") if wrong else "",
        typed=request.form if wrong else {},
        changes=permission_words.changes,
    )


def _limits(*, said: str = "", wrong: dict[str, str] | None = None) -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        facts = pages.limits(session, portal_id)
    typed = request.form if wrong else {}
    return render_template(
        "mailings/settings_limits.html",
        **facts,
        said=said,
        wrong=wrong or {},
        problem=next(iter(wrong.values())) if wrong else "",
        cap_rows=forms.cap_rows(facts["rules"], typed, wrong or {}),
        typed_days=typed.get("attribution_days", facts["rules"].attribution_days),
        words=permission_words,
        changes=permission_words.changes,
    )
