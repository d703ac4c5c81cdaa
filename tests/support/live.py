"""The application really served: a web server on a free port and a worker, both in threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from support.world import World, call, world
from werkzeug.serving import make_server

from core.config import Settings
from demo.portal.process import DemoPortal
from schedule import SCHEDULE

PAUSE = 0.1


@contextmanager
def live_world(
    settings: Settings, demo: DemoPortal, *, installed: bool = True, working: bool = True
) -> Iterator[World]:
    """A world whose pages a browser can open, and whose jobs are done as they come, if it is `working`.

    To the browser it is another site than the portal, as in life: `localhost` in frames of 127.0.0.1.
    """
    switch = _Switch()
    server = make_server("127.0.0.1", 0, switch, threaded=True)
    address = f"http://localhost:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    stop = threading.Event()
    if not working:
        stop.set()
    try:
        with world(settings, demo, installed=False, address=address) as made:
            switch.app = made.app
            worker = threading.Thread(target=_work, args=(made, stop), daemon=True)
            if installed:
                made.install()
            worker.start()
            try:
                yield made
            finally:
                stop.set()
                worker.join(30)
    finally:
        server.shutdown()
        serving.join(10)
        server.server_close()


class _Switch:
    """The server must have its port before the application can be told its address."""

    app = None

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


def _work(made: World, stop: threading.Event) -> None:
    # At night, by the portal's clock, the check would put right what a test has forged.
    periodic = [entry.function for entry in SCHEDULE if entry.name != "check"]
    while not stop.is_set():
        for function in periodic:
            call(function)
        made.work()
        stop.wait(PAUSE)
