"""Lists of items: newest first, page by page below an id, narrowed by words anywhere in the name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from demo.portal.schema import ENTITIES, Field
from demo.web import present, stages, widgets
from demo.web.acting import visible
from demo.web.layout import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from demo.portal.api import Context
    from demo.portal.state import Portal
    from demo.portal.store import Row, Table

PAGE = 30
SCANNED_AT_MOST = 300_000
CALCULATED_COLUMNS = 2
RELATED_AT_MOST = 100
_NOT_DIGITS = re.compile(r"\D+")
_NAMES = {
    "contact": ("LAST_NAME", "NAME", "SECOND_NAME"),
    "company": ("TITLE",),
    "deal": ("TITLE",),
    "lead": ("TITLE", "LAST_NAME", "NAME", "COMPANY_TITLE"),
    "user": ("LAST_NAME", "NAME", "EMAIL"),
}


class Search:
    """Finds rows by words; the searched text of a row is kept for as long as the row is the same."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[int, tuple[Row, str]]] = {}

    def ids(self, table: Table, query: str, before: int | None = None) -> Iterator[int]:
        """Ids below `before` of rows with all the words, newest first; at most a scan's worth."""
        words = query.lower().split()
        digits = _NOT_DIGITS.sub("", query)
        if len(digits) >= 4 and not re.search(r"[^\W\d_]", query):
            words = [digits[-10:]]  # however the country code is written
        texts = self._texts.setdefault(table.name, {})
        ids, rows, read = table.ids(), table.rows(), reader(table)
        _, stop = table.span(None, before)
        for at in range(stop - 1, max(-1, stop - 1 - SCANNED_AT_MOST), -1):
            row_id, row = ids[at], rows[at]
            if words:
                known = texts.get(row_id)
                if known is None or known[0] is not row:
                    known = texts[row_id] = (row, f"#{row_id}\n{read(row)}")
                if not all(word in known[1] for word in words):
                    continue
            yield row_id


def reader(table: Table) -> Callable[[Row], str]:
    """Reads everything an item can be found by, in lower case: names, phones, addresses."""
    names = [table.getter(name) for name in _NAMES[table.name]]
    contacts = [table.getter(name) for name in ("PHONE", "EMAIL")] if table.name != "deal" else []

    def read(row: Row) -> str:
        parts = [str(name(row) or "") for name in names]
        for of in contacts:
            values = [one["VALUE"] for one in of(row) or () if isinstance(one, dict)]
            parts += values
            parts += [_NOT_DIGITS.sub("", value) for value in values]
        return "\n".join(parts).lower()

    return read


def page(
    ctx: Context,
    search: Search,
    entity: str,
    *,
    query: str = "",
    before: int | None = None,
    category: int | None = None,
) -> dict[str, Any]:
    """One page of a kind of item, with the id to go on below."""
    table = ctx.portal.store.tables[entity]
    found = _seen(ctx, table, search.ids(table, query, before))
    if category is not None:
        of = table.getter("CATEGORY_ID")
        found = (one for one in found if (row := table.row(one)) and (of(row) or 0) == category)
    chosen = _take(found, PAGE + 1)
    answer = _table(ctx.portal, entity, chosen[:PAGE])
    answer["before"] = chosen[PAGE - 1] if len(chosen) > PAGE else None
    narrowed = query or category is not None or visible(ctx, entity)
    answer["total"] = None if narrowed else len(table)
    answer["title"] = LAYOUTS[entity].plural
    answer["row_menu"] = widgets.at(ctx, f"CRM_{entity.upper()}_LIST_MENU")
    answer["toolbar"] = widgets.at(ctx, f"CRM_{entity.upper()}_LIST_TOOLBAR")
    return answer


def related(ctx: Context, entity: str, row_id: int, kind: str) -> dict[str, Any]:
    """Deals of a client, or people of a company; the newest hundred."""
    table = ctx.portal.store.tables[kind]
    column = "CONTACT_IDS" if entity == "contact" else "COMPANY_ID"
    if (entity, kind) == ("company", "contact"):
        column = "COMPANY_IDS"
    ids = list(_seen(ctx, table, reversed(table.lookup(column, row_id))))
    answer = _table(ctx.portal, kind, ids[:RELATED_AT_MOST])
    return {**answer, "total": len(ids), "before": None, "title": LAYOUTS[kind].plural}


