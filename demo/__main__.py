"""`make demo`: a portal with data, Rubilnik beside it, installed and synced; prints what to open."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from demo.data.sizes import PRESETS
from demo.running import Demo, DemoFailed, Options


def main() -> int:
    """Run the demo until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--portal-port", type=int, default=8899)
    parser.add_argument(
        "--mail-port", type=int, default=8925, help="letters; the next port shows them"
    )
    parser.add_argument("--sizes", default="demo", choices=list(PRESETS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="stop as soon as everything is ready")
    asked = parser.parse_args()
    demo = Demo(Options(asked.port, asked.portal_port, asked.mail_port, asked.sizes, asked.seed))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demo.start()
        demo.announce()
        if not asked.once:
            demo.wait()
    except KeyboardInterrupt:
        print("\nStopping…", flush=True)
    except DemoFailed as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
