"""What an application laid out for a timeline, as lines of text and tags."""

from __future__ import annotations

from typing import Any

from demo.portal.values import is_yes

_ICONS = (("mail", "mail"), ("message", "mail"), ("call", "call"), ("task", "task"))


def shown(layout: dict[str, Any], language: str) -> dict[str, Any]:
    """Title, tags, lines and an icon of a configurable activity."""
    header, body = layout["header"], layout["body"]
    blocks = _values(body.get("blocks"))
    lines = [line for block in blocks if (line := _line(block, language))]
    code = f"{layout['icon']['code']} {body['logo']['code']}"
    return {
        "icon": next((icon for word, icon in _ICONS if word in code), "app"),
        "kind": _text(header["title"], language),
        "tags": [
            {"text": _text(tag["title"], language), "type": tag["type"]}
            for tag in _values(header.get("tags"))
        ],
        "title": lines[0]["text"] if lines else "",
        "lines": lines[1:],
    }


def _line(block: dict[str, Any], language: str) -> dict[str, Any]:
    kind, given = block["type"], block.get("properties") or {}
    if kind in ("text", "largeText"):
        return {"text": _text(given.get("value"), language), "bold": is_yes(given.get("bold"))}
    if kind == "link":
        action = given.get("action") or {}
        where = action.get("uri") if action.get("type") == "redirect" else None
        return {"text": _text(given.get("text"), language), "href": where}
    if kind == "withTitle":
        inner = _line(given.get("block") or {"type": ""}, language)
        return {**inner, "name": _text(given.get("title"), language)} if inner else {}
    if kind == "lineOfBlocks":
        parts = [_line(each, language).get("text", "") for each in _values(given.get("blocks"))]
        return {"text": " ".join(filter(None, parts))}
    return {}


def _text(value: Any, language: str) -> str:
    if isinstance(value, dict):  # a text with translations
        return str(value.get(language) or next(iter(value.values()), ""))
    return "" if value is None else str(value)


def _values(parts: Any) -> list[dict[str, Any]]:
    return list(parts.values()) if isinstance(parts, dict) else list(parts or ())
