"""Pictures of letters: what is taken and what it becomes, and how mail programs get it."""

from __future__ import annotations

import io
import re

import pytest
import sqlalchemy as sa
from PIL import Image
from support.mail_pages import MailPages
from support.world import read

from integration.models import Portal
from mailings.content import pictures
from mailings.content.drawing import MAX_BYTES, NotAPicture, drawn
from mailings.media import Picture
from mailings.web.letters import picture_views

PLACE = b"Secret place 55.75 37.61"


def file_of(kind, size=(60, 40), mode="RGB", **how):
    file = io.BytesIO()
    Image.new(mode, size, (200, 30, 40, 128)[: len(mode)]).save(file, kind, **how)
    return file.getvalue()


def opened(content):
    return Image.open(io.BytesIO(content))


def moving(frames=3, size=(20, 20)):
    images = [Image.new("RGB", size, (n % 256, n // 256 * 90, 7)) for n in range(frames)]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=50)
    return file.getvalue()


def test_a_photo_is_turned_upright_and_made_smaller_and_tells_no_place():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, PLACE.decode()
    raw = file_of("JPEG", (2400, 1000), exif=exif)
    assert PLACE in raw
    made = drawn(raw)
    assert (made.kind, made.width, made.height) == ("jpg", 1000, 2400)
    wide = drawn(file_of("JPEG", (3000, 1500)))
    assert (wide.width, wide.height) == (1200, 600)
    assert PLACE not in made.content
    assert opened(made.content).format == "JPEG"
    assert not opened(made.content).getexif()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (file_of("PNG", mode="RGBA"), "png"),
        (file_of("PNG"), "png"),
        (file_of("GIF"), "png"),
        (file_of("WEBP"), "jpg"),
        (file_of("WEBP", mode="RGBA"), "png"),
        (file_of("JPEG", mode="CMYK"), "jpg"),
        (moving(), "gif"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_mail_programs_show_is_made_of_it(raw, kind):
    made = drawn(raw)
    assert made.kind == kind
    assert opened(made.content).size == (made.width, made.height)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "unreadable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "unreadable"),
        (b"<html><script>alert(1)</script>", "unreadable"),
        (b"GIF89a" + b"<script>alert(1)</script>", "unreadable"),
        (file_of("JPEG")[:200], "unreadable"),
        (file_of("PNG")[:40], "unreadable"),
        (file_of("BMP"), "unreadable"),
        (file_of("PNG", (9000, 9000), "1"), "too_many_pixels"),
        (moving(301), "too_many_pixels"),
        (b"\xff\xd8" + b"x" * MAX_BYTES, "too_large"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_anything_else_is_refused_with_the_reason(raw, code):
    with pytest.raises(NotAPicture) as refused:
        drawn(raw)
    assert refused.value.code == code


def test_what_follows_a_picture_in_its_file_is_left_behind():
    made = drawn(file_of("PNG") + b"<script>alert(1)</script>")
    assert b"script" not in made.content


def test_the_same_picture_is_kept_once_and_goes_with_its_portal(session, monkeypatch):
    portals = [
        Portal(
            member_id=f"{n:032x}", domain=f"{n}.test", client_id=f"l{n}", client_secret_sealed="x"
        )
        for n in (901, 902)
    ]
    session.add_all(portals)
    session.flush()
    ours, theirs = (pictures.keep(session, portal.id, file_of("PNG")) for portal in portals)
    assert pictures.keep(session, portals[0].id, file_of("PNG")).name == ours.name
    assert theirs.name != ours.name
    name = f"{ours.name}.png"
    assert pictures.served(session, portals[0].id, name)[1] == "image/png"
    for portal_id, asked in (
        (portals[1].id, name), (portals[0].id, f"{ours.name}.jpg"), (portals[0].id, "../x.png"),
        (2**40, name),
    ):  # fmt: skip
        assert pictures.served(session, portal_id, asked) is None
    monkeypatch.setattr(pictures, "MOST", 1)
    with pytest.raises(NotAPicture):
        pictures.keep(session, portals[0].id, file_of("PNG", (5, 5)))
    session.delete(portals[0])
    session.flush()
    assert session.scalars(sa.select(Picture.portal_id)).all() == [portals[1].id]


def test_a_picture_is_uploaded_in_the_editor_and_got_by_everybody(world, monkeypatch):
    pages = MailPages(world.reach(read))
    number = pages.drafted()
    raw = file_of("JPEG", (1600, 800))
    sent = {"field": "blocks.0|src", "file": (io.BytesIO(raw), "photo.jpg")}
    pages.post("/letters/pictures", **sent)
    url = re.search(r'data-picture="([^"]+)"', pages.page)[1]
    assert url.startswith(f"{world.runtime.settings.public_url}/p/{world.portal_id}/")

    path = url.removeprefix(world.runtime.settings.public_url)
    got = world.browser.get(path)
    assert (got.status_code, got.content_type) == (200, "image/jpeg")
    assert got.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert opened(got.data).size == (1200, 600)
    again = world.browser.get(path, headers={"If-None-Match": got.headers["ETag"]})
    assert again.status_code == 304
    assert world.browser.get(path.replace(".jpg", ".png")).status_code == 404

    block = {"type": "image", "src": url.replace("http://", "https://"), "alt": "Два дома"}
    pages.write_letter(number, blocks=[block])
    ticket = re.search(
        r'src="(/letters/preview/[^"]+)"', pages.get(f"/mailings/{number}/letter") and pages.page
    )
    shown = world.browser.get(ticket[1])
    assert path in shown.get_data(as_text=True)
    assert world.runtime.settings.public_url in shown.headers["Content-Security-Policy"]

    pages.post("/letters/pictures", field="x", file=(io.BytesIO(b"<svg/>"), "x.png"))
    assert (pages.status, "Почтовые программы такую картинку не покажут" in pages.page) == (
        422,
        True,
    )
    pages.post("/letters/pictures", field="x")
    assert pages.status == 422
    monkeypatch.setattr(picture_views, "MAX_BYTES", -picture_views._ENVELOPE)
    pages.post("/letters/pictures", **{**sent, "file": (io.BytesIO(raw), "photo.jpg")})
    assert pages.status == 413
