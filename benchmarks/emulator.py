"""The demo portal itself: list pages a second, so that it is not what other figures measure."""

from __future__ import annotations

from benchmarks import world
from benchmarks.report import Figure, Options, rounds
from core.http import Http
from integration.bitrix.client import Client, Webhook
from integration.bitrix.limiter import Limiter, Limits

TITLE = "Demo portal, limits off"
_CHAIN = 50
_FIELDS = [
    *("ID", "TITLE", "STAGE_ID", "STAGE_SEMANTIC_ID", "CATEGORY_ID", "OPPORTUNITY"),
    *("CURRENCY_ID", "CONTACT_ID", "COMPANY_ID", "CLOSEDATE", "BEGINDATE", "ASSIGNED_BY_ID"),
    *("SOURCE_ID", "DATE_CREATE", "DATE_MODIFY"),
]


def measure(options: Options) -> list[Figure]:
    """Batches of 50 chained pages with 15 fields: as they are read first, and read again."""
    batches = 2 if options.quick else 20
    deals = 50 * _CHAIN * batches
    with world.demo_portal("--contacts", str(deals // 4), "--deals", str(deals)) as portal:
        limiter = Limiter("bench", limits=Limits.off())
        client = Client(portal.webhook(), Webhook(), limiter, Http(allow_private=True))

        def read() -> None:
            params = {"select": _FIELDS}
            pages = client.list_all("crm.deal.list", params=params, total_hint=deals)
            assert sum(len(page.rows) for page in pages) == deals

        first = rounds({"first": read}, 1)["first"][0]
        again = sorted(rounds({"again": read}, options.runs)["again"])[options.runs // 2]
    pages = deals / 50
    return [
        Figure(f"{pages:,.0f} pages, first reading", f"{pages / first:,.0f} pages/s"),
        Figure(
            "the same pages again", f"{pages / again:,.0f} pages/s", "", ">= 1,000 pages/s",
            pages / again >= 1000,
        ),
    ]  # fmt: skip
