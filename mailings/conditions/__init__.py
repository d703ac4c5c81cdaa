"""What segments can ask of mailings: messages and what came of them, consents, refusals, who may be written to."""

from mailings.conditions.consents import CONSENTS, STOPS
from mailings.conditions.messages import MESSAGES
from mailings.conditions.presets import PRESETS
from mailings.conditions.reach import REACH
from segments.conditions import joining
from segments.ready import presets as ready

RELATIONS = (MESSAGES, CONSENTS, STOPS, REACH)


def join() -> None:
    """Make all of it part of the catalogue and of the gallery of segments; again changes nothing."""
    joining.join(*RELATIONS)
    ready.join(*PRESETS)
