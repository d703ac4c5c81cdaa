"""The control API of the mail server: JSON under /control/, from loopback only."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.mail.acting import Life
    from demo.mail.server import Server

_CHANGEABLE = frozenset({"pipelining", "smtputf8", "max_size", "max_connections", "delay"})


class Control:
    """What tests and the demo ask of a running server."""

    def __init__(self, server: Server, life: Life | None) -> None:
        self.server, self.desk, self.life = server, server.desk, life

    def facts(self, _: dict[str, Any]) -> dict[str, Any]:
        """How it stands."""
        options = asdict(replace(self.desk.options, tls=None))
        return {
            "port": self.server.port,
            "listening": self.server.listening,
            "sessions": len(self.desk.sessions),
            "taken": self.desk.letters.taken,
            "counted": dict(self.desk.counted),
            "faults": self.desk.faults.describe(),
            "people": self.life.facts() if self.life else {},
            "options": {name: options[name] for name in sorted(_CHANGEABLE)},
        }

    def letters(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Letters after a number, oldest first."""
        after, limit = int(query.get("after", 0)), int(query.get("limit", 1000))
        kept = self.desk.letters.kept
        wanted = [number for number in kept if number > after][:limit]
        return [kept[number].as_json() for number in wanted]

    def faults(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a rule, or several."""
        for rule in body.get("rules") or [body]:
            self.desk.faults.add(rule)
        return {"faults": self.desk.faults.describe()}

    def no_faults(self, _: dict[str, Any]) -> dict[str, Any]:
        """Forget all rules."""
        self.desk.faults.rules.clear()
        return {"faults": []}

    def options(self, body: dict[str, Any]) -> dict[str, Any]:
        """Change how it behaves."""
        if unknown := set(body) - _CHANGEABLE:
            raise ValueError(f"can't be changed: {', '.join(sorted(unknown))}")
        for name, value in body.items():
            setattr(self.desk.options, name, value)
        return self.facts({})

    def drop(self, _: dict[str, Any]) -> dict[str, Any]:
        """Cut every connection now."""
        return {"dropped": self.server.hang_up()}

    def refuse(self, _: dict[str, Any]) -> dict[str, Any]:
        """Refuse new connections from now on."""
        self.server.close()
        return {"listening": False}

    async def accept(self, _: web.Request) -> web.Response:
        """Accept connections again."""
        await self.server.open()
        return _json({"listening": True})

    def reset(self, _: dict[str, Any]) -> dict[str, Any]:
        """No letters, no faults, nothing counted; the log is emptied."""
        self.desk.faults.rules.clear()
        self.desk.counted.clear()
        self.desk.letters.forget()
        return self.facts({})


def add_control(app: web.Application, server: Server, life: Life | None = None) -> None:
    """Serve the control API."""
    control = Control(server, life)
    app.router.add_get("/control/", _handler(control.facts))
    app.router.add_get("/control/letters", _handler(control.letters))
    app.router.add_get("/control/faults", _handler(control.facts))
    app.router.add_delete("/control/faults", _handler(control.no_faults))
    app.router.add_post("/control/accept", control.accept)
    for name in ("faults", "options", "drop", "refuse", "reset"):
        app.router.add_post(f"/control/{name}", _handler(getattr(control, name)))


def _handler(act: Callable[[dict[str, Any]], Any]) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        posted = request.method == "POST" and request.can_read_body
        asked = await request.json(loads=orjson.loads) if posted else dict(request.query)
        try:
            return _json(act(asked))
        except (TypeError, ValueError) as error:
            return _json({"error": str(error)}, 400)

    return handle


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(answer), status=status, content_type="application/json")
