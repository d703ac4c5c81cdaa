"""`python -m core.embedded run|stop|env`: the embedded servers without the application."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from core import embedded, log


def main() -> None:
    """Hold the servers up until a signal, stop them, or print their addresses."""
    parser = argparse.ArgumentParser(prog="python -m core.embedded", description=main.__doc__)
    parser.add_argument("action", choices=["run", "stop", "env"])
    parser.add_argument("--data-dir", type=Path, default=Path(".data"))
    arguments = parser.parse_args()
    log.configure("INFO")
    if arguments.action == "stop":
        embedded.stop(arguments.data_dir)
        return
    if arguments.action == "env":
        _print(embedded.addresses(arguments.data_dir))
        return
    _print(embedded.ensure(arguments.data_dir))
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # not earlier: the servers would inherit it
    signal.sigwait(signals)


def _print(servers: embedded.Servers) -> None:
    sys.stdout.write(f"DATABASE_URL={servers.database_url}\nREDIS_URL={servers.redis_url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
