"""How a fault of a whole request looks on the wire: HTML, half a body, a closed socket, a bomb."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from demo.portal.faults import Fault

CHUNK = 1 << 20
ERROR_PAGE = "<html><head><title>{0} {1}</title></head><body><h1>{0} {1}</h1></body></html>"
REASONS = {200: "Authorization", 502: "Bad Gateway", 504: "Gateway Time-out"}
JSON = "application/json"

Produce = Callable[[], Awaitable[web.Response]]


async def answer(request: web.Request, fault: Fault, produce: Produce) -> web.StreamResponse:
    """Answer a request the way the fault says; `produce` executes it properly when needed."""
    if fault.kind in BEFORE:
        return await BEFORE[fault.kind](request, fault)
    if fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
        return await produce()
    return await AFTER[fault.kind](request, fault, await produce())


def html(status: int, body: str = "") -> web.Response:
    """A page of the web server instead of an answer of the portal."""
    page = body or ERROR_PAGE.format(status, REASONS.get(status, "Error"))
    return web.Response(status=status, text=page, content_type="text/html")


def close(request: web.Request) -> web.Response:
    """Close the connection without a byte of an answer."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _error(_request: web.Request, fault: Fault) -> web.StreamResponse:
    body = {"error": fault.code, "error_description": fault.description}
    return web.Response(
        status=fault.status, body=orjson.dumps(body), content_type=JSON, headers=fault.headers
    )


async def _html(_request: web.Request, fault: Fault) -> web.StreamResponse:
    return html(fault.status, fault.body)


async def _redirect(_request: web.Request, fault: Fault) -> web.StreamResponse:
    status = fault.status if 300 <= fault.status < 400 else 302
    return web.Response(status=status, headers={"Location": fault.location})


async def _drop(request: web.Request, _fault: Fault) -> web.StreamResponse:
    return close(request)


async def _huge(request: web.Request, fault: Fault) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": JSON})
    await response.prepare(request)
    return await _pour(response, [b" " * CHUNK], fault.size // CHUNK)


async def _gzip_bomb(request: web.Request, fault: Fault) -> web.StreamResponse:
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b" " * CHUNK) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b" " * CHUNK) + packer.flush(zlib.Z_FULL_FLUSH)
    await response.write(first)
    return await _pour(response, [again], fault.size // CHUNK - 1)


async def _pour(
    response: web.StreamResponse, chunks: list[bytes], times: int
) -> web.StreamResponse:
    try:
        for _ in range(times):
            for chunk in chunks:
                await response.write(chunk)
            await asyncio.sleep(0)
        await response.write_eof()
    except ConnectionError:  # the client had enough, which is what it should do
        pass
    return response


async def _truncate(_request: web.Request, _fault: Fault, good: web.Response) -> web.StreamResponse:
    body = good.body if isinstance(good.body, bytes) else b""
    return web.Response(status=good.status, body=body[: len(body) // 2], content_type=JSON)


async def _cut(request: web.Request, _fault: Fault, good: web.Response) -> web.StreamResponse:
    body = good.body if isinstance(good.body, bytes) else b""
    response = web.StreamResponse(
        status=good.status, headers={"Content-Type": JSON, "Content-Length": str(len(body))}
    )
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _drop_after_commit(
    request: web.Request, _fault: Fault, _good: web.Response
) -> web.StreamResponse:
    return close(request)


async def _content_type(
    _request: web.Request, fault: Fault, good: web.Response
) -> web.StreamResponse:
    return web.Response(status=good.status, body=good.body, content_type=fault.body or "text/html")


BEFORE: dict[str, Callable[[web.Request, Fault], Awaitable[web.StreamResponse]]] = {
    "error": _error,
    "html": _html,
    "redirect": _redirect,
    "drop": _drop,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
}
AFTER: dict[str, Callable[[web.Request, Fault, web.Response], Awaitable[web.StreamResponse]]] = {
    "truncate": _truncate,
    "cut": _cut,
    "drop_after_commit": _drop_after_commit,
    "content_type": _content_type,
}
