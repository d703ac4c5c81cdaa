"""The stages of deals and leads as people see them: the bar of a card, the mark in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.portal.state import Portal

DEFAULT_COLOUR = "#5ba6e9"


def dictionary_of(entity: str, row: dict[str, Any]) -> str:
    """The dictionary an item's stages live in."""
    if entity == "lead":
        return "STATUS"
    category = row.get("CATEGORY_ID") or 0
    return f"DEAL_STAGE_{category}" if category else "DEAL_STAGE"


def stage_row(portal: Portal, entity: str, row: dict[str, Any]) -> dict[str, Any] | None:
    """The dictionary row of the stage an item is in."""
    code = row.get("STATUS_ID" if entity == "lead" else "STAGE_ID")
    return portal.store.statuses(dictionary_of(entity, row)).get(str(code))


def colour(stage: dict[str, Any] | None) -> str:
    """A stage's colour as #rrggbb."""
    value = str((stage or {}).get("COLOR") or DEFAULT_COLOUR)
    return value if value.startswith("#") else f"#{value}"


def bar(portal: Portal, entity: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The chevrons of a card: work stages, then where the item ended or may end."""
    rows = portal.store.statuses(dictionary_of(entity, row))
    current = stage_row(portal, entity, row)
    here = list(rows.values()).index(current) if current else -1
    return [
        {
            "id": code,
            "title": stage["NAME"],
            "color": colour(stage),
            "end": stage.get("SEMANTICS") or "",
            "state": "current" if at == here else "done" if at < here else "next",
        }
        for at, (code, stage) in enumerate(rows.items())
    ]


def mark(portal: Portal, entity: str, row: dict[str, Any]) -> dict[str, Any]:
    """A stage in a list: its name, colour and how far along it is, in tenths."""
    rows = portal.store.statuses(dictionary_of(entity, row))
    stage = stage_row(portal, entity, row)
    if stage is None:
        return {"text": ""}
    work = [one for one in rows.values() if not one.get("SEMANTICS")]
    done = len(work) if stage.get("SEMANTICS") else work.index(stage)
    share = 10 if stage.get("SEMANTICS") else round(10 * (done + 1) / (len(work) + 1))
    return {"text": stage["NAME"], "stage": colour(stage), "share": share}
