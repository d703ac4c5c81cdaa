"""HTML of any origin made fit for a letter: what runs, loads or hides something is taken out, what mail programs need stays.

Kept: tables, inline styles, media queries, and the conditional comments that hold up tables in Outlook. Styles are
put on the elements first, because many mail programs read nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape, unescape

import css_inline
import nh3

from mailings.rules.markup import Marks


def _words(listed: str) -> set[str]:
    return set(listed.split())


_TAGS = _words(
    "a abbr b blockquote br center code col colgroup dd div dl dt em font h1 h2 h3 h4 h5 h6 hr i img li ol p pre "
    "s small span strike strong sub sup table tbody td tfoot th thead tr u ul"
)
_DROPPED_WHOLE = _words(
    "script style title head iframe object embed applet svg math form template noscript textarea select button "
    "audio video canvas xml"
)
_EVERYWHERE = _words(
    "align aria-hidden aria-label aria-roledescription bgcolor border class dir height id lang role style title "
    "valign width"
)
_OWN = {
    "a": {"href", "name", "target"},
    "img": {"src", "alt", "hspace", "vspace"},
    "table": {"cellpadding", "cellspacing", "background"},
    "td": {"colspan", "rowspan", "nowrap", "background"},
    "th": {"colspan", "rowspan", "nowrap", "scope", "background"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type"},
    "col": {"span"},
}
_PERSONAL = {"alt", "title", "aria-label"}
_PICTURES = {"src", "background"}
_PROPERTY = re.compile(r"-?[a-zA-Z][a-zA-Z-]*")
_BANNED_PROPERTIES = {"behavior", "-moz-binding", "position", "content"}
_BANNED_WORDS = re.compile(r"expression|javascript|vbscript|@|<|\\|/\*", re.IGNORECASE)
_URL = re.compile(r"url\(\s*['\"]?(.*?)['\"]?\s*\)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_CONDITIONAL = re.compile(r"\[if ([A-Za-z0-9 |&!()]{1,40})\]>(.*)<!\[endif\]", re.DOTALL)
_SCAFFOLD = re.compile(
    r"(?:\s|&nbsp;|</?(?:table|tbody|tr|td|div|p|center)"
    r"(?:\s+(?:align|valign|width|height|border|cellpadding|cellspacing|role|bgcolor|class|style)"
    r"=\"[^\"<>]*\")*\s*/?>)*"
)
_KEPT = re.compile(r"<!--kept(\d+)-->")
_ANY_COMMENT = re.compile(r"<!--(?!kept\d+-->|qzm\d+mzq-->).*?-->", re.DOTALL)
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_BODY = re.compile(r"<body\b([^>]*)>(.*)</body>", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r'\b(style|bgcolor)="([^"]*)"')
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True, base_url=None)

Addressed = Callable[[str, str], str | None]
"""For `href` or `src` and its value: what stands there instead, or None when it is left out."""


class Unreadable(Exception):
    """The HTML can't be read at all."""


@dataclass(frozen=True, slots=True)
class Page:
    """The safe parts of a document."""

    styles: str
    attributes: str
    inside: str

    def document(self, *, language: str, title: str, before: str = "", after: str = "") -> str:
        """The whole letter; `before` and `after` are ours and stand around what was written."""
        styles = f"<style>{self.styles}</style>" if self.styles else ""
        return (
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title, quote=False)}</title>{styles}</head>"
            f"<body{self.attributes}>{before}{self.inside}{after}</body></html>"
        )


def page(document: str, addressed: Addressed, *, inline: bool) -> Page:
    """What may stay of a document. Hidden marks do where a person's values may stand: in texts and `alt`.

    `inline`: its style sheet is put on the elements first; without, only its media queries count.
    """
    if _BODY.search(document) is None:
        document = f"<body>{document}</body>"
    try:
        inlined = _INLINER.inline(document) if inline else document
    except css_inline.InlineError as error:
        raise Unreadable(str(error)) from error
    styles = "".join(safe_css(css) for css in _STYLE.findall(inlined))
    body = _BODY.search(inlined)
    attributes, inside = body.groups() if body else ("", inlined)
    return Page(styles, _body_attributes(attributes), fragment(inside, addressed))


def fragment(html: str, addressed: Addressed) -> str:
    """The safe part of what stands inside a body."""
    comments: list[str] = []

    def keep(found: re.Match[str]) -> str:
        text = found.group(1)
        if Marks.among(found.group()) and re.fullmatch(r"qzm\d+mzq", text):
            return found.group()
        if not _is_scaffold(text):
            return ""
        comments.append(found.group())
        return f"<!--kept{len(comments) - 1}-->"

    def attribute(_tag: str, name: str, value: str) -> str | None:
        if name == "href" or name in _PICTURES:
            return addressed("href" if name == "href" else "src", value)
        if Marks.among(value) and name not in _PERSONAL:
            return None
        return safe_style(value) if name == "style" else value

    cleaned = nh3.clean(
        _COMMENT.sub(keep, html),
        tags=_TAGS,
        clean_content_tags=_DROPPED_WHOLE,
        attributes={"*": _EVERYWHERE, **_OWN},
        attribute_filter=attribute,
        strip_comments=False,
        link_rel=None,
        url_schemes={"http", "https", "mailto", "tel", "rubilnik-link"},
    )
    return _KEPT.sub(
        lambda found: comments[int(found.group(1))] if int(found.group(1)) < len(comments) else "",
        _ANY_COMMENT.sub("", cleaned),
    )


def safe_style(style: str) -> str | None:
    """The declarations of a `style` attribute that only make things look so."""
    kept = [each.strip() for each in _declarations(style) if _is_plain(each)]
    return "; ".join(kept) or None


def safe_css(css: str) -> str:
    """The media queries of a style sheet, with the rules that only make things look so."""
    bare = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found = []
    for query, rules in re.findall(r"@media([^{}]+)\{((?:[^{}]*\{[^{}]*\})*)\s*\}", bare):
        kept = []
        for selector, style in re.findall(r"([^{}]+)\{([^{}]*)\}", rules):
            safe = safe_style(style)
            if safe and not _BANNED_WORDS.search(selector) and not Marks.among(selector + style):
                kept.append(f"{selector.strip()}{{{safe}}}")
        if kept and not _BANNED_WORDS.search(query):
            found.append(f"@media{query.rstrip()}{{{''.join(kept)}}}")
    return "".join(found)


def _is_scaffold(comment: str) -> bool:
    """Whether it is a comment for Outlook that holds tags of tables and nothing else."""
    found = _CONDITIONAL.fullmatch(comment)
    if found is None or _SCAFFOLD.fullmatch(found.group(2)) is None:
        return False
    styles = re.findall(r'style="([^"]*)"', found.group(2))
    return all(_is_plain(each) for style in styles for each in _declarations(unescape(style)))


def _declarations(style: str) -> list[str]:
    return [each for each in re.split(r";(?![^(]*\))", style) if each.strip()]


def _is_plain(declaration: str) -> bool:
    name, colon, value = declaration.partition(":")
    plain = colon and _PROPERTY.fullmatch(name.strip()) and not _BANNED_WORDS.search(value)
    if not plain or name.strip().lower() in _BANNED_PROPERTIES:
        return False
    return all(url.lower().startswith("https://") for url in _URL.findall(value))


def _body_attributes(attributes: str) -> str:
    found = ""
    for name, value in _ATTRIBUTE.findall(attributes):
        safe = safe_style(unescape(value)) if name == "style" else value
        if safe and not Marks.among(safe):
            found += f' {name}="{escape(safe)}"'
    return found
