"""What Bitrix24 posts to us: the form that opens a frame, and the form that reports an event.

Nothing in here is verified: everything may be forged by whoever can reach our address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

_MAX_BYTES = 256 * 1024
_MAX_FIELDS = 2000
_MAX_DEPTH = 8
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_PART = re.compile(r"\[([^\[\]]*)\]")

Form = bytes | str | Mapping[str, str] | Iterable[tuple[str, str]]


class MalformedPayload(ValueError):
    """The posted form can't be what Bitrix24 sends."""


@dataclass(frozen=True)
class FramePost:
    """The browser's POST that opens the application or a placement.

    https://apidocs.bitrix24.com/settings/oauth/simple-way.html
    """

    domain: str
    protocol: str
    language: str
    app_sid: str
    auth_id: str = field(repr=False)
    refresh_id: str = field(repr=False)
    expires_in: int
    member_id: str
    status: str
    server_endpoint: str
    application_token: str = field(repr=False)
    scopes: frozenset[str]
    placement: str
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, query: Form, body: Form) -> FramePost:
        """Read the query and the body apart: neither may stand in for the other."""
        asked, posted = _flat(query), _flat(body)
        return cls(
            domain=asked.get("DOMAIN", "").strip().lower(),
            protocol="http" if asked.get("PROTOCOL", "1") == "0" else "https",
            language=asked.get("LANG", "").strip().lower(),
            app_sid=asked.get("APP_SID", ""),
            auth_id=posted.get("AUTH_ID", ""),
            refresh_id=posted.get("REFRESH_ID", ""),
            expires_in=number(posted.get("AUTH_EXPIRES")) or 0,
            member_id=posted.get("member_id", ""),
            status=posted.get("status", ""),
            server_endpoint=posted.get("SERVER_ENDPOINT", ""),
            application_token=posted.get("APPLICATION_TOKEN", ""),
            scopes=scopes(posted.get("APPLICATION_SCOPE", "")),
            placement=posted.get("PLACEMENT", "") or "DEFAULT",
            options=_options(posted.get("PLACEMENT_OPTIONS", "")),
        )

    @classmethod
    def of_event(cls, event: EventPost) -> FramePost:
        """The claims of an install event in the terms of a frame, to be proved the same way."""
        auth = event.auth
        return cls(
            domain=auth.domain,
            protocol=auth.client_endpoint.partition(":")[0],
            language=str(event.data.get("LANGUAGE_ID") or "").lower(),
            app_sid="",
            auth_id=auth.access_token,
            refresh_id=auth.refresh_token,
            expires_in=auth.expires_in,
            member_id=auth.member_id,
            status=auth.status,
            server_endpoint=auth.server_endpoint,
            application_token=auth.application_token,
            scopes=auth.scopes,
            placement="DEFAULT",
            options={},
        )

    @property
    def entity_id(self) -> int | None:
        """The object whose card is open, if the placement belongs to one. Check access to it."""
        return number(self.options.get("ID") or self.options.get("ENTITY_ID"))


@dataclass(frozen=True)
class EventAuth:
    """The `auth` part of an event: tokens belong to whoever acted, and may be absent."""

    member_id: str
    domain: str
    client_endpoint: str
    server_endpoint: str
    application_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    user_id: int | None
    scopes: frozenset[str]
    status: str


@dataclass(frozen=True)
class EventPost:
    """The POST of the event queue: a hint that something changed.

    https://apidocs.bitrix24.com/api-reference/events/index.html
    """

    event: str
    data: Mapping[str, Any]
    auth: EventAuth
    ts: int | None

    @classmethod
    def parse(cls, body: Form) -> EventPost:
        """Read the form; raises MalformedPayload when there is no event name."""
        form = decode(body)
        name = form.get("event")
        if not isinstance(name, str) or not name.strip():
            raise MalformedPayload("no event name")
        data = form.get("data")
        return cls(
            event=name.strip().upper(),
            data=data if isinstance(data, dict) else {},
            auth=_event_auth(form.get("auth")),
            ts=number(form.get("ts")),
        )

    @property
    def application_token(self) -> str:
        """The shared secret the caller compares with the stored one."""
        return self.auth.application_token

    @property
    def fields(self) -> Mapping[str, Any]:
        """`data[FIELDS]`: of CRM events, the id of what changed."""
        found = self.data.get("FIELDS")
        return found if isinstance(found, dict) else {}

    @property
    def object_id(self) -> int | None:
        """The id of the changed object."""
        return number(self.fields.get("ID"))


def decode(form: Form) -> dict[str, Any]:
    """PHP's reading of a form: `a[b][c]=1` nests, `a[]=x` appends, keys 0..n-1 make a list."""
    root: dict[str, Any] = {}
    for key, value in _pairs(form):
        matched = _KEY.match(key)
        if matched is None:
            root[key] = value
            continue
        path = [matched[1], *_PART.findall(matched[2])]
        if len(path) > _MAX_DEPTH:
            raise MalformedPayload("the form is nested too deep")
        _put(root, path, value)
    return {key: _listed(value) for key, value in root.items()}


def scopes(text: object) -> frozenset[str]:
    """Scopes are separated by commas on some pages and by spaces on others."""
    return frozenset(str(text or "").lower().replace(",", " ").split())


def _put(node: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        key = part or str(len(node))
        child = node.get(key)
        if not isinstance(child, dict):
            child = node[key] = {}
        node = child
    node[path[-1] or str(len(node))] = value


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = {key: _listed(item) for key, item in value.items()}
    if list(items) == [str(index) for index in range(len(items))]:
        return list(items.values())
    return items


def _pairs(form: Form) -> list[tuple[str, str]]:
    if isinstance(form, bytes | str):
        if len(form) > _MAX_BYTES:
            raise MalformedPayload("the form is too large")
        text = form.decode("utf-8", "replace") if isinstance(form, bytes) else form
        try:
            return parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError as error:
            raise MalformedPayload("the form has too many fields") from error
    pairs = list(form.items() if isinstance(form, Mapping) else form)
    if len(pairs) > _MAX_FIELDS:
        raise MalformedPayload("the form has too many fields")
    return [(str(key), str(value)) for key, value in pairs]


def _flat(form: Form) -> dict[str, str]:
    return dict(_pairs(form))


def _options(text: str) -> dict[str, Any]:
    """PLACEMENT_OPTIONS is JSON, but may be empty, a list or the word `undefined`."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _event_auth(raw: object) -> EventAuth:
    auth = raw if isinstance(raw, dict) else {}

    def text(key: str) -> str:
        value = auth.get(key)
        return value if isinstance(value, str) else ""

    return EventAuth(
        member_id=text("member_id"),
        domain=text("domain").lower(),
        client_endpoint=text("client_endpoint"),
        server_endpoint=text("server_endpoint"),
        application_token=text("application_token"),
        access_token=text("access_token"),
        refresh_token=text("refresh_token"),
        expires_in=number(auth.get("expires_in")) or 0,
        user_id=number(auth.get("user_id")),
        scopes=scopes(text("scope")),
        status=text("status"),
    )


def number(value: object) -> int | None:
    """The number a form's text holds, if it is one."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
