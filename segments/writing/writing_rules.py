"""Where each figure is written: chosen by an administrator, checked against the portal, every version kept.

What the portal has lost or changed since then is held back, not written, until somebody chooses again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from integration import admin_rules, keeping
from integration.admin_rules import Content, RuleName
from integration.fields import DEFAULT_FIELDS, METRIC_FIELDS, METRICS
from integration.mirror import CustomField
from segments.models import ClientKind, WritebackSettings
from segments.writing import differences
from segments.writing.targets import Refusal, Target, own, refusal

OWN, NOWHERE = "own", ""
Asked = Mapping[tuple[ClientKind, str], str]


class WrongTarget(ValueError):
    """A figure can't go to the field asked for."""

    def __init__(self, key: str, code: str, why: Refusal) -> None:
        super().__init__(f"{key} can't be written to {code}: {why}")
        self.key, self.code, self.why = key, code, why


class Why(StrEnum):
    """Why a figure is held back."""

    GONE = "gone"
    RETYPED = "retyped"
    LEFT_OUT = "left_out"
    IGNORED = "ignored"  # the portal says «written» and keeps the old value


@dataclass(frozen=True, slots=True)
class Held:
    """A figure that isn't written now."""

    target: Target
    why: Why


@dataclass(frozen=True, slots=True)
class Standing:
    """Where figures go now, and those held back."""

    targets: tuple[Target, ...]
    held: tuple[Held, ...]

    def of(self, kind: ClientKind) -> tuple[Target, ...]:
        """The targets of one kind of client."""
        return tuple(target for target in self.targets if target.kind is kind)


@dataclass(frozen=True, slots=True)
class Option:
    """A field of the portal a figure could go to, or why it can't."""

    code: str
    label: str
    why: Refusal | None


def chosen(session: Session, portal_id: int) -> tuple[int, list[Target]]:
    """The version in force and its targets, in the order of the figures."""
    version, content = admin_rules.in_force(session, portal_id, RuleName.WRITING)
    return version, targets_of(_start() if content is None else content)


def standing(session: Session, portal_id: int) -> Standing:
    """What may be written now."""
    fields = _fields(session, portal_id)
    settings = session.get(WritebackSettings, portal_id)
    ignored = set(settings.ignored if settings else ())
    left_out = keeping.rule_of(session, portal_id).left_out
    targets, held = [], []
    for target in chosen(session, portal_id)[1]:
        field = fields.get((target.kind, target.code))
        why: Why | None = None
        if field is None:
            why = Why.GONE
        elif field.multiple or field.type_id != target.type_id:
            why = Why.RETYPED
        elif target.code in left_out.get(target.kind, ()):
            why = Why.LEFT_OUT
        elif target.place in ignored:
            why = Why.IGNORED
        if why is None:
            targets.append(target)
        else:
            held.append(Held(target, why))
    return Standing(tuple(targets), tuple(held))


def options(session: Session, portal_id: int) -> dict[str, list[Option]]:
    """By `contact.ltv`: the portal's own fields with whether each may take the figure."""
    found: dict[str, list[Option]] = {f"{kind}.{m}": [] for kind in ClientKind for m in METRICS}
    left_out = keeping.rule_of(session, portal_id).left_out
    for (kind, code), field in _fields(session, portal_id).items():
        if code in METRIC_FIELDS:
            continue
        for metric in METRICS:
            why = refusal(metric, field.type_id, multiple=field.multiple)
            if why is None and code in left_out.get(kind, ()):
                why = Refusal.LEFT_OUT
            found[f"{kind}.{metric}"].append(Option(code, field.label, why))
    return found


def wished(session: Session, portal_id: int, asked: Asked) -> list[Target]:
    """The chosen targets with the asked ones instead. Raises WrongTarget."""
    wanted = {target.key: target for target in chosen(session, portal_id)[1]}
    fields = _fields(session, portal_id)
    left_out = keeping.rule_of(session, portal_id).left_out
    for (kind, metric), code in asked.items():
        key = f"{kind}.{metric}"
        before = wanted.pop(key, None)
        if before is not None and before.code == code and not before.own:
            field = fields.get((kind, code))
            if field is None:  # gone; it stays chosen and held until another is
                wanted[key] = before
                continue
        if code == NOWHERE:
            continue
        if code in (OWN, METRICS[metric].code):
            wanted[key] = own(kind, metric)
            continue
        field = fields.get((kind, code))
        why = Refusal.UNKNOWN if field is None else None
        if field is not None:
            why = refusal(metric, field.type_id, multiple=field.multiple)
            why = why or (Refusal.LEFT_OUT if code in left_out.get(kind, ()) else None)
        if code in METRIC_FIELDS:
            why = Refusal.TAKEN
        if why is not None or field is None:
            raise WrongTarget(key, code, why or Refusal.UNKNOWN)
        wanted[key] = Target(kind, metric, code, field.type_id, field.label)
    _one_each(wanted.values())
    return targets_of(_content(wanted.values()))


def overwrites(
    session: Session, portal_id: int, targets: Iterable[Target]
) -> list[tuple[Target, int]]:
    """Newly chosen fields of the portal that hold other values now, and on how many cards."""
    before = set(chosen(session, portal_id)[1])
    new = [target for target in targets if not target.own and target not in before]
    counted = [(target, differences.overwritten(session, portal_id, target)) for target in new]
    return [(target, number) for target, number in counted if number]


def change(
    session: Session,
    portal_id: int,
    targets: Iterable[Target],
    user_id: int | None = None,
    *,
    made_from: int | None = None,
) -> bool:
    """Put the targets into force as the next version; False when they are already. Raises Overtaken."""
    return admin_rules.save(
        *(session, portal_id, RuleName.WRITING, _content(targets)),
        start=_start(),
        user_id=user_id,
        made_from=made_from,
    )


def version(session: Session, portal_id: int, number: int) -> list[Target] | None:
    """The targets of one version on record."""
    content = admin_rules.find(session, portal_id, RuleName.WRITING, number)
    return None if content is None else targets_of(content)


def targets_of(content: Content) -> list[Target]:
    """Stored targets; what names no figure of ours is left out."""
    found = []
    for kind in ClientKind:
        for metric in METRICS:
            stored: Mapping[str, Any] | None = content.get(f"{kind}.{metric}")
            if stored is None:
                continue
            field = METRIC_FIELDS.get(stored["code"])
            type_id = field.type_id if field else stored["type"]
            label = field.ru if field else stored["label"]
            found.append(Target(kind, metric, stored["code"], type_id, label))
    return found


def _start() -> Content:
    kinds = list(ClientKind)
    return _content(
        own(kind, METRIC_FIELDS[code].metric) for kind in kinds for code in DEFAULT_FIELDS
    )


def _content(targets: Iterable[Target]) -> Content:
    return {
        target.key: {"code": target.code}
        | ({} if target.own else {"type": target.type_id, "label": target.label})
        for target in targets
    }


def _one_each(targets: Iterable[Target]) -> None:
    taken: set[str] = set()
    for target in targets:
        if target.place in taken:
            raise WrongTarget(target.key, target.code, Refusal.TAKEN)
        taken.add(target.place)


def _fields(session: Session, portal_id: int) -> dict[tuple[ClientKind, str], CustomField]:
    query = sa.select(CustomField).where(
        CustomField.portal_id == portal_id,
        CustomField.entity.in_([kind.value for kind in ClientKind]),
    )
    rows = session.scalars(query.order_by(CustomField.label, CustomField.code))
    return {(ClientKind(row.entity), row.code): row for row in rows}
