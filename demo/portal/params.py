"""Parameters as PHP understands them: bracketed names to nested values, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

import orjson
from aiohttp import web

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


@lru_cache(4096)
def split_name(name: str) -> tuple[str, ...]:
    """`a[b][]` to ("a", "b", ""); a bracket that is never closed belongs to the name itself."""
    start = name.find("[")
    if start <= 0 or "]" not in name[start:]:
        return (name.replace(".", "_").replace(" ", "_").replace("[", "_"),)
    path = [name[:start].replace(".", "_").replace(" ", "_")]
    rest = name[start:]
    while rest.startswith("["):
        end = rest.find("]")
        if end < 0:
            break
        path.append(rest[1:end])
        rest = rest[end + 1 :]
    return tuple(path)


def decode_pairs(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Flat pairs to nested values; arrays whose keys are 0..n-1 become lists."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        path = split_name(name)
        node = root
        for key in path[:-1]:
            node = _child(node, key)
        node[path[-1] if path[-1] or len(path) == 1 else _next_index(node)] = value
    return {key: _listed(value) for key, value in root.items() if key}


def decode_query(query: str) -> dict[str, Any]:
    """A query string to nested values."""
    return decode_pairs(_pairs(query))


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if "%" in part or "+" in part:
            name, value = unquote_plus(name), unquote_plus(value)
        if name:
            yield name, value


def encode_pairs(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Nested values to flat bracketed pairs, the way PHP's http_build_query names them."""
    for key, item in value.items():
        yield from _flatten(str(key), item)


async def read_params(request: web.Request) -> dict[str, Any]:
    """Query and body of a request, merged; the body wins. Malformed JSON is an empty body."""
    params = decode_query(request.rel_url.raw_query_string) if request.query_string else {}
    if request.method != "POST":
        return params
    kind = request.content_type
    if kind in FORM_TYPES:
        form = await request.post()
        params.update(decode_pairs(form.items()))
    elif kind == "application/json":
        params.update(_json_object(await request.read()))
    return params


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _child(node: dict[str, Any], key: str) -> dict[str, Any]:
    key = key or _next_index(node)
    child = node.get(key)
    if not isinstance(child, dict):
        child = node[key] = {}
    return child


def _next_index(node: dict[str, Any]) -> str:
    if not node or next(reversed(node)) == str(len(node) - 1):
        return str(len(node))
    return str(max((int(k) for k in node if k.isdigit()), default=-1) + 1)


def is_list(keys: Iterable[Any]) -> bool:
    """PHP's array_is_list: keys are exactly 0, 1, 2 … in this order."""
    for index, key in enumerate(keys):  # noqa: SIM110 - half the time of all()
        if str(key) != str(index):
            return False
    return True


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = {key: _listed(item) for key, item in value.items()}
    return list(items.values()) if is_list(items) else items


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(f"{name}[{key}]", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _flatten(f"{name}[{index}]", item)
    elif value is True or value is False:
        yield name, "1" if value else "0"
    elif value is not None:
        yield name, str(value)
