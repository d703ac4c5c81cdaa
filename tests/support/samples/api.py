"""A request of every route of the API, and of the page where its tokens are made."""

from __future__ import annotations

from support.samples.segments import newest, segment
from support.visitor import OURS, Sample

from integration import api_tokens

EVERYBODY = {"version": 1, "clients": {"where": {"all": []}}}


def asked(method, path, body=None, **how):
    """A request of a program; «{}» in its address is the portal's first segment."""

    def ask(visitor):
        return visitor.program().ask(method, path.format(segment(visitor)), body)

    return Sample(ask, **how)


def revoked(visitor):
    """A new token, revoked at once."""
    visitor.made_token()
    with visitor.world.runtime.sessions() as database:
        (told,), _gone = api_tokens.listed(database, visitor.world.portal_id)
    return visitor.post("/settings/api/revoke", token=str(told.token.id))


def changed(visitor):
    """A segment a program has made, under another name."""
    program = visitor.program()
    made = program.ask("POST", "/segments", {"name": "1", "definition": EVERYBODY}).get_json()
    body = {"name": OURS, "version": made["version"]}
    return program.ask("PATCH", f"/segments/{made['id']}", body)


def put_away(visitor):
    program = visitor.program()
    program.ask("POST", "/segments", {"name": OURS, "definition": EVERYBODY})
    return program.ask("DELETE", f"/segments/{newest(visitor)}")


SAMPLES = {
    ("GET", "/settings/api"): Sample(lambda v: v.get("/settings/api")),
    ("POST", "/settings/api"): Sample(lambda v: v.post("/settings/api", name=OURS), shows=True),
    ("POST", "/settings/api/revoke"): Sample(revoked, shows=True),
    ("GET", "/api/v1/segments"): asked("GET", "/segments", shows=True),
    ("GET", "/api/v1/segments/<int:segment_id>"): asked("GET", "/segments/{}", shows=True),
    ("GET", "/api/v1/segments/<int:segment_id>/members"): asked(
        "GET", "/segments/{}/members", shows=True
    ),
    ("GET", "/api/v1/presets"): asked("GET", "/presets"),
    ("GET", "/api/v1/fields"): asked("GET", "/fields"),
    ("POST", "/api/v1/count"): asked("POST", "/count", {"definition": EVERYBODY}),
    ("POST", "/api/v1/segments"): asked(
        "POST", "/segments", {"name": OURS, "definition": EVERYBODY}, shows=True, status=201
    ),
    ("PATCH", "/api/v1/segments/<int:segment_id>"): Sample(changed, shows=True),
    ("DELETE", "/api/v1/segments/<int:segment_id>"): Sample(put_away, status=204),
}
