"""The portal's rules of mailings, as versions: on what ground, how often, from which field consents come.

The ground is changed to «existing clients» only by an administrator who confirms it in writing: the words are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from core.clock import utcnow
from integration import admin_rules
from integration.admin_rules import RuleName
from mailings.rules import caps
from mailings.rules.caps import BadCap, Cap
from mailings.rules.consents import FIRST_TOPIC, Basis

ATTRIBUTION_DAYS = 30
_LONGEST_ATTRIBUTION = 365
_SHORTEST_CONFIRMATION = 20


class WrongSettings(ValueError):
    """Settings that can't be put into force; `field` names the part."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(f"{part}: {problem}")
        self.field, self.problem = part, problem


@dataclass(frozen=True, slots=True)
class ConsentField:
    """The portal's custom field that says yes or no, on these cards.

    `yes` and `no` are the values that mean so, as text; a filled field that is neither says nothing.
    """

    code: str
    entities: tuple[str, ...] = ("contact", "company", "lead")
    channel: str = "email"
    topic: str = FIRST_TOPIC
    yes: tuple[str, ...] = ("true", "1", "y", "yes", "да")
    no: tuple[str, ...] = ("false", "0", "n", "no", "нет")

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> ConsentField | None:
        """From JSON."""
        if not raw or not raw.get("code"):
            return None
        plain = cls(raw["code"])
        return cls(
            code=raw["code"],
            entities=tuple(raw.get("entities") or plain.entities),
            channel=raw.get("channel") or plain.channel,
            topic=raw.get("topic") or plain.topic,
            yes=tuple(raw.get("yes") or plain.yes),
            no=tuple(raw.get("no") or plain.no),
        )

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return {
            "code": self.code,
            "entities": list(self.entities),
            "channel": self.channel,
            "topic": self.topic,
            "yes": list(self.yes),
            "no": list(self.no),
        }


@dataclass(frozen=True, slots=True)
class UnsubscribeField:
    """The portal's custom field an unsubscription is written to, on these cards, and as what."""

    code: str
    entities: tuple[str, ...] = ("contact", "company", "lead")
    value: str = "1"

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> UnsubscribeField | None:
        """From JSON."""
        if not raw or not raw.get("code"):
            return None
        entities = tuple(raw.get("entities") or ("contact", "company", "lead"))
        return cls(raw["code"], entities, str(raw.get("value") or "1"))

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return {"code": self.code, "entities": list(self.entities), "value": self.value}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is in force. `confirmed`: who answers for the basis, since when, in which words."""

    basis: Basis = Basis.CONSENT
    confirmed: Mapping[str, Any] | None = None
    consent_field: ConsentField | None = None
    unsubscribe_field: UnsubscribeField | None = None
    caps: tuple[Cap, ...] = ()
    attribution_days: int = ATTRIBUTION_DAYS
    exempt_segments: tuple[int, ...] = field(default=())

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> Rules:
        """From JSON; what is missing is as at the start. Raises WrongSettings."""
        raw = raw or {}
        try:
            rules = cls(
                basis=Basis(raw.get("basis") or Basis.CONSENT),
                confirmed=raw.get("confirmed"),
                consent_field=ConsentField.read(raw.get("consent_field")),
                unsubscribe_field=UnsubscribeField.read(raw.get("unsubscribe_field")),
                caps=caps.read(raw.get("caps") or ()),
                attribution_days=raw.get("attribution_days") or ATTRIBUTION_DAYS,
                exempt_segments=tuple(raw.get("exempt_segments") or ()),
            )
        except BadCap as error:
            raise WrongSettings("caps", str(error)) from error
        except ValueError as error:
            raise WrongSettings("basis", str(error)) from error
        if not 1 <= rules.attribution_days <= _LONGEST_ATTRIBUTION:
            raise WrongSettings("attribution_days", f"from 1 to {_LONGEST_ATTRIBUTION}")
        return rules

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return {
            "basis": self.basis.value,
            "confirmed": dict(self.confirmed) if self.confirmed else None,
            "consent_field": self.consent_field and self.consent_field.as_json(),
            "unsubscribe_field": self.unsubscribe_field and self.unsubscribe_field.as_json(),
            "caps": [cap.as_json() for cap in self.caps],
            "attribution_days": self.attribution_days,
            "exempt_segments": list(self.exempt_segments),
        }


def rules_of(session: Session, portal_id: int) -> Rules:
    """The rules in force."""
    return Rules.read(admin_rules.in_force(session, portal_id, RuleName.MAILING)[1])


def version(session: Session, portal_id: int) -> int:
    """The number of the version in force, for `made_from`."""
    return admin_rules.in_force(session, portal_id, RuleName.MAILING)[0]


def change(
    session: Session,
    portal_id: int,
    rules: Rules,
    user_id: int | None = None,
    *,
    confirmation: str | None = None,
    made_from: int | None = None,
) -> bool:
    """Put rules into force; False when they are. Raises WrongSettings, admin_rules.Overtaken.

    Another basis than consent needs `confirmation`, an administrator's own words, when it is chosen.
    """
    rules = Rules.read(rules.as_json())
    before = rules_of(session, portal_id)
    if rules.basis is Basis.CONSENT:
        rules = replace(rules, confirmed=None)
    elif before.basis is rules.basis:
        rules = replace(rules, confirmed=before.confirmed)
    else:
        words = " ".join((confirmation or "").split())
        if user_id is None or len(words) < _SHORTEST_CONFIRMATION:
            raise WrongSettings("confirmation", "an administrator has to confirm it in writing")
        who = {"who": user_id, "when": utcnow().isoformat(), "text": words}
        rules = replace(rules, confirmed=who)
    return admin_rules.save(
        *(session, portal_id, RuleName.MAILING, rules.as_json()),
        start=Rules().as_json(),
        user_id=user_id,
        made_from=made_from,
    )
