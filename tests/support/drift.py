"""A portal whose answers drift from their schema: rows are changed on their way to us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from core.http import Http, Reply

Changes = Mapping[str, Mapping[int, Mapping[str, Any]]]  # method → id → field → what comes instead


class Drifting:
    """Stands in for a runtime's Http and changes chosen rows of list answers, alone or in batches."""

    def __init__(self, http: Http, changes: Changes, after: Callable[[str], None] | None = None):
        self._http = http
        self._changes = changes
        self._after = after

    def get(self, url: str, **options: Any) -> Reply:
        """As it is."""
        return self._http.get(url, **options)

    def post(self, url: str, body: bytes, **options: Any) -> Reply:
        """The portal's answer with the changes in it."""
        reply = self._http.post(url, body, **options)
        method = url.rpartition("/")[2]
        answer = orjson.loads(reply.body)
        if method == "batch" and "result" in answer:
            commands = orjson.loads(body)["cmd"]
            results = answer["result"]["result"]
            for key, value in results.items() if isinstance(results, dict) else ():
                self._change(commands[key].partition("?")[0], value)
        elif "result" in answer:
            self._change(method, answer["result"])
        if self._after is not None:
            self._after(method)
        return replace(reply, body=orjson.dumps(answer))

    def _change(self, method: str, result: Any) -> None:
        wanted = self._changes.get(method, {})
        items = result.get("items", []) if isinstance(result, dict) else result
        for row in items if isinstance(items, list) and wanted else ():
            row.update(wanted.get(int(row.get("ID") or row.get("id")), {}))
