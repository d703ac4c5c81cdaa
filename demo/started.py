"""A server of the demo as a process of its own: started on free ports, waited for, ended."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def started(module: str, *options: str, patience: float) -> Iterator[tuple[dict[str, Any], int]]:
    """What `python -m module` wrote into its port file, and its process id.

    Raises RuntimeError with what it printed when it has not come up after `patience` seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        port_file, output = Path(folder) / "ports.json", Path(folder) / "output.txt"
        command = [sys.executable, "-m", module, "--port-file", str(port_file), *options]
        with output.open("wb") as sink:
            process = subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=sink)
            try:
                yield _wait(process, port_file, output, patience), process.pid
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _wait(
    process: subprocess.Popen[bytes], port_file: Path, output: Path, patience: float
) -> dict[str, Any]:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if port_file.exists():
            ports: dict[str, Any] = json.loads(port_file.read_text())
            return ports
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"it did not start:\n{output.read_text()}")
