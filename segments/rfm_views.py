"""The edge of RFM: the map of clients, their stages of life, and the choices about both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask
from flask import Blueprint, g, render_template, request

from core.database import transaction
from core.runtime import current
from core.web.guard import admin_required
from integration.admin_rules import Overtaken
from integration.models import Portal
from integration.rights import may_write
from segments import builder_views, jobs, rfm_forms, score_map
from segments.building import builder
from segments.building.builder_page import Beginning
from segments.models import ClientKind
from segments.rules import lifecycle, rfm
from segments.rules.score_choices import ScoreChoices, WrongChoice
from segments.scoring import score_words, scores

blueprint = Blueprint("rfm", __name__, template_folder="templates")


@blueprint.get("/segments/rfm")
@may_write
def rfm_page() -> str:
    """The page of one kind of client."""
    return _page(_kind(request.args))


@blueprint.get("/segments/rfm/map")
@may_write
def rfm_map() -> str:
    """The map, the groups and the stages of the day; asks for itself until everybody is scored."""
    kind = _kind(request.args)
    with current().sessions() as session:
        basis = score_map.basis(session, g.viewer.portal_id, kind)
        due = bool(scores.due(session, g.viewer.portal_id))
        drawn = score_map.drawn(basis)
        return render_template(
            "segments/rfm_map.html", map=drawn, basis=basis, due=due, **_words(session, kind)
        )


@blueprint.get("/segments/rfm/segment")
@may_write
def begin_segment() -> str:
    """The builder with a new segment in it: the clients of a cell, of a group or of a stage."""
    kind, asked = _kind(request.args), request.args
    r, f = (asked.get(name, 0, type=int) for name in ("r", "f"))
    group, stage = asked.get("group", ""), asked.get("stage", "")
    with current().sessions() as session:
        words = _words(session, kind)
    if group in rfm.ALL_GROUPS:
        name, definition = words["names"][group], score_map.of_group(kind, group)
    elif stage in lifecycle.STAGES:
        name, definition = words["stages"][stage], score_map.of_stage(kind, stage)
    elif {r, f} <= set(range(1, rfm.SCORES + 1)):
        name, definition = f"R{r} F{f}", score_map.of_cell(kind, r, f)
    else:
        flask.abort(400)
    return builder_views.opened(Beginning(builder.opened(definition), name))


@blueprint.post("/segments/rfm/preview")
@may_write
def preview_choices() -> tuple[str, int]:
    """How many would change their group by the choices in the form; nothing is stored."""
    kind = _kind(request.form)
    with current().sessions() as session:
        try:
            before = scores.choices_of(session, g.viewer.portal_id)[1]
            wished = rfm_forms.read(request.form, before, kind)
            changes = score_map.changes(session, g.viewer.portal_id, wished)
        except WrongChoice as error:
            wrong = score_words.wrong(error.what)
            return render_template("segments/rfm_preview.html", wrong=wrong), 422
        words = _words(session, kind, wished)
    return render_template("segments/rfm_preview.html", changes=changes, **words), 200


@blueprint.post("/segments/rfm")
@admin_required
def change_choices() -> tuple[str, int]:
    """Put the choices into force; everybody is scored anew in the background."""
    kind, portal_id = _kind(request.form), g.viewer.portal_id
    version = request.form.get("version", type=int)
    if version is None:
        flask.abort(400)
    try:
        with transaction(current().sessions) as session:
            before = scores.choices_of(session, portal_id)[1]
            wished = rfm_forms.read(request.form, before, kind)
            changed = scores.choose(session, portal_id, wished, g.viewer.user_id, made_from=version)
    except WrongChoice as error:
        return _page(kind, wrong=error.what, typed=request.form), 422
    except Overtaken:
        return _page(kind, wrong="overtaken"), 422
    if changed:
        jobs.enqueue_score(portal_id)
    return _page(kind, said="saved" if changed else "same"), 200


def _kind(sent: Mapping[str, str]) -> ClientKind:
    try:
        return ClientKind(sent.get("kind", ClientKind.CONTACT))
    except ValueError:
        flask.abort(400)


def _page(
    kind: ClientKind,
    *,
    said: str | None = None,
    wrong: str | None = None,
    typed: Mapping[str, str] | None = None,
) -> str:
    portal_id = g.viewer.portal_id
    with current().sessions() as session:
        version, choices = scores.choices_of(session, portal_id)
        basis = score_map.basis(session, portal_id, kind)
        rhythm = score_map.rhythm(basis, choices) if basis is not None else None
        return render_template(
            "segments/rfm.html",
            version=version,
            basis=basis,
            rhythm=rhythm,
            form=typed or rfm_forms.written(choices, kind),
            said=said,
            wrong=None if wrong is None else score_words.wrong(wrong),
            **_words(session, kind, choices),
        )


def _words(session: Any, kind: ClientKind, choices: ScoreChoices | None = None) -> dict[str, Any]:
    portal_id = g.viewer.portal_id
    if choices is None:
        choices = scores.choices_of(session, portal_id)[1]
    return {
        "kind": kind.value,
        "currency": session.get_one(Portal, portal_id).base_currency or "RUB",
        "names": score_words.groups(choices.names),
        "usual": score_words.groups({}),
        "meanings": score_words.MEANINGS,
        "stages": score_words.stages(),
        "about_stages": score_words.about_stages(),
        "fewest_buyers": rfm.FEWEST_BUYERS,
        "least_gaps": lifecycle.LEAST_GAPS,
        "much": rfm.MUCH,
        "groups_of_buyers": rfm.GROUPS,
    }
