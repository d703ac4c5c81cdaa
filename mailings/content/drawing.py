"""A file somebody took for a picture → a picture fit for a letter: really decoded, upright, no wider than is shown.

It is written anew, so nothing hidden in the file travels on: no place where a photo was taken, no foreign content.
A GIF that moves is kept as it is once each of its frames has been read.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 2 * 1024 * 1024
WIDEST = 1200
"""Twice the width of a letter: sharp on dense screens."""
KINDS = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
_READ = ("PNG", "JPEG", "GIF", "WEBP")
_TALLEST = 6000
_PIXELS, _FRAMES, _PIXELS_OF_FRAMES = 40_000_000, 300, 100_000_000
_QUALITY = 85
_BROKEN = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class NotAPicture(ValueError):
    """The file can't be shown in a letter; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture that can be served: `kind` is the end of its address."""

    kind: str
    content: bytes
    width: int
    height: int


def drawn(raw: bytes) -> Drawn:
    """The picture of this file. Raises NotAPicture."""
    if len(raw) > MAX_BYTES:
        raise NotAPicture("too_large")
    try:
        with Image.open(io.BytesIO(raw), formats=_READ) as image:
            if image.width * image.height > _PIXELS:
                raise NotAPicture("too_many_pixels")
            moving = image.format == "GIF" and getattr(image, "is_animated", False)
            return _moving(image, raw) if moving else _still(image)
    except _BROKEN as error:
        if isinstance(error, NotAPicture):
            raise
        raise NotAPicture("unreadable") from error


def _moving(image: Image.Image, raw: bytes) -> Drawn:
    frames = int(getattr(image, "n_frames", 1))
    if frames > _FRAMES or frames * image.width * image.height > _PIXELS_OF_FRAMES:
        raise NotAPicture("too_many_pixels")
    for number in range(frames):
        image.seek(number)
        image.load()
    return Drawn("gif", raw, image.width, image.height)


def _still(image: Image.Image) -> Drawn:
    photo = image.format == "JPEG"
    image.load()
    upright = ImageOps.exif_transpose(image)
    clear = upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info
    if image.format == "WEBP" and not clear:
        photo = True
    picture = upright.convert("RGBA" if clear and not photo else "RGB")
    picture.thumbnail((WIDEST, _TALLEST), Image.Resampling.LANCZOS)
    picture.info = {}
    file = io.BytesIO()
    if photo:
        picture.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    else:
        picture.save(file, "PNG", optimize=True)
    return Drawn("jpg" if photo else "png", file.getvalue(), picture.width, picture.height)
