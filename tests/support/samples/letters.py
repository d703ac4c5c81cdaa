"""A request of every route of letters, their pictures and offers."""

from __future__ import annotations

import base64
import io
import re

from support.samples.mailings import drafted
from support.visitor import OURS, Sample


def offer(visitor):
    """The page of a new offer."""
    page = visitor.post("/offers", kind="new", name=OURS).get_data(as_text=True)
    return re.search(r'hx-post="(/offers/\d+)"', page)[1]


def letter(visitor):
    """The editor of a new draft's letter."""
    return f"{drafted(visitor)}/letter"


def trial(visitor):
    """How a letter that was sent to be looked over stands."""
    page = visitor.post(f"{letter(visitor)}/trial", address="us@example.com").get_data(as_text=True)
    return re.search(r'hx-get="([^"]*/trial/\w+)"', page)[1]


def preview(visitor):
    """The frame an editor shows its letter in."""
    return re.search(
        r'src="(/letters/[^"]*)"', visitor.get(letter(visitor)).get_data(as_text=True)
    )[1]


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)


def uploaded(visitor):
    """A picture put into a letter."""
    return visitor.post("/letters/pictures", field="source", file=(io.BytesIO(PNG), "dot.png"))


def shown_picture(visitor):
    """The same as mail programs get it, without its bytes."""
    page = uploaded(visitor).get_data(as_text=True)
    answer = visitor.world.browser.get(re.search(r'data-picture="[^"]*(/p/[^"]*)"', page)[1])
    answer.set_data(b"")
    return answer


SAMPLES = {
    ("GET", "/offers"): Sample(lambda v: (offer(v), v.get("/offers"))[1], shows=True),
    ("POST", "/offers/picked/archive"): Sample(
        lambda v: v.post("/offers/picked/archive", pick=offer(v).rpartition("/")[2])
    ),
    ("GET", "/offers/new"): Sample(lambda v: v.get("/offers/new")),
    ("POST", "/offers"): Sample(lambda v: v.post("/offers", kind="new", name=OURS), shows=True),
    ("GET", "/offers/<int:offer_id>"): Sample(lambda v: v.get(offer(v)), shows=True),
    ("POST", "/offers/<int:offer_id>"): Sample(
        lambda v: v.post(offer(v), kind="new", name=OURS, version="1", what="Кофе"), shows=True
    ),
    ("POST", "/offers/<int:offer_id>/archive"): Sample(lambda v: v.post(f"{offer(v)}/archive")),
    ("POST", "/offers/<int:offer_id>/codes"): Sample(lambda v: v.post(f"{offer(v)}/codes", codes="AAA-1")),
    ("POST", "/offers/<int:offer_id>/codes/clear"): Sample(lambda v: v.post(f"{offer(v)}/codes/clear")),
    ("GET", "/mailings/<int:mailing_id>/letter"): Sample(lambda v: v.get(letter(v)), shows=True),
    ("POST", "/mailings/<int:mailing_id>/letter"): Sample(
        lambda v: v.post(letter(v), draft="{}", version="1", subject="Тема", how="blocks"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/ready"): Sample(lambda v: v.get(f"{letter(v)}/ready")),
    ("POST", "/mailings/<int:mailing_id>/letter/ready"): Sample(
        lambda v: v.post(f"{letter(v)}/ready", ready="new.1", version="1"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/people"): Sample(
        lambda v: v.get(f"{letter(v)}/people?search={v.contact_id}"), shows=True
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/check"): Sample(lambda v: v.get(f"{letter(v)}/check")),
    ("POST", "/mailings/<int:mailing_id>/letter/trial"): Sample(
        lambda v: v.post(f"{letter(v)}/trial", address="us@example.com")
    ),
    ("GET", "/mailings/<int:mailing_id>/letter/trial/<trial>"): Sample(lambda v: v.get(trial(v))),
    ("GET", "/letters/preview/<ticket>"): Sample(lambda v: v.get(preview(v))),
    ("POST", "/letters/pictures"): Sample(uploaded),
    ("GET", "/p/<int:portal_id>/<name>"): Sample(shown_picture),
}  # fmt: skip
