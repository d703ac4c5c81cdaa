"""A mailing's letter made ready to be sent: safe HTML, a text part, numbered links.

`compiled` is stored with the mailing at launch, so what is edited later changes nothing that is under way. In its
HTML and text a link is `rubilnik-link:3;`: `content.rendering` puts each recipient's own address there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any

from mjml import mjml2html
from sqlalchemy.orm import Session

from mailings.content import names
from mailings.content.rendering import LINK
from mailings.models import Mailing
from mailings.models import Offer as OfferRow
from mailings.rules import designing, letters, links, markup, plain_text, sanitising, templating
from mailings.rules.letters import BadLetter, Content, How, Problem
from mailings.rules.markup import Marks
from mailings.rules.offers import Offer

__all__ = ["BadLetter", "compiled", "make"]

MAX_BYTES = 102 * 1024
"""Gmail cuts longer letters off."""

UNSUBSCRIBE_LINK = 0
_MAX_LINKS = 200
_WAY_OUT = re.compile(r"\]\(\s*\{\{-?\s*unsubscribe\s*-?\}\}\s*\)")
_ANCHOR = re.compile(r'<a\b[^>]*href="rubilnik-link:(\d+);"[^>]*>(.*?)</a>', re.DOTALL)
_HIDDEN_LINE = '<div style="display:none;max-height:0;overflow:hidden">%s</div>'
_FOOTER = (
    '<div style="padding:16px 24px;font:12px/18px Arial,sans-serif;color:#667085;'
    'text-align:center">%s</div>'
)
_FOOTERS = {
    "ru": "Не хотите получать такие письма? [Отписаться]({{ unsubscribe }})",
    "en": "Don't want such letters? [Unsubscribe]({{ unsubscribe }})",
}


@dataclass(slots=True)
class _Making:
    """A letter on its way: marks taken out, links found, what is wrong."""

    marks: Marks
    offer: Offer
    utm: dict[str, str]
    urls: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    unsubscribes: bool = False
    problems: list[Problem] = field(default_factory=list)

    def linked(self, address: str) -> str:
        """What stands in `href` instead of this address."""
        self.addresses.append(address)
        url = self.marks.show(address).strip()
        if links.is_mark(url, links.UNSUBSCRIBE):
            self.unsubscribes = True
            return f"rubilnik-link:{UNSUBSCRIBE_LINK};"
        if links.is_mark(url, links.LANDING):
            url = self.offer.url
            if not url:
                self._wrong("no_landing", address)
                return "#"
        if code := links.trouble(url):
            self._wrong(code, url)
            return "#"
        if not links.followed(url):
            return url
        self.urls.append(links.with_utm(url, self.utm))
        if len(self.urls) > _MAX_LINKS:
            self._wrong("too_many_links", str(_MAX_LINKS))
        return f"rubilnik-link:{len(self.urls)};"

    def addressed(self, what: str, value: str) -> str | None:
        """For the sanitiser: `href` of elements that have not been numbered yet, and pictures."""
        if what == "href":
            numbered = LINK.fullmatch(value)
            ours = numbered is not None and int(numbered.group(1)) <= len(self.urls)
            return value if ours else self.linked(value)
        url = self.marks.show(value).strip()
        if code := links.image_trouble(url):
            self._wrong("image_" + code, url)
            return None
        return url

    def _wrong(self, code: str, part: str) -> None:
        problem = Problem("links", code, part[:200])
        if problem not in self.problems:
            self.problems.append(problem)


def compiled(session: Session, mailing: Mailing, *, lenient: bool = False) -> dict[str, Any]:
    """The mailing's letter as it will be sent. Raises BadLetter."""
    row = None
    if mailing.offer_id is not None:
        row = session.get(OfferRow, (mailing.portal_id, mailing.offer_id))
    offer = Offer.read(row.content) if row else Offer()
    known = names.known(session, mailing.portal_id)
    content = Content.read(mailing.content)
    return make(content, offer, mailing.id or 0, known, lenient=lenient)


