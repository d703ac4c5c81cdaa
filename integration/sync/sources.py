"""Where the rows of each entity come from, and where they go: read a page, store a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from integration.bitrix.client import Client
from integration.mirror import Activity, StageMove
from integration.rules import values
from integration.rules.custom import FieldType
from integration.rules.mapping import MirrorRow
from integration.sync import catalog, product_rows, store
from integration.sync.entities import CARDS, DEALS, EntitySpec
from integration.sync.lines import (
    MISSHAPEN,
    Ready,
    Row,
    Rows,
    Source,
    Start,
    Stored,
    last_id,
    line_source,
    reason,
)

IDS_PER_CALL = 50


def card_source(spec: EntitySpec) -> Source:
    """Contacts, companies, leads or deals; deals bring their product rows when `spec.sells`."""

    def pages(client: Client, start: Start) -> Iterator[Rows]:
        if start.since is not None and spec.item:
            return _changed_items(client, spec, start, start.since)
        return _listed(client, spec, start)

    def prepare(rows: Rows, fields: Mapping[str, FieldType]) -> Ready:
        return _prepared(spec, rows, fields)

    def put(session: Session, portal_id: int, ready: Ready, note_clients: bool) -> Stored:
        return _put(session, portal_id, spec, ready, note_clients=note_clients)

    return Source(spec.name, spec.id_field, pages, prepare, put)


def _listed(client: Client, spec: EntitySpec, start: Start) -> Iterator[Rows]:
    params = spec.params(tuple(start.fields))
    check = None
    if start.since is not None:
        params["filter"] = {">=DATE_MODIFY": start.since.isoformat()}
        check = _modified_since(start.since, "DATE_MODIFY")
    pages = client.list_all(
        spec.method,
        params=params,
        after_id=start.after_id,
        id_field=spec.id_field,
        items_path=spec.items_path,
        check=check,
        total_hint=start.expected,
        prefetch=1,
    )
    listed = (page.rows for page in pages)
    yield from product_rows.with_rows(client, listed) if spec.sells else listed


def _changed_items(
    client: Client, spec: EntitySpec, start: Start, since: datetime
) -> Iterator[Rows]:
    """Ids by the classic list and its modification time, rows by crm.item.list."""
    found = client.list_all(
        spec.changed_method,
        params={"select": ["ID", "DATE_MODIFY"], "filter": {">=DATE_MODIFY": since.isoformat()}},
        after_id=start.after_id,
        check=_modified_since(since, "DATE_MODIFY"),
    )
    for page in found:
        yield read_by_ids(client, spec, [int(row["ID"]) for row in page.rows], start.fields)


def read_by_ids(
    client: Client, spec: EntitySpec, ids: Sequence[int], fields: Mapping[str, FieldType]
) -> Rows:
    """Rows of these ids, by ascending id; ids that are gone, or hidden from us, are absent."""
    chunks = [ids[i : i + IDS_PER_CALL] for i in range(0, len(ids), IDS_PER_CALL)]
    key = f"@{spec.id_field}"
    answer = client.batch(
        {
            f"c{number}": (
                spec.method,
                {
                    **spec.params(tuple(fields)),
                    "filter": {key: list(chunk)},
                    "order": {spec.id_field: "ASC"},
                    "start": -1,
                },
            )
            for number, chunk in enumerate(chunks)
        }
    )
    for error in answer.errors.values():
        raise error
    rows: list[Row] = []
    for result in answer.results.values():
        rows += result["items"] if spec.item and isinstance(result, dict) else result
    return product_rows.attached(client, rows) if spec.sells else rows


def store_cards(
    session: Session,
    portal_id: int,
    spec: EntitySpec,
    rows: Rows,
    fields: Mapping[str, FieldType],
    *,
    note_clients: bool,
) -> Stored:
    """Map a page of cards and put it into the mirror; what does not fit goes to quarantine."""
    ready = _prepared(spec, rows, fields)
    return _put(session, portal_id, spec, ready, note_clients=note_clients)


def _prepared(spec: EntitySpec, rows: Rows, fields: Mapping[str, FieldType]) -> Ready:
    problems: list[tuple[str, str]] = []

    def fitting() -> Iterator[MirrorRow]:
        for row in rows:
            try:
                made = spec.map(row, fields)
            except MISSHAPEN as error:
                problems.append((str(row.get(spec.id_field)), reason(error)))
                continue
            if made.misfits:
                problems.append((str(made.bitrix_id), "left out: " + "; ".join(made.misfits)))
            yield made

    page = store.Page.of(fitting())
    ids = [str(row.get(spec.id_field)) for row in rows]
    return Ready(len(rows), last_id(rows, spec.id_field), ids, page, problems)


def _put(
    session: Session, portal_id: int, spec: EntitySpec, ready: Ready, *, note_clients: bool
) -> Stored:
    page = ready.content
    changed = store.store_page(session, portal_id, spec, page, note_clients=note_clients)
    put_aside = store.quarantine(session, portal_id, spec.name, ready.ids, ready.problems)
    return Stored(changed, put_aside)


def _modified_since(since: datetime, name: str) -> Callable[[Row], bool]:
    def check(row: Row) -> bool:
        changed = values.moment(row.get(name), name)
        return changed is not None and changed >= since

    return check


def _history_source(entity: str, entity_type_id: int, prefix: str) -> Source:
    """`crm.stagehistory.list`: lines are only ever added."""

    def pages(client: Client, start: Start) -> Iterator[Rows]:
        found = client.list_all(
            "crm.stagehistory.list",
            params={"entityTypeId": entity_type_id},
            after_id=start.after_id,
            items_path=("items",),
            prefetch=1,
        )
        for page in found:
            yield page.rows

    def line(row: Row) -> dict[str, Any]:
        return {
            "entity": entity,
            "bitrix_id": values.required_id(row.get("ID"), "ID"),
            "owner_id": values.required_id(row.get("OWNER_ID"), "OWNER_ID"),
            "move_type": values.whole(row.get("TYPE_ID"), "TYPE_ID", bits=16),
            "pipeline_id": values.whole(row.get("CATEGORY_ID"), "CATEGORY_ID"),
            "stage_id": values.text(row.get(f"{prefix}_ID")),
            "stage_semantic": values.text(row.get(f"{prefix}_SEMANTIC_ID")),
            "moved_at": values.required_moment(row.get("CREATED_TIME"), "CREATED_TIME"),
        }

    return line_source(f"{entity}_history", StageMove, pages, line, grows_only=True)


def _activity_source() -> Source:
    select = (
        *("ID", "OWNER_TYPE_ID", "OWNER_ID", "TYPE_ID", "PROVIDER_ID", "DIRECTION", "COMPLETED"),
        *("SUBJECT", "RESPONSIBLE_ID", "CREATED", "LAST_UPDATED", "START_TIME", "END_TIME"),
    )

    def pages(client: Client, start: Start) -> Iterator[Rows]:
        params: dict[str, Any] = {"select": list(select)}
        check = None
        if start.since is not None:
            params["filter"] = {">=LAST_UPDATED": start.since.isoformat()}
            check = _modified_since(start.since, "LAST_UPDATED")
        found = client.list_all(
            "crm.activity.list", params=params, after_id=start.after_id, check=check, prefetch=1
        )
        for page in found:
            yield page.rows

    def line(row: Row) -> dict[str, Any]:
        return {
            "bitrix_id": values.required_id(row.get("ID"), "ID"),
            "owner_type": values.whole(row.get("OWNER_TYPE_ID"), "OWNER_TYPE_ID"),
            "owner_id": values.required_id(row.get("OWNER_ID"), "OWNER_ID"),
            "type_id": values.whole(row.get("TYPE_ID"), "TYPE_ID") or None,
            "provider_id": values.text(row.get("PROVIDER_ID")),
            "direction": values.whole(row.get("DIRECTION"), "DIRECTION", bits=16) or None,
            "completed": values.flag(row.get("COMPLETED")),
            "subject": values.text(row.get("SUBJECT")),
            "responsible_id": values.link(row.get("RESPONSIBLE_ID"), "RESPONSIBLE_ID"),
            "created_at": values.moment(row.get("CREATED"), "CREATED"),
            "started_at": values.moment(row.get("START_TIME"), "START_TIME"),
            "ended_at": values.moment(row.get("END_TIME"), "END_TIME"),
        }

    return line_source("activity", Activity, pages, line)


SOURCES = (
    catalog.sections(),
    catalog.products(),
    *(card_source(spec) for spec in CARDS if spec is not DEALS),
    _history_source("deal", 2, "STAGE"),
    _history_source("lead", 1, "STATUS"),
    _activity_source(),
    card_source(DEALS),
)
