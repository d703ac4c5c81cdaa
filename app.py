"""The composition root: builds the process's runtime and puts the packages together."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Flask

import cli
import cli_clients
import cli_health
import cli_mailings
import cli_people
import cli_rules
import cli_segments
import cli_sender
import insights.entry_views
import insights.glossary_views
import insights.live_topics
import insights.mine.clients
import insights.mine.list_views
import insights.mine.views
import insights.send_views
import insights.tab.list_views
import insights.tab.profile_views
import insights.tab.views
import integration.appearance_views
import integration.aside_views
import integration.health
import integration.health_views
import integration.kept_views
import integration.own_cards
import integration.standing_views
import integration.value_field_views
import integration.views
import mailings.planning.readiness
import mailings.sending.launching
import mailings.sending.restored
import mailings.web.drafts.list_views
import mailings.web.drafts.steering_views
import mailings.web.drafts.suggesting
import mailings.web.drafts.views
import mailings.web.letters.offer_views
import mailings.web.letters.picture_views
import mailings.web.letters.views
import mailings.web.people.reach_views
import mailings.web.people.views
import mailings.web.public.picture_views
import mailings.web.public.receipt_views
import mailings.web.public.tracking_views
import mailings.web.public.unsubscribe_views
import mailings.web.results.views
import mailings.web.settings.consent_file_views
import mailings.web.settings.server_views
import mailings.web.settings.suppression_views
import mailings.web.settings.views
import segments.api.token_views
import segments.api.views
import segments.builder_views
import segments.gallery_views
import segments.list_views
import segments.member_views
import segments.reading_views
import segments.report_views
import segments.rfm_views
import segments.rights_views
import segments.segment_list_views
import segments.segment_views
import segments.settings_views
import segments.standing
import segments.start_views
import segments.suggestions
import segments.views
import segments.writing_views
from core import embedded, log, runtime
from core.config import Settings
from core.runtime import Runtime
from core.web import health, live, shell, trace
from mailings import conditions as mail_conditions
from mailings import permissions  # noqa: F401 - its tables


def create_app(settings: Settings | None = None, also: Iterable[Blueprint] = ()) -> Flask:
    """The web application and its command line; without settings, from the environment.

    `also`: pages that are no part of the product, as the demo has one of its design system.
    """
    settings = embedded.resolve(settings or Settings.from_env())
    log.configure(settings.log_level)
    runtime.install(Runtime.build(settings))
    app = shell.numbered(Flask(__name__, static_folder=None))
    trace.register(app)
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    for blueprint in (
        health.blueprint,
        live.blueprint,
        integration.views.blueprint,
        integration.aside_views.blueprint,
        integration.health_views.blueprint,
        integration.standing_views.blueprint,
        integration.value_field_views.blueprint,
        integration.appearance_views.blueprint,
        integration.kept_views.blueprint,
        segments.views.blueprint,
        segments.report_views.blueprint,
        segments.start_views.blueprint,
        segments.settings_views.blueprint,
        segments.reading_views.blueprint,
        segments.writing_views.blueprint,
        segments.segment_list_views.blueprint,
        segments.segment_views.blueprint,
        segments.member_views.blueprint,
        segments.builder_views.blueprint,
        segments.gallery_views.blueprint,
        segments.list_views.blueprint,
        segments.rfm_views.blueprint,
        segments.rights_views.blueprint,
        segments.api.token_views.blueprint,
        segments.api.views.blueprint,
        mailings.web.drafts.list_views.blueprint,
        mailings.web.drafts.views.blueprint,
        mailings.web.drafts.steering_views.blueprint,
        mailings.web.settings.views.blueprint,
        mailings.web.settings.server_views.blueprint,
        mailings.web.settings.suppression_views.blueprint,
        mailings.web.settings.consent_file_views.blueprint,
        mailings.web.letters.offer_views.blueprint,
        mailings.web.letters.views.blueprint,
        mailings.web.letters.picture_views.blueprint,
        mailings.web.public.picture_views.blueprint,
        mailings.web.public.tracking_views.blueprint,
        mailings.web.public.unsubscribe_views.blueprint,
        mailings.web.public.receipt_views.blueprint,
        mailings.web.results.views.blueprint,
        mailings.web.people.views.blueprint,
        mailings.web.people.reach_views.blueprint,
        insights.entry_views.blueprint,
        insights.glossary_views.blueprint,
        insights.tab.views.blueprint,
        insights.tab.profile_views.blueprint,
        insights.tab.list_views.blueprint,
        insights.send_views.blueprint,
        *also,
        insights.mine.list_views.blueprint,
        insights.mine.views.blueprint,
    ):
        app.register_blueprint(blueprint)
    cli.register(app)
    cli_health.register(app)
    cli_clients.register(app)
    cli_rules.register(app)
    cli_segments.register(app)
    cli_sender.register(app)
    cli_mailings.register(app)
    cli_people.register(app)
    integration.health.figures_from(segments.standing.figures)
    integration.health.held_from(mailings.sending.restored.held)
    integration.own_cards.wanted_from(insights.mine.clients.candidates)
    mailings.planning.readiness.also(mailings.sending.launching.problems)
    mailings.planning.readiness.also(mailings.sending.restored.problems)
    segments.suggestions.also(mailings.web.drafts.suggesting.of)
    mail_conditions.join()
    insights.live_topics.register()
    shell.register(
        app,
        settings,
        recheck=integration.views.recheck,
        renewal_endpoint="integration.renew_session",
        standing=integration.standing_views.of,
        askable=integration.views.askable,
        program_of=segments.api.token_views.program_of,
    )
    return app
