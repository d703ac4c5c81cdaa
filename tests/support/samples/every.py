"""The requests of every route, whichever package it is of."""

from __future__ import annotations

from support.samples import api, cards, letters, mail_settings, mailings, portal, rules, segments

SAMPLES = {
    route: sample
    for each in (portal, rules, segments, api, cards, mailings, letters, mail_settings)
    for route, sample in each.SAMPLES.items()
}
