"""With the portal's limits on: how close to the bucket's ideal, and how often refused."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable

from benchmarks import world
from benchmarks.report import Figure, Options
from benchmarks.world import DemoPortal
from core.http import Http
from integration.bitrix.budgets import Priority
from integration.bitrix.client import Client, Webhook
from integration.bitrix.errors import OperationTimeLimit
from integration.bitrix.limiter import Limiter, Limits

TITLE = "Limits on"
_BURST, _PER_SECOND = 50, 2.0
_BUDGET, _PAGE_SECONDS = 20.0, 0.5


def measure(options: Options) -> list[Figure]:
    """The bucket of 50 that drains 2 a second; then a tight budget of execution time."""
    requests = _BURST + (6 if options.quick else 30)
    repeats = 1 if options.quick else min(options.runs, 3)
    with world.demo_portal(
        "--contacts", "200", "--deals", "4000", "--limits", "standard"
    ) as portal:
        bucket = [_bucket(portal, requests) for _ in range(repeats)]
        refused = {billing: _operating(portal, billing) for billing in ("method", "batch", "both")}
    ideal = (requests - _BURST) / _PER_SECOND
    taken = statistics.median(seconds for seconds, _ in bucket)
    refusals = max(count for _, count in bucket)
    return [
        Figure(
            f"{requests} requests, 2 a second after a burst of 50", f"{taken:.2f} s",
            f"{taken / ideal:.3f} of the ideal {ideal:.1f} s", "<= 1.10", taken <= 1.1 * ideal,
        ),
        Figure("answers 503 in the worst run", str(refusals), "", "<= 3", refusals <= 3),
        Figure(
            f"one method refused for execution time ({_BUDGET:.0f} s a window, {_PAGE_SECONDS} s a page)",
            str(max(refused.values())), ", ".join(f"billed by {b}: {n}" for b, n in refused.items()),
            "<= 1 a window", max(refused.values()) <= 1,
        ),
    ]  # fmt: skip


def _bucket(portal: DemoPortal, requests: int) -> tuple[float, int]:
    """Seconds the requests took, and how many were refused."""
    portal.control(
        "limits", {"enabled": True, "bucket_size": _BURST, "drain_per_second": _PER_SECOND}
    )
    portal.control("counters/reset", {})
    client = _client(portal, Limits(burst=_BURST, per_second=_PER_SECOND))
    started = time.perf_counter()
    for _ in range(requests):
        client.call("crm.deal.list", {"select": ["ID"], "filter": {"ID": 1}, "start": -1})
    return time.perf_counter() - started, _refusals(portal, "QUERY_LIMIT_EXCEEDED")


def _operating(portal: DemoPortal, billing: str) -> int:
    """Most calls refused of a method while two methods use their budgets up, and knock once more."""
    portal.control(
        "limits",
        {
            "enabled": True, "bucket_size": 0, "operating_limit": _BUDGET,
            "page_seconds": _PAGE_SECONDS, "billing": billing,
        },
    )  # fmt: skip
    before = len(_exhausted(portal))
    client = _client(portal, Limits(per_second=float("inf")))

    def read() -> None:
        pages = client.list_all("crm.deal.list", params={"select": ["ID"]}, total_hint=4000)
        for _ in pages:
            pass

    def write() -> None:
        commands = {f"c{n}": ("crm.contact.get", {"id": n % 100 + 1}) for n in range(100)}
        for error in client.batch(commands).errors.values():
            raise error

    for work in (read, write, read, write):
        _until_closed(work)
    return max(Counter(_exhausted(portal)[before:]).values(), default=0)


def _until_closed(work: Callable[[], None]) -> None:
    try:
        work()
    except OperationTimeLimit:
        return


def _client(portal: DemoPortal, limits: Limits) -> Client:
    limiter = Limiter("bench", limits=limits).at(Priority.BACKGROUND)
    return Client(portal.webhook(), Webhook(), limiter, Http(allow_private=True))


def _exhausted(portal: DemoPortal) -> list[str]:
    """Methods of the calls refused for execution time."""
    log = portal.control("log?since=0&limit=100000")
    return [call["method"] for call in log if call["error"] == "OPERATION_TIME_LIMIT"]


def _refusals(portal: DemoPortal, code: str) -> int:
    return int(portal.control("counters").get(f"error:{code}", 0))
