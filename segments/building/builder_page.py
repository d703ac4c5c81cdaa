"""What the builder shows of a draft: its trees, its sentence, and the counters known at once."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis
from sqlalchemy.orm import Session

from segments.building import builder, counting, drafts
from segments.building.builder import SIDES, Draft
from segments.building.builder_tree import Box, Row, Tree
from segments.building.counting import Counted
from segments.conditions import sentences
from segments.conditions.catalog import Scope
from segments.conditions.options import Options
from segments.members import saving
from segments.members.saving import NoSuchSegment
from segments.saved import How


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch's number: known, to be asked for, or not to be had while it isn't finished."""

    finished: bool
    counted: Counted | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """A draft as it is shown. `unfinished`: how many conditions are left out of the count."""

    draft: Draft
    boxes: dict[str, Box | None]
    branches: dict[str, Branch]
    whole: Branch
    unfinished: int
    sentence: str
    segments: Options
    limit_is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the builder opens with. `version`: the one a change of a saved segment is made from."""

    draft: Draft
    name: str = ""
    segment_id: int | None = None
    version: int = 0
    preset: str = ""


def beginning(session: Session, portal_id: int, segment_id: int | None) -> Beginning:
    """A saved segment, or a new one. Raises NoSuchSegment, also for a list without conditions."""
    if segment_id is None:
        return Beginning(builder.new())
    segment = saving.find(session, portal_id, segment_id)
    if segment.definition is None or segment.how != How.DYNAMIC:
        raise NoSuchSegment
    return Beginning(builder.opened(segment.definition), segment.name, segment.id, segment.version)


def desk(session: Session, redis: Redis, scope: Scope, draft: Draft) -> Desk:
    """Everything about the draft that is known without counting."""
    checked = drafts.check(draft, scope)
    named = [(str(each.id), each.name) for each in saving.listed(session, scope.portal_id)]
    tree = Tree(session, scope, draft, checked.problems, named)
    boxes = {side: tree.side(side) for side in SIDES}
    branches: dict[str, Branch] = {}
    for box in boxes.values():
        for place in [] if box is None else _places(box):
            branches[place] = _branch(redis, scope, drafts.branch(draft, place, scope))
    return Desk(
        draft=draft,
        boxes=boxes,
        branches=branches,
        whole=_branch(redis, scope, checked.usable),
        unfinished=len(checked.problems),
        sentence=_sentence(session, scope, checked.usable),
        segments=named,
        limit_is_wrong="" in checked.problems,
    )


def _sentence(session: Session, scope: Scope, usable: Draft | None) -> str:
    if usable is None:
        return ""
    return sentences.sentence(session, scope, drafts.read(usable, scope))


def _branch(redis: Redis, scope: Scope, question: Draft | None) -> Branch:
    if question is None:
        return Branch(finished=False)
    return Branch(finished=True, counted=counting.known(redis, scope, question))


def _places(box: Box) -> list[str]:
    """The places of the outer tree that have a number of their own."""
    found = [box.place]
    for part in box.parts:
        found += [part.place] if isinstance(part, Row) else _places(part)
    return found
