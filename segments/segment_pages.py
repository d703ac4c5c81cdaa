"""What the pages of saved segments show: the list, one segment, why a card is in it or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from segments import audience
from segments.audience import Member, Reason
from segments.conditions import definitions, options, sentences
from segments.conditions.catalog import Scope
from segments.conditions.definitions import InvalidCondition
from segments.members import lists, people, saving, sizes
from segments.members.lists import Change
from segments.rules.tree import Definition, Group, Kind, Node
from segments.rules.trend import trend
from segments.saved import How, Segment, SegmentVersion

TREND_DAYS = 365
SAMPLE = 10
VERSIONS_TOLD = 20
MOVES = 30


Told = Callable[[Node, Kind], str]


@dataclass(frozen=True, slots=True)
class Said:
    """A part of the tree in words, and whether it holds for a card."""

    words: str
    holds: bool
    parts: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A card, whether it is in, and why: by conditions, or `entered` by a code of `segments.saved`."""

    member: Member
    inside: bool
    said: Said | None = None
    entered: str | None = None


def page(session: Session, scope: Scope, segment: Segment) -> dict[str, Any]:
    """The facts of one segment's page."""
    portal_id = scope.portal_id
    definition = readable(segment, scope)
    versions = saving.versions(session, portal_id, segment.id)
    points = sizes.in_time(session, portal_id, [segment.id], TREND_DAYS).get(segment.id, [])
    return {
        "segment": segment,
        "sentence": None if definition is None else sentences.sentence(session, scope, definition),
        "trend": trend(points, from_zero=True),
        "versions": versions,
        "users": names_of_users(session, portal_id),
        "dependants": saving.dependants(session, portal_id, segment.id),
        "others": [
            (str(each.id), each.name)
            for each in saving.listed(session, portal_id)
            if each.id != segment.id
        ],
        "told": _told_versions(session, scope, versions),
    }


def _told_versions(
    session: Session, scope: Scope, versions: Sequence[SegmentVersion]
) -> dict[int, str]:
    """What each version asked, where the portal still has everything it names."""
    found = {}
    for each in versions[:VERSIONS_TOLD]:
        definition = readable(each, scope)
        if definition is not None:
            found[each.version] = sentences.sentence(session, scope, definition)
    return found


def readable(segment: Segment | SegmentVersion, scope: Scope) -> Definition | None:
    """The definition, when there is one and the portal still has everything it names."""
    try:
        return None if segment.definition is None else definitions.read(segment.definition, scope)
    except InvalidCondition:
        return None


def sample(session: Session, scope: Scope, segment: Segment) -> list[Judged]:
    """Ten people of a segment, each with why he is in."""
    definition = readable(segment, scope)
    if segment.how == How.DYNAMIC and definition is not None:
        found = audience.sample(session, scope, definition, SAMPLE)
        return _by_conditions(session, scope, definition, [(each, True) for each in found])
    stored = sizes.members(session, scope.portal_id, segment.id, SAMPLE)
    named = audience.named(session, scope.portal_id, [(kind, number) for kind, number, _ in stored])
    reasons = [reason for _kind, _number, reason in stored]
    return [
        Judged(member, inside=True, entered=reason)
        for member, reason in zip(named, reasons, strict=True)
    ]


def judged(session: Session, scope: Scope, segment: Segment, typed: str) -> list[Judged]:
    """The cards that were looked for: in or not, and why."""
    found = people.find(session, scope.portal_id, typed)
    definition = readable(segment, scope)
    if segment.how == How.DYNAMIC and definition is not None:
        inside = _inside(session, scope, definition, found)
        with_verdict = [(each, (each.kind, each.id) in inside) for each in found]
        return _by_conditions(session, scope, definition, with_verdict)
    return [
        Judged(
            each,
            sizes.is_member(session, scope.portal_id, segment.id, each.kind, each.id),
        )
        for each in found
    ]


def moves(session: Session, scope: Scope, segment: Segment) -> list[tuple[Change, Member]]:
    """Who came and went lately, the newest first."""
    found = lists.history(session, scope.portal_id, segment.id, MOVES)
    cards = [(each.kind, each.member_id) for each in found]
    return list(zip(found, audience.named(session, scope.portal_id, cards), strict=True))


def names_of_users(session: Session, portal_id: int) -> dict[str, str]:
    """Names of the portal's people by their ids."""
    return dict(options.options(session, portal_id, "users"))


def _inside(
    session: Session, scope: Scope, definition: Definition, found: Iterable[Member]
) -> set[tuple[Kind, int]]:
    by_kind: dict[Kind, list[int]] = {}
    for each in found:
        by_kind.setdefault(each.kind, []).append(each.id)
    return {
        (kind, number)
        for kind, ids in by_kind.items()
        for number in audience.contains(session, scope, definition, kind, ids)
    }


def _by_conditions(
    session: Session, scope: Scope, definition: Definition, found: Iterable[tuple[Member, bool]]
) -> list[Judged]:
    told, verdicts = _teller(session, scope), []
    for member, inside in found:
        reason = audience.why(session, scope, definition, member.kind, member.id)
        said = None if reason is None else _said(reason, member.kind, told)
        verdicts.append(Judged(member, inside, said))
    return verdicts


def _said(reason: Reason, kind: Kind, told: Told) -> Said:
    parts = tuple(_said(part, kind, told) for part in reason.parts)
    return Said(told(reason.node, kind), reason.holds, parts)


def _teller(session: Session, scope: Scope) -> Told:
    """Words of a part; each is worded once, however many people are asked about."""
    known: dict[tuple[int, Kind], str] = {}

    def told(node: Node, kind: Kind) -> str:
        if isinstance(node, Group):
            return node.mode.value
        if (id(node), kind) not in known:
            known[id(node), kind] = sentences.phrase(session, scope, node, kind)
        return known[id(node), kind]

    return told