def make(
    content: Content, offer: Offer, mailing_id: int, known: names.Known, *, lenient: bool = False
) -> dict[str, Any]:
    """The same of a letter that belongs to no stored mailing yet. Raises BadLetter.

    `lenient`: for a look at what is not finished; only what can't be read at all is refused.
    """
    content = content.with_values(_plain_texts(offer, names.language(content)))
    problems = _of_templates(content, known)
    if not lenient:
        problems = [*content.unfinished(), *problems]
    if problems:
        raise BadLetter(problems)
    language = names.language(content)
    making = _Making(Marks(), offer, names.utm(offer, mailing_id))
    html = _html(content, making, language)
    if problems := [] if lenient else [*making.problems, *_lost(making, html)]:
        raise BadLetter(problems)
    text = making.marks.show(plain_text.text(html))
    html = making.marks.show(html)
    size = len(html.encode())
    if size > MAX_BYTES and not lenient:
        raise BadLetter([Problem("size", "too_large", str(size // 1024))])
    return {
        "subject": content.subject,
        "preheader": content.preheader,
        "html": html,
        "text": text,
        "language": language,
        "size": size,
        "links": _links(making, html),
        "offer": names.of_offer(offer, language),
    }


def _lost(making: _Making, html: str) -> list[Problem]:
    """Placeholders that stood where none may stand, unless something worse is to be said."""
    if making.problems:
        return []
    lost = making.marks.missing("\n".join((html, *making.addresses)))
    return [Problem("source", "mark_lost", mark) for mark in lost]


def _plain_texts(offer: Offer, language: str) -> dict[str, str]:
    """Values of the offer that stand by themselves: the same for everybody, so they are put in at once."""
    found = names.of_offer(offer, language)
    return {f"offer.{name}": str(value) for name, value in found.items()}


def _of_templates(content: Content, known: names.Known) -> list[Problem]:
    texts = {"subject": content.subject, "preheader": content.preheader, "footer": content.footer}
    if content.how is How.BLOCKS:
        for number, block in enumerate(content.blocks):
            for each in letters.BLOCKS[block["type"]]:
                texts[f"blocks.{number}.{each.name}"] = block.get(each.name, "")
    else:
        texts["source"] = content.source
    found = [
        Problem(path, each.code, each.part)
        for path, text in texts.items()
        for each in templating.troubles(text, known)
    ]
    whole = templating.troubles("\n".join(texts.values()), known) if not found else ()
    return found or [Problem("source", each.code, each.part) for each in whole]


def _html(content: Content, making: _Making, language: str) -> str:
    if content.how in {How.BLOCKS, How.TEXT}:
        return _designed(content, making, language)
    hide = making.marks.hide
    source = hide(content.source, in_html=True)
    document = _from_mjml(source) if content.how is How.MJML else source
    page = _safe(document, making, inline=True)
    before = (
        _HIDDEN_LINE % escape(hide(content.preheader), quote=False) if content.preheader else ""
    )
    after = ""
    if content.footer or not making.unsubscribes:
        after = _FOOTER % markup.html(hide(_footer(content, language)), making.linked)
    title = hide(content.subject)
    return page.document(language=language, title=title, before=before, after=after)


def _designed(content: Content, making: _Making, language: str) -> str:
    hide = making.marks.hide
    blocks = [dict(each) for each in content.blocks]
    if content.how is How.TEXT:
        blocks = [{"type": "text", "text": content.source}]
    hidden = [{name: hide(value) for name, value in each.items()} for each in blocks]
    designer = designing.Designer(making.linked, content.colour, language)
    footer = hide(_footer(content, language))
    document = _from_mjml(designer.document(hide(content.preheader), hidden, footer))
    page = _safe(document, making, inline=False)
    return page.document(language=language, title=hide(content.subject))


def _footer(content: Content, language: str) -> str:
    """The footer's text; a letter without a way out is never made."""
    footer = content.footer.strip()
    if _WAY_OUT.search(footer):
        return footer
    return "\n\n".join(filter(None, (footer, _FOOTERS[language])))


def _safe(document: str, making: _Making, *, inline: bool) -> sanitising.Page:
    try:
        return sanitising.page(document, making.addressed, inline=inline)
    except sanitising.Unreadable as error:
        raise BadLetter([Problem("source", "html", str(error)[:200])]) from error


def _from_mjml(source: str) -> str:
    try:
        return mjml2html(source)
    except ValueError as error:
        raise BadLetter([Problem("source", "mjml", str(error)[:200])]) from error


def _links(making: _Making, html: str) -> list[dict[str, Any]]:
    """Number, address and words of each link, the way out apart."""
    words = {
        int(number): " ".join(re.sub(r"<[^>]+>", " ", inside).split())[:200]
        for number, inside in _ANCHOR.findall(html)
    }
    return [
        {"number": number, "url": url, "text": unescape(words.get(number, "")) or None}
        for number, url in enumerate(making.urls, 1)
    ]
