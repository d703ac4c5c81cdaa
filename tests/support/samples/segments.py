"""A request of every route of segments and lists."""

from __future__ import annotations

import io
import json

import sqlalchemy as sa
from support.visitor import OURS, Sample, version_on

from segments import rfm_forms
from segments.models import ClientKind
from segments.rules.score_choices import ScoreChoices
from segments.saved import Segment

DRAFT = json.dumps(
    {"version": 1, "clients": {"where": {"all": [{"field": "responsible", "op": "filled"}]}}}
)


def segment(visitor):
    """The portal's first segment."""
    with visitor.world.runtime.sessions() as database:
        own = Segment.portal_id == visitor.world.portal_id
        return database.scalar(sa.select(sa.func.min(Segment.id)).where(own))


def newest(visitor):
    """The segment made last."""
    with visitor.world.runtime.sessions() as database:
        own = Segment.portal_id == visitor.world.portal_id
        return database.scalar(sa.select(sa.func.max(Segment.id)).where(own))


def saved(visitor):
    """A new segment, saved by the builder."""
    return visitor.post("/segments/builder/save", draft=DRAFT, name=OURS)


def some_file(visitor):
    return io.BytesIO(f"ID\n{visitor.contact_id}\n".encode()), "list.csv"


def listed(visitor):
    """A new list of one contact, from a file."""
    columns = {"columns": "1", "column.0": "id", "kind": "contact"}
    return visitor.post("/segments/lists", name=OURS, file=some_file(visitor), **columns)


def rfm_form(visitor, **choices):
    """The form of the RFM page as it stands."""
    shown = rfm_forms.written(ScoreChoices(), ClientKind.CONTACT)
    return shown | {"version": version_on(visitor, "/segments/rfm"), "kind": "contact", **choices}


SAMPLES = {
    ("GET", "/segments"): Sample(lambda v: v.get("/segments"), shows=True),
    ("GET", "/home/months"): Sample(lambda v: v.get("/home/months?kind=company")),
    ("GET", "/segments/file"): Sample(lambda v: v.get("/segments/file"), shows=True),
    ("POST", "/segments/picked/archive"): Sample(
        lambda v: (saved(v), v.post("/segments/picked/archive", pick=str(newest(v))))[1], shows=True
    ),
    ("POST", "/segments/picked/back"): Sample(
        lambda v: v.post("/segments/picked/back", every="1", query="shelf=archived")
    ),
    ("GET", "/segments/<int:segment_id>/members"): Sample(
        lambda v: (listed(v), v.get(f"/segments/{newest(v)}/members"))[1], shows=True
    ),
    ("POST", "/segments/<int:segment_id>/members/take"): Sample(
        lambda v: (listed(v), v.post(f"/segments/{newest(v)}/members/take", every="1"))[1], shows=True
    ),
    ("GET", "/segments/builder"): Sample(lambda v: v.get(f"/segments/builder?segment={segment(v)}"), shows=True),
    ("POST", "/segments/builder/edit"): Sample(
        lambda v: v.post("/segments/builder/edit", draft=DRAFT, action="add clients related:deals:stage")
    ),
    ("POST", "/segments/builder/count"): Sample(lambda v: v.post("/segments/builder/count", draft=DRAFT)),
    ("POST", "/segments/builder/fields"): Sample(
        lambda v: v.post("/segments/builder/fields", draft=DRAFT, at="clients"), shows=True
    ),
    ("POST", "/segments/builder/values"): Sample(
        lambda v: v.post("/segments/builder/values", draft=DRAFT, at="clients.0"), shows=True
    ),
    ("POST", "/segments/builder/save"): Sample(saved, shows=True),
    ("GET", "/segments/<int:segment_id>"): Sample(lambda v: v.get(f"/segments/{segment(v)}"), shows=True),
    ("GET", "/segments/<int:segment_id>/state"): Sample(lambda v: v.get(f"/segments/{segment(v)}/state")),
    ("GET", "/segments/<int:segment_id>/sample"): Sample(
        lambda v: v.get(f"/segments/{segment(v)}/sample"), shows=True
    ),
    ("GET", "/segments/<int:segment_id>/people"): Sample(
        lambda v: v.get(f"/segments/{segment(v)}/people?search={v.contact_id}"), shows=True
    ),
    ("GET", "/segments/<int:segment_id>/moves"): Sample(lambda v: v.get(f"/segments/{segment(v)}/moves")),
    ("GET", "/segments/<int:segment_id>/overlap"): Sample(
        lambda v: v.get(f"/segments/{segment(v)}/overlap?other={segment(v)}"), shows=True
    ),
    ("GET", "/segments/<int:segment_id>/export"): Sample(lambda v: v.get(f"/segments/{segment(v)}/export")),
    ("GET", "/segments/<int:segment_id>/refused"): Sample(
        lambda v: (listed(v), v.get(f"/segments/{newest(v)}/refused"))[1]
    ),
    ("POST", "/segments/<int:segment_id>/name"): Sample(
        lambda v: v.post(f"/segments/{segment(v)}/name", name=f"{OURS} 2", version="1"), shows=True
    ),
    ("POST", "/segments/<int:segment_id>/restore"): Sample(
        lambda v: (saved(v), v.post(f"/segments/{newest(v)}/restore", number="1", version="1"))[1], shows=True
    ),
    ("POST", "/segments/<int:segment_id>/archive"): Sample(
        lambda v: (saved(v), v.post(f"/segments/{newest(v)}/archive"))[1], shows=True
    ),
    ("POST", "/segments/<int:segment_id>/freeze"): Sample(
        lambda v: v.post(f"/segments/{segment(v)}/freeze"), shows=True
    ),
    ("POST", "/segments/<int:segment_id>/put"): Sample(
        lambda v: (listed(v), v.post(f"/segments/{newest(v)}/put", card=f"contact:{v.contact_id}"))[1], shows=True
    ),
    ("POST", "/segments/<int:segment_id>/take"): Sample(
        lambda v: (listed(v), v.post(f"/segments/{newest(v)}/take", card=f"contact:{v.contact_id}"))[1], shows=True
    ),
    ("GET", "/segments/lists/new"): Sample(lambda v: v.get("/segments/lists/new")),
    ("POST", "/segments/lists/look"): Sample(lambda v: v.post("/segments/lists/look", file=some_file(v))),
    ("POST", "/segments/lists"): Sample(listed, shows=True),
    ("GET", "/segments/presets"): Sample(lambda v: v.get("/segments/presets"), shows=True),
    ("POST", "/segments/presets/<key>/count"): Sample(lambda v: v.post("/segments/presets/all_clients/count")),
    ("POST", "/segments/presets/<key>/open"): Sample(lambda v: v.post("/segments/presets/all_clients/open")),
    ("POST", "/segments/presets/<key>/save"): Sample(
        lambda v: v.post("/segments/presets/all_clients/save"), shows=True
    ),
    ("POST", "/segments/presets/<key>/field"): Sample(lambda v: v.post("/segments/presets/all_clients/field")),
    ("GET", "/segments/rfm"): Sample(lambda v: v.get("/segments/rfm")),
    ("GET", "/segments/rfm/map"): Sample(lambda v: v.get("/segments/rfm/map")),
    ("GET", "/segments/rfm/segment"): Sample(
        lambda v: v.get("/segments/rfm/segment?kind=contact&group=best")
    ),
    ("POST", "/segments/rfm/preview"): Sample(lambda v: v.post("/segments/rfm/preview", **rfm_form(v))),
    ("POST", "/segments/rfm"): Sample(lambda v: v.post("/segments/rfm", **rfm_form(v, window="90"))),
}  # fmt: skip
