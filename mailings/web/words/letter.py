"""Letters in words: what is wrong with one and where, blocks and their fields, names of people's values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from core.web.words import gettext as _
from mailings.content import names
from mailings.rules.letters import Problem
from mailings.web.words import offer as offer_words

_PLACEHOLDER = re.compile(r"\{\{-?\s*([a-z_]+(?:\.[a-zA-Z_0-9]+)*)[^}]*\}\}")
_LOGIC = re.compile(r"\{%.*?%\}")
_PUT_IN = re.compile(r"\{\{.*?\}\}")

NAME_LENGTH = 7
"""What stands for a placeholder where letters are counted: most of them are first names."""


def blocks() -> dict[str, str]:
    """Kinds of blocks."""
    return {
        "heading": _("Heading"),
        "text": _("Text"),
        "image": _("Picture"),
        "button": _("Button"),
        "product": _("Product"),
        "news": _("News"),
        "review": _("Review"),
        "banner": _("Banner"),
        "divider": _("Dividing line"),
    }


def fields() -> dict[str, str]:
    """Fields of blocks, by name; those that differ by block, by block and name."""
    return {
        "text": _("Text"),
        "size": _("Size"),
        "align": _("Align"),
        "src": _("Address of the picture"),
        "alt": _("What is in the picture"),
        "href": _("Where it leads"),
        "title": _("Title of the block"),
        "price": _("Price"),
        "old_price": _("Former price"),
        "button": _("Words on the button"),
        "date": _("Date"),
        "author": _("Who says it"),
        "role": _("Position, company"),
        "tone": _("Colour"),
        "button.text": _("Words on the button"),
        "review.text": _("What they say"),
        "subject": _("Subject of the letter"),
        "preheader": _("Preview line"),
        "source": _("The letter itself"),
        "footer": _("Footer"),
        "colour": _("Colour of buttons and links"),
    }


def choices() -> dict[str, str]:
    """Values chosen from a list."""
    return {
        "large": _("large letters"),
        "small": _("small letters"),
        "left": _("on the left"),
        "center": _("in the middle"),
        "accent": _("colour of the letter"),
        "dark": _("dark"),
        "light": _("light"),
    }


def hows() -> dict[str, tuple[str, str]]:
    """What a letter can be written in, and for whom that is."""
    return {
        "blocks": (_("Blocks"), _("Put together from ready parts; looks well everywhere.")),
        "text": (_("Plain text"), _("Like a letter you type yourself.")),
        "html": (_("Own HTML"), _("Paste what a designer has made.")),
        "mjml": (_("Own MJML"), _("The language of letters that fit every screen.")),
    }


def kinds() -> dict[str, str]:
    """Kinds of cards."""
    return {"contact": _("Contact"), "company": _("Company"), "lead": _("Lead")}


def glimpse(text: str, offer: Mapping[str, Any]) -> str:
    """A subject with placeholders as one reads it: the offer's values, or what will stand there."""

    def said(found: re.Match[str]) -> str:
        path = found.group(1)
        value = offer.get(path.removeprefix("offer.")) if path.startswith("offer.") else ""
        known = path in names.PERSONAL or path in names.COMMON
        return str(value or "") or (f"‹{name(path).lower()}›" if known else "")

    return _LOGIC.sub("", _PLACEHOLDER.sub(said, text))


def length(text: str) -> int:
    """How long a line with placeholders will be, as good as one can know it."""
    return len(_PUT_IN.sub("x" * NAME_LENGTH, _LOGIC.sub("", text)))


def offer_kinds() -> dict[str, str]:
    """Types of offers."""
    return {kind.value: text for kind, text in offer_words.kinds().items()}


def name(path: str) -> str:
    """A name a letter may use, in words."""
    return _({**names.PERSONAL, **names.COMMON}[path])


def problem(each: Problem) -> str:
    """What is wrong, without where."""
    text = _codes().get(each.code) or _("This can't stay so")
    return f"{text}: {each.part}" if each.part and each.code not in _SILENT else text


def placed(problems: Iterable[Problem]) -> dict[str, str]:
    """What is wrong, by its place; what is merely not filled in yet is only listed."""
    found: dict[str, str] = {}
    for each in problems:
        if each.code != "empty":
            found.setdefault(each.path, problem(each))
    return found


def place(path: str, draft: Mapping[str, Any]) -> str:
    """A place in words: «Button: where it leads»."""
    parts = path.split(".")
    if parts[0] != "blocks":
        return fields().get(parts[0]) or _("The letter")
    if len(parts) == 1:
        return _("Blocks")
    kind = draft["blocks"][int(parts[1])]["type"]
    if len(parts) == 2:
        return blocks()[kind]
    label = fields().get(f"{kind}.{parts[2]}") or fields()[parts[2]]
    return f"{blocks()[kind]}, {label[0].lower()}{label[1:]}"


def input_of(path: str) -> str:
    """The id of the input a place is edited by."""
    start, _dot, name = path.rpartition(".")
    return f"{start}|{name}" if start else path


def sending(code: str) -> str:
    """What became of a letter that was sent to be looked over."""
    return {
        "waiting": _("Sending…"),
        "sent": _("Sent. Look into the mailbox."),
        "no_server": _("There is no mail server yet: add one in the settings of mailings."),
        "broken": _("The letter is not ready to be sent."),
        "address": _("This is no e-mail address."),
        "lost": _("The server took the letter, but did not confirm it. Look into the mailbox."),
    }.get(code) or _("The server did not take the letter: %(reason)s", reason=code)


_SILENT = {"empty", "line_break", "control", "quoted"}


def _codes() -> dict[str, str]:
    return {
        "empty": _("Fill this in"),
        "too_long": _("Too long; at most"),
        "too_many": _("Too many blocks; at most"),
        "too_many_marks": _("Too many placeholders in one letter"),
        "too_many_links": _("Too many links; at most"),
        "too_large": _("Gmail cuts letters above 102 KB off; this one has, in KB"),
        "line_break": _("This must be one line"),
        "control": _("There are invisible characters that mail servers refuse"),
        "unknown": _("There is no such thing"),
        "unknown_name": _("There is no such name"),
        "unpaired": _("A bracket of a placeholder has no pair"),
        "tag": _("This command is not for letters"),
        "quoted": _("Quoted text in a placeholder can't hold quotes or angle brackets"),
        "expression": _("This is too complicated for a letter"),
        "syntax": _("The placeholder can't be read"),
        "mark_lost": _("A placeholder stands where none may stand"),
        "address": _("This is no address of a page, like https://example.com"),
        "personal": _("An address is the same for everybody; only {{ code }} may stand in it, after ?"),
        "no_landing": _("The offer has no address of its page"),
        "image_address": _("This is no address of a picture, like https://example.com/1.jpg"),
        "image_personal": _("The address of a picture is the same for everybody"),
        "mjml": _("This is no MJML"),
        "html": _("This is no HTML"),
        "colour": _("A colour is written like #0075ff"),
    }  # fmt: skip


def picture_troubles() -> dict[str, str]:
    """Why a file can't be a letter's picture."""
    return {
        "too_large": _("It is larger than 2 MB. Save it smaller and try again."),
        "too_many_pixels": _("It has too many pixels. Save it smaller and try again."),
        "unreadable": _(
            "This is no picture that mail programs show. JPEG, PNG, GIF and WebP are taken."
        ),
        "too_many": _(
            "There are too many pictures already. Use addresses of pictures from your site."
        ),
    }
