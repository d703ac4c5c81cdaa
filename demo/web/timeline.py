"""The right column of a card: what is planned, and what happened, newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from demo.portal.schema import ENTITIES
from demo.web import layouts_shown, present, stages

if TYPE_CHECKING:
    from demo.portal.api import Context
    from demo.portal.state import Portal

SHOWN = 40
SHOWN_DEALS = 12
_LONGEST = 2000
_KINDS = {
    1: ("meeting", "Встреча"),
    2: ("call", "Звонок"),
    3: ("task", "Задача"),
    4: ("mail", "Письмо"),
}
_DIRECTED = {
    (2, 1): "Входящий звонок",
    (2, 2): "Исходящий звонок",
    (4, 1): "Входящее письмо",
    (4, 2): "Исходящее письмо",
}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Entry = dict[str, Any]


def entries(ctx: Context, entity: str, row: dict[str, Any]) -> dict[str, list[Entry]]:
    """Planned and past entries of one item."""
    portal = ctx.portal
    acts = [_activity(portal, one) for one in _of(portal, "activity", "OWNER_TYPE_ID", entity, row)]
    past = [one for one in acts if not one["planned"]]
    if ENTITIES[entity].stage_field:
        past += _moves(portal, entity, row)
    else:
        past += _deals(portal, entity, row)
    past.append(_created(portal, entity, row))
    past.sort(key=lambda one: one["at"], reverse=True)
    planned = sorted((one for one in acts if one["planned"]), key=lambda one: one["at"])
    return {
        "planned": [_shown(portal, e) for e in planned[:5]],
        "past": _days(portal, past[:SHOWN]),
    }


def _of(
    portal: Portal, table_name: str, type_column: str, entity: str, row: dict[str, Any]
) -> list[dict[str, Any]]:
    table = portal.store.tables[table_name]
    rows = (table.get(one) for one in table.lookup("OWNER_ID", row["ID"])[-500:])
    wanted = ENTITIES[entity].type_id
    return [one for one in rows if one and one[type_column] == wanted]


def _activity(portal: Portal, row: dict[str, Any]) -> Entry:
    type_id, direction = row.get("TYPE_ID") or 0, row.get("DIRECTION") or 0
    icon, kind = _KINDS.get(type_id, ("note", "Дело"))
    if row.get("PROVIDER_ID") == "CRM_TODO":
        icon, kind = "task", "Дело"
    planned = row.get("COMPLETED") == "N"
    at = row.get("DEADLINE") if planned else row.get("START_TIME") or row.get("CREATED")
    if row.get("PROVIDER_ID") == "CRM_TODO" and not planned:
        at = row.get("LAST_UPDATED")
    own = layouts_shown.shown(row["LAYOUT"], portal.language) if row.get("LAYOUT") else {}
    return {
        "id": row["ID"],
        "todo": row.get("PROVIDER_ID") == "CRM_TODO",
        "icon": icon,
        "kind": _DIRECTED.get((type_id, direction), kind),
        "title": row.get("SUBJECT") or kind,
        "text": str(row.get("DESCRIPTION") or "")[:_LONGEST],
        "author": present.user_name(portal, row.get("RESPONSIBLE_ID")),
        "planned": planned,
        "at": at or row.get("CREATED") or _LONG_AGO,
        **own,
    }


def _moves(portal: Portal, entity: str, row: dict[str, Any]) -> list[Entry]:
    history = _of(portal, "stagehistory", "ENTITY_TYPE_ID", entity, row)
    history.sort(key=lambda one: (one["CREATED_TIME"], one["ID"]))
    names = [_stage_name(portal, entity, one) for one in history]
    return [
        {
            "icon": "stage",
            "kind": "Стадия изменена",
            "title": f"{before} → {after}",
            "at": one["CREATED_TIME"],
            "author": "",
        }
        for before, after, one in zip(names, names[1:], history[1:], strict=False)
        if before != after
    ]


def _stage_name(portal: Portal, entity: str, row: dict[str, Any]) -> str:
    statuses = portal.store.statuses(stages.dictionary_of(entity, row))
    code = str(row.get("STAGE_ID"))
    return str(statuses[code]["NAME"]) if code in statuses else code


def _deals(portal: Portal, entity: str, row: dict[str, Any]) -> list[Entry]:
    table = portal.store.tables["deal"]
    column = "CONTACT_IDS" if entity == "contact" else "COMPANY_ID"
    rows = (table.get(one) for one in table.lookup(column, row["ID"])[-SHOWN_DEALS:])
    return [
        {
            "icon": "deal",
            "kind": "Создана сделка",
            "title": present.item_title("deal", deal),
            "href": present.card_path("deal", deal["ID"]),
            "text": present.money(deal.get("OPPORTUNITY") or 0, deal.get("CURRENCY_ID")),
            "mark": stages.mark(portal, "deal", deal),
            "author": present.user_name(portal, deal.get("ASSIGNED_BY_ID")),
            "at": deal.get("DATE_CREATE") or _LONG_AGO,
        }
        for deal in rows
        if deal
    ]


def _created(portal: Portal, entity: str, row: dict[str, Any]) -> Entry:
    words = {
        "contact": "Создан контакт",
        "company": "Создана компания",
        "deal": "Создана сделка",
        "lead": "Создан лид",
    }
    source = ENTITIES[entity].fields.get("SOURCE_ID")
    via = present.text(portal, source, row.get("SOURCE_ID"), row) if source else ""
    return {
        "icon": ENTITIES[entity].name if entity in ("deal", "lead", "company") else "person",
        "kind": words[entity],
        "title": present.item_title(entity, row),
        "text": f"Источник: {via}" if via else "",
        "author": present.user_name(portal, row.get("CREATED_BY_ID")),
        "at": row.get("DATE_CREATE") or _LONG_AGO,
    }


def _days(portal: Portal, past: list[Entry]) -> list[Entry]:
    """Entries as shown, each with the day it opens."""
    shown, last = [], ""
    for entry in past:
        day = _day_name(portal, entry["at"])
        shown.append({**_shown(portal, entry), "day": day if day != last else ""})
        last = day
    return shown


def _day_name(portal: Portal, at: datetime) -> str:
    day = at.astimezone(portal.time_zone).date()
    ago = (portal.now().astimezone(portal.time_zone).date() - day).days
    return {0: "Сегодня", 1: "Вчера"}.get(ago, present.day(day))


def _shown(portal: Portal, entry: Entry) -> Entry:
    local = entry["at"].astimezone(portal.time_zone)
    late = bool(entry.get("planned")) and entry["at"] < portal.now()
    due = present.moment(entry["at"], portal) if entry.get("planned") else f"{local:%H:%M}"
    return {**entry, "at": entry["at"].isoformat(), "time": due, "late": late}
