"""A request of every route opened from the cards and lists of the portal."""

from __future__ import annotations

from uuid import uuid4

from support.samples.segments import listed, newest
from support.visitor import Sample


def emptied(visitor):
    """A list the visitor's card was taken out of."""
    return visitor.post("/card/lists/take", segment=str(hand_list(visitor)))


def hand_list(visitor):
    """The list made last."""
    listed(visitor)
    return newest(visitor)


SAMPLES = {
    ("GET", "/home/mine"): Sample(lambda v: v.get("/home/mine"), shows=True),
    ("GET", "/clients"): Sample(lambda v: v.get("/clients")),
    ("GET", "/clients/file"): Sample(lambda v: v.get("/clients/file")),
    ("GET", "/home/more"): Sample(lambda v: v.get("/home/more?list=silent")),
    ("GET", "/glossary"): Sample(lambda v: v.get("/glossary")),
    ("GET", "/card/mailings"): Sample(lambda v: v.get("/card/mailings"), shows=True),
    ("GET", "/card/profile"): Sample(lambda v: v.get("/card/profile")),
    ("POST", "/card/todo"): Sample(lambda v: v.post("/card/todo")),
    ("POST", "/card/mailings/stop"): Sample(lambda v: v.post("/card/mailings/stop")),
    ("POST", "/card/mailings/allow"): Sample(lambda v: v.post("/card/mailings/allow")),
    ("GET", "/card/lists"): Sample(lambda v: (emptied(v), v.get("/card/lists"))[1], shows=True),
    ("POST", "/card/lists/put"): Sample(
        lambda v: v.post("/card/lists/put", segment=str(hand_list(v))), shows=True
    ),
    ("POST", "/card/lists/take"): Sample(
        lambda v: v.post("/card/lists/take", segment=str(hand_list(v))), shows=True
    ),
    ("POST", "/send/chosen"): Sample(
        lambda v: v.post("/send/chosen", cards=f"contact:{v.contact_id}"), shows=True
    ),
    ("GET", "/send/lists"): Sample(lambda v: (hand_list(v), v.get("/send/lists"))[1], shows=True),
    ("POST", "/send/list"): Sample(
        lambda v: v.post("/send/list", card=f"contact:{v.contact_id}", segment=str(hand_list(v))),
        shows=True,
    ),
    ("POST", "/send/list/undo"): Sample(
        lambda v: v.post(
            "/send/list/undo", card=f"contact:{v.contact_id}", entered=f"contact:{v.contact_id}",
            segment=str(hand_list(v)),
        ),
        shows=True,
    ),
    ("POST", "/send/mailing"): Sample(
        lambda v: v.post("/send/mailing", card=f"contact:{v.contact_id}", key=uuid4().hex)
    ),
    ("POST", "/placement/<code>"): Sample(lambda v: v.placement(), shows=True),
    ("GET", "/card"): Sample(lambda v: v.get("/card"), shows=True),
    ("GET", "/card/deals"): Sample(lambda v: v.get("/card/deals?show=all"), shows=True),
}  # fmt: skip
