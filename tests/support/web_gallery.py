"""A small application that shows every building block of the shell, for tests and for the eye."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, abort, render_template, request
from werkzeug.serving import make_server

from core.clock import utcnow
from core.config import Settings
from core.errors import ConfigError, ServiceError
from core.web import shell
from core.web.guard import Recheck, admin_required, frame_entry, public, viewer_required
from core.web.session import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.wrappers import Response

HERE = Path(__file__).parent
ORIGIN = "http://127.0.0.1:8899"
SETTINGS = Settings(
    public_url="https://app.example.com", secret_key="k" * 40, encryption_keys=("unused",)
)


def viewer(**changes: Any) -> Viewer:
    facts: dict[str, Any] = {
        "portal_id": 1, "user_id": 7, "is_admin": False, "lang": "ru", "placement": "DEFAULT",
        "entity_id": None, "expires_at": utcnow() + timedelta(hours=1),
    }  # fmt: skip
    return Viewer(**(facts | changes))


def create(settings: Settings = SETTINGS, recheck: Recheck | None = None) -> Flask:  # noqa: C901
    app = Flask("gallery", static_folder=None, template_folder=str(HERE / "gallery"))
    app.config["TEMPLATES_AUTO_RELOAD"] = True

    @app.route("/", methods=["GET", "POST"], endpoint="entry")
    @frame_entry
    def entry() -> str:
        theme = request.args.get("theme", "light")
        shell.open_session(
            viewer(
                lang=request.args.get("LANG", "ru"), theme=theme, toured="tour" not in request.args
            ),
            request.args.get("origin", ORIGIN),
        )
        return render_template("gallery.html")

    @app.post("/session", endpoint="session")
    @frame_entry
    def session() -> tuple[str, int]:
        if request.form["AUTH_ID"] != "fresh-token":
            abort(403)
        shell.open_session(viewer(), ORIGIN)
        return "", 204

    @app.get("/gallery")
    @viewer_required
    def page() -> str:
        return render_template("gallery.html")

    @app.post("/gallery/save")
    @viewer_required
    def save() -> str:
        return "<span class='saved'>Сохранено</span>"

    @app.post("/tour")
    @viewer_required
    def answer_tour() -> tuple[str, int]:
        return "", 204

    @app.post("/gallery/delete")
    @admin_required
    def delete() -> str:
        return "deleted"

    @app.get("/gallery/part")
    @viewer_required
    def part() -> str:
        return "<p id='part'>Часть страницы</p>"

    @app.get("/gallery/slow")
    @viewer_required
    def slow() -> str:
        time.sleep(0.4)
        return "<p id='replaced'>Заменено</p>"

    @app.post("/gallery/fail")
    @viewer_required
    def broken() -> Response:
        raise ServiceError("portal said no", retryable=True)

    @app.get("/break/<kind>")
    @public("a test page that only fails")
    def fail(kind: str) -> Response:
        if kind == "config":
            raise ConfigError("SMTP_URL is not set: s3cret")
        if kind == "service":
            raise ServiceError("portal said no: s3cret", retryable=True)
        if kind == "bug":
            raise RuntimeError("s3cret")
        abort(int(kind))

    shell.register(app, settings, recheck=recheck, renewal_endpoint="session")
    return app


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[str]:
    """Run a WSGI application on a free port of this machine; its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    create().run(port=int(sys.argv[1]))
