"""Server time of the tab on a client's card, and of the start page, on a large base."""

from __future__ import annotations

import statistics
from dataclasses import replace
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask.testing import FlaskClient

from benchmarks import mirror, world
from benchmarks.metrics import QUICK_SIZES, SIZES
from benchmarks.report import Figure, Options, percentile, timed
from benchmarks.world import DemoPortal
from core.clock import utcnow
from core.database import transaction
from core.web import session as sessions
from core.web.session import LIFETIME, Viewer
from integration.models import Portal
from segments import first_run
from segments.worth import metrics

TITLE = "Pages on a large base"
_TAB = "CRM_CONTACT_DETAIL_TAB"
_GOAL = 0.2


def measure(options: Options) -> list[Figure]:
    """The tab is opened as the portal opens it: the viewer's proof at the portal is included."""
    contacts, deals = QUICK_SIZES if options.quick else SIZES
    opened = 10 if options.quick else 100
    with (
        world.servers(options.data) as plain,
        world.demo_portal(
            *("--contacts", "1000", "--deals", "1000", "--member-id", mirror.MEMBER_ID)
        ) as portal,
    ):
        form = {"title": "Bench", "handler_url": "https://app.example.com/", "scopes": ["crm"]}
        keys = portal.control("apps", form)
        settings = replace(
            plain,
            b24_oauth_urls=(portal.oauth_url,),
            b24_client_id=keys["client_id"],
            b24_client_secret=keys["client_secret"],
        )
        made = world.runtime(settings)
        portal_id = mirror.provide(made, contacts, deals)
        with transaction(made.sessions) as session:
            row = session.get_one(Portal, portal_id)
            first_run.close(session, portal_id, user_id=1)
            row.domain, row.scheme = portal.domain, "http"
            row.endpoint, row.oauth_url = f"{portal.url}/rest/", portal.oauth_url
            if metrics.is_stale(session, portal_id):
                metrics.compute_all(session, portal_id)
        made.engine.dispose()
        from app import create_app  # noqa: PLC0415 - it installs the process's runtime

        client = create_app(settings).test_client()
        buyers = _buyers(made, portal_id, opened)
        tab = [_open_tab(client, portal, keys["client_id"], buyer) for buyer in buyers]
        home = [_open_home(client, settings.secret_key, portal_id) for _ in range(opened)]
        made.engine.dispose()
    return [_figure("the tab of a contact", tab[1:]), _figure("the start page", home[1:])]


def _figure(what: str, seconds: list[float]) -> Figure:
    median, slow = statistics.median(seconds), percentile(seconds, 0.95)
    value = f"median {1000 * median:.0f} ms, p95 {1000 * slow:.0f} ms"
    share = f"{median / _GOAL:.2f} of the goal"
    return Figure(what, value, share, f"< {1000 * _GOAL:.0f} ms", slow < _GOAL)


def _buyers(made: world.Runtime, portal_id: int, number: int) -> list[int]:
    """Clients the demo portal has under the same id."""
    query = "SELECT client_id FROM client_metrics WHERE portal_id = :portal_id AND kind = 'contact'"
    with made.sessions() as session:
        found = session.scalars(
            sa.text(f"{query} AND client_id <= 900 ORDER BY random() LIMIT :number"),
            {"portal_id": portal_id, "number": number},
        )
        return list(found)


def _open_tab(client: FlaskClient, portal: DemoPortal, client_id: str, buyer: int) -> float:
    order = {"user_id": 1, "placement": _TAB, "options": {"ID": str(buyer)}}
    order["handler"] = f"https://app.example.com/placement/{_TAB.lower()}"
    frame = portal.control(f"apps/{client_id}/open", order)
    address = urlsplit(frame["url"])

    def work() -> None:
        answer = client.post(f"{address.path}?{address.query}", data=frame["body"])
        assert answer.status_code == 200, answer.get_data(as_text=True)

    return timed(work)


def _open_home(client: FlaskClient, secret_key: str, portal_id: int) -> float:
    viewer = Viewer(portal_id, 1, True, "ru", "DEFAULT", None, utcnow() + LIFETIME)
    token = sessions.issue(secret_key, viewer)

    def work() -> None:
        answer = client.get("/home", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.get_data(as_text=True)

    return timed(work)