def find(ctx: Context, search: Search, query: str, kinds: Iterable[str]) -> list[dict[str, Any]]:
    """A few items of several kinds for a search box or a choosing dialog."""
    known = [kind for kind in kinds if kind in _NAMES]
    each = max(5, 20 // max(1, len(known)))
    found = []
    for kind in known:
        table = ctx.portal.store.tables[kind]
        ids = _seen(ctx, table, search.ids(table, query))
        if kind == "user":
            ids = filter(ctx.portal.user, ids)
        found += [_option(ctx.portal, kind, row_id) for row_id in _take(ids, each)]
    return found


def calculated_fields(portal: Portal, entity: str) -> list[Field]:
    """User fields people see but do not edit: what applications write."""
    fields = portal.store.fields(ENTITIES[entity]).by_name.values()
    return sorted(
        (f for f in fields if f.user_field and f.user_field.get("EDIT_IN_LIST") == "N"),
        key=lambda f: (int((f.user_field or {}).get("SORT") or 100), f.name),
    )


def _seen(ctx: Context, table: Table, ids: Iterable[int]) -> Iterator[int]:
    test = visible(ctx, table.name)
    if test is None:
        return iter(ids)
    return (one for one in ids if (row := table.row(one)) and test(row))


def _take(ids: Iterator[int], count: int) -> list[int]:
    return [row_id for row_id, _ in zip(ids, range(count), strict=False)]


def _table(portal: Portal, entity: str, ids: list[int]) -> dict[str, Any]:
    known = portal.store.fields(ENTITIES[entity]).by_name
    fields = [known[name] for name in LAYOUTS[entity].columns]
    shown = [
        f for f in calculated_fields(portal, entity) if f.type in ("double", "integer", "money")
    ]
    if shown:  # figures come first and take the place of the date
        fields = [*shown[:CALCULATED_COLUMNS], *fields[:-1]]
    rows = (portal.store.tables[entity].get(row_id) for row_id in ids)
    return {
        "entity": entity,
        "columns": [{"title": _head(f), "numeric": _numeric(f)} for f in fields],
        "rows": [
            {
                "id": row["ID"],
                "title": (title := present.item_title(entity, row)),
                **present.face(title, row["ID"]),
                "href": present.card_path(entity, row["ID"]),
                "cells": [_cell(portal, entity, field, row) for field in fields],
            }
            for row in rows
            if row
        ],
    }


def _head(field: Field) -> str:
    return {"CONTACT_ID": "Клиент", "DATE_CREATE": "Создан"}.get(field.name, present.label(field))


def _numeric(field: Field) -> bool:
    return field.type in ("double", "integer", "money")


def _cell(portal: Portal, entity: str, field: Field, row: dict[str, Any]) -> dict[str, Any]:
    value = row.get(field.name)
    if field.name in ("STAGE_ID", "STATUS_ID"):
        return stages.mark(portal, entity, row)
    if field.name == "CONTACT_ID" and not value:
        field, value = ENTITIES["deal"].fields["COMPANY_ID"], row.get("COMPANY_ID")
    if field.name in ("PHONE", "EMAIL"):
        value = (value or [])[:1]
    if field.name == "DATE_CREATE" and value:
        return {"text": f"{value.astimezone(portal.time_zone):%d.%m.%Y}"}
    if found := present.links(portal, field, value):
        return {"links": found[:1]}
    if field.type in ("crm_contact", "crm_company"):
        return {"text": ""}
    return {"text": present.text(portal, field, value, row)}


def _option(portal: Portal, kind: str, row_id: int) -> dict[str, Any]:
    row = portal.store.tables[kind].get(row_id) or {"ID": row_id}
    if kind == "user":
        title, desc = present.person_name(row), str(row.get("WORK_POSITION") or "")
    else:
        title, desc = present.item_title(kind, row), ENTITIES[kind].title
    if kind in ("contact", "company") and row.get("PHONE"):
        desc = f"{desc} · {row['PHONE'][0]['VALUE']}"
    if kind == "deal":
        desc = f"{desc} · {present.money(row.get('OPPORTUNITY') or 0, row.get('CURRENCY_ID'))}"
    return {"kind": kind, "id": row_id, "title": title, "desc": desc, **present.face(title, row_id)}
