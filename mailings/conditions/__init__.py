"""What segments can ask of mailings: messages and what came of them, consents, refusals, who may be written to."""

from mailings.conditions.consents import CONSENTS, STOPS
from mailings.conditions.messages import MESSAGES
from mailings.conditions.presets import PRESETS as PRESETS
from mailings.conditions.reach import REACH

RELATIONS = (MESSAGES, CONSENTS, STOPS, REACH)
"""For `segments.conditions.joining.join`."""
