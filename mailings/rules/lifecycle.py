"""What may be done to a mailing in which state: buttons and use cases both ask this table."""

from __future__ import annotations

from enum import StrEnum

from mailings.rules.states import MailingState

LOOK_FIRST = "restored"
"""A mailing paused for this reason goes on only by somebody's choice about what may have left already."""


class Action(StrEnum):
    """What a person does to a mailing."""

    EDIT = "edit"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    DELETE = "delete"


class IllegalTransition(Exception):
    """The mailing is not in a state in which this may be done."""

    def __init__(self, action: Action, state: MailingState) -> None:
        super().__init__(f"{action} a mailing that is {state}")
        self.action, self.state = action, state


class LookFirst(IllegalTransition):
    """Somebody has to choose what becomes of those who may have got it already."""

    def __init__(self) -> None:
        super().__init__(Action.RESUME, MailingState.PAUSED)

    def __str__(self) -> str:
        return f"{self.args[0]} for «{LOOK_FIRST}» without choosing who is skipped"


_ALLOWED = {
    MailingState.DRAFT: {Action.EDIT, Action.START, Action.DELETE},
    MailingState.SCHEDULED: {Action.CANCEL, Action.PAUSE},
    MailingState.PLANNING: {Action.CANCEL},
    MailingState.RUNNING: {Action.PAUSE, Action.CANCEL},
    MailingState.PAUSED: {Action.RESUME, Action.CANCEL},
    MailingState.FINISHED: set[Action](),
    MailingState.CANCELLED: set[Action](),
}


def allowed(state: MailingState) -> frozenset[Action]:
    """What may be done now."""
    return frozenset(_ALLOWED[state])


def waits_for_a_look(reason: str | None) -> bool:
    """Whether a mailing paused for this reason must not simply be resumed."""
    return (reason or "").partition(":")[0] == LOOK_FIRST


def check(action: Action, state: MailingState) -> None:
    """Raises IllegalTransition when it may not be done now."""
    if action not in _ALLOWED[state]:
        raise IllegalTransition(action, state)
