"""The gallery of ready segments: a preset and its numbers → a definition that is checked like any other.

What a preset needs and a portal lacks is told (`Unready`), with what to choose or to create.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from integration import installs
from integration.bitrix.client import Client
from integration.fields import PortalField
from segments.conditions import definitions
from segments.conditions.catalog import Scope
from segments.ready import (
    presets_of_buyers,
    presets_of_cards,
    presets_of_deals,
    presets_of_origin,
    presets_of_products,
)
from segments.ready.parameters import MOST_DAYS, Facts, InvalidParameter
from segments.ready.preset_parts import Flag, Given, Json, Missing, Preset

PRESETS: dict[str, Preset] = {
    preset.key: preset
    for preset in (
        *presets_of_cards.PRESETS,
        *presets_of_origin.PRESETS,
        *presets_of_deals.PRESETS,
        *presets_of_buyers.PRESETS,
        *presets_of_products.PRESETS,
    )
}


class UnknownPreset(LookupError):
    """There is no such preset."""


class Unready(Exception):
    """The portal lacks something the preset needs: `missing`, each with what to do."""

    def __init__(self, missing: list[Missing]) -> None:
        super().__init__("; ".join(each.words for each in missing))
        self.missing = missing


def join(*added: Preset) -> None:
    """Make presets of other packages part of the gallery; joining one again changes nothing."""
    PRESETS.update({preset.key: preset for preset in added})


def facts_of(session: Session, scope: Scope) -> Facts:
    """What presets know of the portal: for a number that is for all clients, the longer of both kinds' ages."""
    measured = scope.stages.values()
    if not measured:
        return Facts(session, scope)
    half_gone = min(max(each.cooling for each in measured), MOST_DAYS)
    nearly_all_gone = min(max(each.sleeping for each in measured), MOST_DAYS)
    return Facts(session, scope, half_gone, nearly_all_gone)


def given(preset: Preset, facts: Facts, chosen: Mapping[str, Any]) -> Given:
    """The chosen values, the rest as they start. Raises InvalidParameter."""
    keys = {each.key for each in preset.parameters}
    for key in chosen:
        if key not in keys:
            raise InvalidParameter(key, f"is unknown; allowed: {', '.join(sorted(keys)) or '-'}")
    values = {
        each.key: each.read(chosen.get(each.key, each.starting(facts)), facts)
        for each in preset.parameters
    }
    return Given(facts, values)


def missing(preset: Preset, facts: Facts, chosen: Mapping[str, Any] | None = None) -> list[Missing]:
    """What the preset lacks on this portal with these values. Raises InvalidParameter."""
    return preset.lacks(given(preset, facts, chosen or {}))


def build(facts: Facts, key: str, chosen: Mapping[str, Any] | None = None) -> Json:
    """The definition. Raises UnknownPreset, InvalidParameter, Unready."""
    preset = PRESETS.get(key)
    if preset is None:
        raise UnknownPreset(key)
    values = given(preset, facts, chosen or {})
    if lacking := preset.lacks(values):
        raise Unready(lacking)
    return definitions.written(definitions.read(preset.build(values), facts.scope))


def create_flag_field(client: Client, flag: Flag) -> list[str]:
    """Create the yes/no field on the portal where it is missing; returns what was created.

    The mirror knows it after the next reading of the portal's fields.
    """
    field = PortalField(flag.code, "boolean", flag.ru, flag.en, editable=True)
    return installs.create_fields(client, (field,), flag.entities)
