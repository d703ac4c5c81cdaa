"""Command line of the mail server: python -m demo.mail --port 8925 --page-port 8925 --log letters.log."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
import ssl
import tempfile
from pathlib import Path

from aiohttp import web

from demo.mail.acting import Life, World
from demo.mail.control import add_control
from demo.mail.desk import Desk, Options
from demo.mail.faults import Faults, written
from demo.mail.letters import Letters
from demo.mail.pages import add_pages
from demo.mail.people import People
from demo.mail.server import HOST, Server
from demo.mail.shop import Shop


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.mail", description=__doc__)
    parser.add_argument("--port", type=int, default=8925, help="SMTP; 0 = a free port")
    parser.add_argument("--page-port", type=int, default=8926, help="pages; 0 = a free port")
    parser.add_argument("--port-file", type=Path, help="write both ports here when ready")
    parser.add_argument("--log", type=Path, help="a line for every letter taken, before the answer")
    parser.add_argument("--keep", type=int, default=10_000, help="letters kept for reading")
    parser.add_argument("--fsync", action="store_true", help="the log survives a power cut too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default=Options.name, help="the name it greets with")
    parser.add_argument("--fault", action="append", default=[], help="at=rcpt; reply=550 5.1.1 No")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds to wait with each answer")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--smtputf8", action="store_true")
    parser.add_argument("--max-size", type=int, default=Options.max_size)
    parser.add_argument("--max-connections", type=int, default=0)
    parser.add_argument("--login", default="", help="name:password that must be told")
    parser.add_argument("--tls-certificate", type=Path, help="PEM; offers STARTTLS")
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--implicit-tls", action="store_true", help="TLS from the first byte")
    people = parser.add_argument_group("recipients that do something with their letters")
    people.add_argument("--app", default="", help="the sender's address; without it nobody acts")
    people.add_argument("--portal", default="", help="the demo portal, where leads appear")
    people.add_argument("--receipts", default="", help="where returned letters are posted to")
    people.add_argument("--speed", type=float, default=1.0, help="so many times faster than life")
    people.add_argument("--eager", type=float, default=1.0, help="so many times more clicks")
    return parser.parse_args()


def desk_of(given: argparse.Namespace) -> Desk:
    """What the sessions share."""
    context = None
    if given.tls_certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.tls_certificate, given.tls_key)
    options = Options(
        name=given.name,
        pipelining=not given.no_pipelining,
        smtputf8=given.smtputf8,
        max_size=given.max_size,
        max_connections=given.max_connections,
        delay=given.delay,
        login=given.login,
        tls=context,
    )
    faults = Faults(given.seed)
    for text in given.fault:
        faults.add(written(text))
    log = given.log or Path(tempfile.mkdtemp(prefix="demo-mail-")) / "letters.log"
    letters = Letters(log, given.keep, sync=given.fsync)
    return Desk(options, faults, letters)


def life_of(given: argparse.Namespace) -> Life | None:
    """The recipients, when they are to act."""
    if not given.app:
        return None
    shop = Shop(given.portal, given.seed) if given.portal else None
    return Life(
        People(given.seed, given.eager), World(given.app, given.receipts, given.speed), shop
    )


async def main(given: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    desk, life = desk_of(given), life_of(given)
    if life is not None:
        desk.taken, desk.refusal = life.taken, life.refusal
    server = Server(desk, given.port, implicit_tls=given.implicit_tls)
    await server.open()
    app = web.Application()
    add_control(app, server, life)
    add_pages(app, server, life)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, HOST, given.page_port)
    await site.start()
    page_port = runner.addresses[0][1]
    gc.freeze()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    announce(given.port_file, server.port, page_port)
    await stopped.wait()
    server.close()
    server.hang_up()
    if life is not None:
        await life.close()
    await runner.cleanup()
    desk.letters.close()


def announce(port_file: Path | None, port: int, page_port: int) -> None:
    """Tell people and scripts where it is."""
    print(f"demo mail: smtp://{HOST}:{port}, letters at http://{HOST}:{page_port}/", flush=True)
    if port_file is not None:
        draft = port_file.with_suffix(".draft")
        draft.write_text(json.dumps({"port": port, "page_port": page_port}))
        draft.replace(port_file)


if __name__ == "__main__":
    asyncio.run(main(arguments()))
