"""The gallery of ready segments: presets by topic, their numbers as a form has them, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.web import formats
from core.web.words import gettext as _
from segments.building import builder_inputs
from segments.conditions.options import Options
from segments.ready import presets
from segments.ready.parameters import Asks, Facts, InvalidParameter, Parameter
from segments.ready.preset_parts import Json, Missing, Preset
from segments.ready.presets import Unready

Inputs = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One choice of a preset as it is shown. `value`: as the form has it."""

    name: str
    label: str
    asks: str
    value: Any
    choices: Options


@dataclass(frozen=True, slots=True)
class Card:
    """A preset in the gallery."""

    key: str
    name: str
    about: str
    asked: list[Asked]


@dataclass(frozen=True, slots=True)
class Made:
    """What a preset comes to with these values; without a definition, why not."""

    definition: Json | None
    missing: Sequence[Missing] = ()
    wrong: str | None = None


def shelves(facts: Facts) -> dict[str, list[Card]]:
    """All presets by topic, with the values they start with here."""
    found: dict[str, list[Card]] = {}
    for preset in presets.PRESETS.values():
        asked = [_asked(each, facts) for each in preset.parameters]
        card = Card(preset.key, _(preset.name), _(preset.about), asked)
        found.setdefault(_(preset.group), []).append(card)
    return found


def made(facts: Facts, key: str, inputs: Inputs) -> Made:
    """The preset with the form's values. Raises UnknownPreset."""
    preset = presets.PRESETS.get(key)
    if preset is None:
        raise presets.UnknownPreset(key)
    try:
        return Made(presets.build(facts, key, chosen(preset, inputs)))
    except Unready as error:
        return Made(None, error.missing)
    except InvalidParameter as error:
        labels = {each.key: _(each.label) for each in preset.parameters}
        wrong = _(
            "%(field)s: this value can't be used here", field=labels.get(error.key, error.key)
        )
        return Made(None, wrong=wrong)


def chosen(preset: Preset, inputs: Inputs) -> dict[str, Any]:
    """The values of the form; without one, the preset starts with its own."""
    if "posted" not in inputs:
        return {}
    return {each.key: _read(each, list(inputs.get(each.key, ()))) for each in preset.parameters}


def _asked(parameter: Parameter, facts: Facts) -> Asked:
    value = parameter.starting(facts)
    if parameter.asks is Asks.TEXTS:
        value = ", ".join(value)
    elif parameter.asks is Asks.NUMBER and isinstance(value, float):
        value = formats.typed(value)
    choices = parameter.choices(facts)
    return Asked(parameter.key, _(parameter.label), parameter.asks.value, value, choices)


def _read(parameter: Parameter, typed: list[str]) -> Any:
    text = typed[0].strip() if typed else ""
    match parameter.asks:
        case Asks.WHOLE | Asks.NUMBER:
            return builder_inputs.number(text)
        case Asks.SWITCH:
            return bool(typed)
        case Asks.TEXTS:
            return [each.strip() for each in text.split(",") if each.strip()]
        case Asks.CHOICES:
            return typed
        case Asks.FIELD:
            return text or None
        case _:
            return text
