"""Command line of the emulator: python -m demo.portal --port 8899 --sizes demo."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import signal
from pathlib import Path

from demo.data.sizes import PRESETS
from demo.portal import filling, server
from demo.portal.limits import LICENSES, PROFILES
from demo.portal.state import Portal


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.portal", description=__doc__)
    parser.add_argument("--port", type=int, default=8899, help="0 = two free ports")
    parser.add_argument("--port-file", type=Path, help="write both addresses here when ready")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", choices=list(PRESETS), default="demo")
    parser.add_argument("--contacts", type=int)
    parser.add_argument("--deals", type=int)
    parser.add_argument("--copies", type=int, help="the data so many times over, under other ids")
    parser.add_argument("--clean", action="store_true", help="no rows with hostile texts")
    parser.add_argument("--limits", choices=sorted(PROFILES), default="off")
    parser.add_argument("--domain", help="the name the portal gives itself, host:port")
    parser.add_argument("--member-id", default="")
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Build the portal and serve it until SIGINT or SIGTERM."""
    wish = filling.Wish(
        seed=options.seed,
        sizes=options.sizes,
        contacts=options.contacts,
        deals=options.deals,
        copies=options.copies,
        dirty=not options.clean,
    )
    ports = server.choose_ports(options.port)
    portal = Portal(
        filling.filled_store(wish),
        domain=options.domain or f"127.0.0.1:{ports.portal}",
        oauth_url=f"http://127.0.0.1:{ports.oauth}",
        member_id=options.member_id,
        limits=PROFILES[options.limits],
        license_name=LICENSES[options.limits],
    )
    gc.freeze()  # the data stays for good: collections need not walk it again
    ready = asyncio.Event()
    work = asyncio.create_task(server.run(portal, wish, ports, ready))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    announcing = asyncio.create_task(announce(portal, ports, ready, options.port_file))
    with contextlib.suppress(asyncio.CancelledError):
        await work
    announcing.cancel()


async def announce(
    portal: Portal, ports: server.Ports, ready: asyncio.Event, port_file: Path | None
) -> None:
    """Tell people and scripts where the portal is."""
    await ready.wait()
    address = f"http://127.0.0.1:{ports.portal}"
    print(f"demo portal: {address} (OAuth server {portal.oauth_url})", flush=True)
    if port_file is not None:
        draft = port_file.with_suffix(".draft")
        text = json.dumps({"portal": address, "oauth": portal.oauth_url})
        draft.write_text(text)
        draft.replace(port_file)


if __name__ == "__main__":
    asyncio.run(main(arguments()))
