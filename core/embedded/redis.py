"""The embedded Redis: start, recover, stop."""

from __future__ import annotations

import os
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from core.embedded import process
from core.embedded.place import Place, run

_STARTED_IN = 60  # seconds; a long append-only file is replayed first


class RedisServer:
    """One server in `<home>/redis`, append-only, behind a unix socket only its owner can open."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._data = place.home / "redis"
        self._log = place.home / "redis.log"
        self._socket = place.sockets / "redis.sock"
        self.url = f"unix://{quote(os.fspath(self._socket))}?db=0"

    def ensure(self) -> None:
        """Running, with its data loaded, when this returns."""
        if self._answers():
            return
        server = None if process.members(self._data) else self._start()
        process.wait_until(self._answers, server, _STARTED_IN, self._log)

    def stop(self) -> None:
        """SHUTDOWN writes the append-only file out; then wait until the process is gone."""
        if not self._answers():
            return
        with Redis.from_url(self.url, socket_timeout=30, retry=None) as client:
            client.shutdown(nosave=True)
        process.wait_until(lambda: not process.members(self._data), None, 30, self._log)

    def _start(self) -> process.Process:
        run(self._place.account, "/bin/mkdir", "-p", str(self._data))
        options = {
            "port": "0", "unixsocket": str(self._socket), "unixsocketperm": "700",
            "dir": str(self._data), "daemonize": "no",
            "appendonly": "yes", "appendfsync": "everysec", "save": "",
            "maxmemory-policy": "noeviction", "always-show-logo": "no",
        }  # fmt: skip
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        command = [str(self._place.redis_server), *arguments]
        return process.spawn(command, self._place.account, self._log)

    def _answers(self) -> bool:
        client = Redis.from_url(self.url, socket_timeout=5, retry=None)
        try:
            return bool(client.ping())
        except RedisError:
            return False
        finally:
            client.close()
