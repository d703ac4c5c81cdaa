"""The demo portal judged by clients written for the real one: fast_bitrix24 and b24pysdk."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook, Client
from b24pysdk.api.callers.call_method import _MethodCaller
from b24pysdk.api.requesters.bitrix_oauth_requester import BitrixOAuthRequester
from b24pysdk.errors import BitrixAPIError, BitrixAPIInsufficientScope
from fast_bitrix24 import BitrixAsync

from demo.portal.process import demo_portal

pytestmark = pytest.mark.filterwarnings("ignore:You are selecting all fields")

KINDS = ("deal", "contact", "company", "lead")
MULTIFIELDS = ("PHONE", "EMAIL", "WEB", "IM")
SELECT = ["*", "UF_*", *MULTIFIELDS]
TYPE_IDS = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+]00:00|Z)")
RENAMED = "renamed.portal.example"


@pytest.fixture(scope="module")
def process():
    """A portal with hundreds of rows of each kind: many pages, several batches."""
    with demo_portal("--seed", "7", "--contacts", "240", "--deals", "2700") as portal:
        yield portal


@pytest.fixture
def full(process):
    """The portal, with its switches back in place afterwards."""
    process.control("counters/reset", {})
    yield process
    process.control("limits", {"enabled": False})
    process.control("rename", {"domain": process.domain})


@pytest.fixture
def plain_http(monkeypatch):
    """b24pysdk speaks https to portals; here it must do without."""
    monkeypatch.setattr(
        _MethodCaller, "_base_url", property(lambda self: f"http://{self._domain}/rest")
    )


@pytest.fixture
def sdk_hook(full, plain_http):
    path = urlsplit(full.webhook()).path.strip("/").removeprefix("rest/")
    return BitrixWebhook(domain=full.domain, webhook_token=path)


@pytest.fixture
def sdk_app(full, plain_http, monkeypatch):
    """A token as an application gets it from the frame it was opened in."""
    for name, path in (("_OAUTH_TOKEN_URL", "/oauth/token/"), ("_APP_INFO_URL", "/rest/app.info/")):
        monkeypatch.setattr(BitrixOAuthRequester, name, f"{full.oauth_url}{path}")
    form = full.register(title="SDK", handler_url="http://app.example.com/", scopes=["crm"])
    body = full.open(form["client_id"])["body"]
    app = BitrixApp(client_id=form["client_id"], client_secret=form["client_secret"])
    return BitrixToken(
        domain=full.domain,
        auth_token=body["AUTH_ID"],
        refresh_token=body["REFRESH_ID"],
        bitrix_app=app,
    )


def truth(portal, kind):
    """Canonical rows a classic list shows, by id."""
    rows = portal.control(f"rows/{kind}?limit=100000")
    shown = rows if kind in ("deal", "lead") else [r for r in rows if not r.get("CATEGORY_ID")]
    return {row["ID"]: row for row in shown}


def same(kept, told):
    """Whether a value told by a classic method is the kept one."""
    if kept is None or kept == "" or kept == []:
        return told in (None, "", "0", "0.00", False, [], "N")
    if isinstance(kept, list):
        return sorted(map(str, kept)) == sorted(map(str, told))
    if isinstance(kept, bool):
        return told == str(int(kept))
    if isinstance(kept, int | float):
        return Decimal(told) == Decimal(str(kept)) if told else not kept
    if ISO_MOMENT.fullmatch(kept):
        return datetime.fromisoformat(told) == datetime.fromisoformat(kept)
    if ISO_DATE.fullmatch(kept) and ISO_MOMENT.fullmatch(f"{told[:19]}Z"):
        return datetime.fromisoformat(told).astimezone(UTC).date() == date.fromisoformat(kept)
    return kept == told


def communications(values):
    return sorted((str(v["VALUE"]), v["VALUE_TYPE"]) for v in values or [])


def differences(portal, kind, rows):
    """Every value in which the rows told differ from those kept."""
    kept = truth(portal, kind)
    assert sorted(int(row["ID"]) for row in rows) == sorted(kept)
    wrong = []
    for row in rows:
        original = kept[int(row["ID"])]
        filled = {name for name, value in original.items() if value not in (None, "", [])}
        assert filled - row.keys() <= {
            "CONTACT_IDS",
            "COMPANY_IDS",
            "PRODUCT_ROWS",
        }  # not in classic lists
        for name, told in row.items():
            if name in MULTIFIELDS:
                equal = communications(original.get(name)) == communications(told)
            else:
                equal = same(original.get(name), told)
            if not equal:
                wrong.append((row["ID"], name, original.get(name), told))
    return wrong


def read_by_fast(portal, method, params, **settings):
    async def read():
        client = BitrixAsync(portal.webhook(), verbose=False, **settings)
        return await client.get_all(method, params)

    return asyncio.run(read())


@pytest.mark.parametrize("kind", KINDS)
def test_fast_bitrix24_reads_every_row_and_value(full, kind):
    rows = read_by_fast(full, f"crm.{kind}.list", {"select": SELECT})
    assert differences(full, kind, rows) == []
    assert len(rows) > 50
    assert {"ID", "DATE_CREATE", "ASSIGNED_BY_ID"} <= rows[0].keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["call_list", "call_list_fast"])
def test_b24pysdk_reads_every_row_and_value_by_webhook(full, sdk_hook, kind, call):
    result = getattr(sdk_hook, call)(f"crm.{kind}.list", {"select": SELECT})["result"]
    assert differences(full, kind, list(result)) == []


def test_b24pysdk_reads_items_by_oauth(full, sdk_app):
    for kind, type_id in TYPE_IDS.items():
        params = {"entityTypeId": type_id, "select": ["id", "createdTime", "assignedById"]}
        items = list(sdk_app.call_list("crm.item.list", params)["result"])
        kept = {row["ID"]: row for row in full.control(f"rows/{kind}?limit=100000")}
        assert sorted(item["id"] for item in items) == sorted(kept)
        for item in items:
            row = kept[item["id"]]
            assert item["assignedById"] == row["ASSIGNED_BY_ID"]
            created = datetime.fromisoformat(item["createdTime"])
            assert created == datetime.fromisoformat(row["DATE_CREATE"])


def product_rows(portal):
    return {
        deal["ID"] * 1000 + row["N"]: (deal["ID"], row.get("PRODUCT_ID", 0), row["PRICE"])
        for deal in truth(portal, "deal").values()
        for row in deal.get("PRODUCT_ROWS") or ()
    }


def test_b24pysdk_reads_product_rows_of_many_deals_and_the_catalog(full, sdk_hook):
    kept = product_rows(full)
    owners = sorted({deal for deal, _, _ in kept.values()})
    found = {}
    for start in range(0, len(owners), 500):
        wanted = {"=ownerType": "D", "=ownerId": owners[start : start + 500]}
        rows = sdk_hook.call_list("crm.item.productrow.list", {"filter": wanted})["result"]
        found |= {row["id"]: (row["ownerId"], row["productId"], row["price"]) for row in rows}
    assert found == kept
    asked = {"select": ["id", "iblockId", "name"], "filter": {"iblockId": 23}}
    products = list(sdk_hook.call_list("catalog.product.list", asked)["result"])
    named = {
        row["ID"]: row["NAME"] for row in full.control("rows/product") if row["IBLOCK_ID"] == 23
    }
    assert {row["id"]: row["name"] for row in products} == named


def test_fast_bitrix24_reads_product_rows_deal_by_deal(full):
    kept = product_rows(full)
    owners = sorted({deal for deal, _, _ in kept.values()})[:120]

    async def fetch():
        client = BitrixAsync(full.webhook(), verbose=False)
        return await client.get_by_ID("crm.deal.productrows.get", owners)

    fetched = asyncio.run(fetch())
    rows = [row for rows in fetched.values() for row in rows]
    assert {int(row["ID"]): row["PRICE"] for row in rows} == {
        key: price for key, (deal, _, price) in kept.items() if deal in owners
    }


def test_fast_bitrix24_filters_and_fetches_by_id(full):
    won = {"filter": {"STAGE_SEMANTIC_ID": "S", ">OPPORTUNITY": 1000}, "select": ["ID"]}
    ids = {int(row["ID"]) for row in read_by_fast(full, "crm.deal.list", won)}
    kept = truth(full, "deal").values()
    right = {
        row["ID"] for row in kept if row["STAGE_SEMANTIC_ID"] == "S" and row["OPPORTUNITY"] > 1000
    }
    assert ids == right

    async def fetch():
        client = BitrixAsync(full.webhook(), verbose=False)
        return await client.get_by_ID("crm.deal.get", sorted(right)[:120])

    fetched = asyncio.run(fetch())
    assert {int(key) for key in fetched} == set(sorted(right)[:120])
    assert all(row["ID"] == key for key, row in fetched.items())


def test_b24pysdk_reads_a_batch_with_mixed_results(sdk_hook):
    answer = sdk_hook.call_batch(
        {"good": ("crm.deal.get", {"id": 1}), "bad": ("crm.deal.get", {"id": 10**9})}
    )["result"]
    assert answer["result"]["good"]["ID"] == "1"
    assert answer["result_error"]["bad"]["error_description"] == "Not found"
    unnamed = sdk_hook.call_batch([("crm.deal.get", {"id": 1}), ("crm.deal.get", {"id": 2})])
    assert [row["ID"] for row in unnamed["result"]["result"]] == ["1", "2"]


def test_b24pysdk_refreshes_an_expired_token_and_goes_on(full, sdk_app):
    before = (sdk_app.auth_token, sdk_app.refresh_token)
    full.control("tokens/expire", {})
    rows = list(sdk_app.call_list_fast("crm.contact.list", {"select": ["ID"]})["result"])
    assert len(rows) == len(truth(full, "contact"))
    assert {sdk_app.auth_token, sdk_app.refresh_token}.isdisjoint(before)
    assert full.counters()["oauth.token"] == 1


def test_b24pysdk_plans_a_call_and_shows_a_letter_in_the_timeline(sdk_app):
    activity = Client(sdk_app).crm.activity
    deadline = "2030-01-01T15:00:00+00:00"
    asked = {"ownerTypeId": 3, "ownerId": 1, "deadline": deadline, "title": "Позвонить"}
    todo = sdk_app.call_method("crm.activity.todo.add", asked)["result"]
    made = activity.get(bitrix_id=todo["id"]).result
    assert (made["PROVIDER_ID"], made["SUBJECT"], made["COMPLETED"]) == (
        "CRM_TODO",
        "Позвонить",
        "N",
    )
    assert datetime.fromisoformat(made["DEADLINE"]) == datetime.fromisoformat(deadline)
    text = {"type": "text", "properties": {"value": "Скидка"}}
    layout = {
        "icon": {"code": "info"},
        "header": {"title": "Письмо"},
        "body": {"logo": {"code": "notification"}, "blocks": {"subject": text}},
    }
    added = activity.configurable.add(
        owner_type_id=3, owner_id=1, fields={"completed": True}, layout=layout
    ).result["activity"]["id"]
    told = activity.configurable.get(bitrix_id=added).result["activity"]
    assert (told["layout"], told["fields"]["completed"]) == (layout, True)
    with pytest.raises(BitrixAPIError, match="required"):
        sdk_app.call_method(
            "crm.activity.configurable.update", {"id": added, "fields": {}, "layout": {"icon": {}}}
        )


def test_b24pysdk_understands_app_info_of_the_oauth_server(full, sdk_app):
    info = sdk_app.get_app_info().result
    assert info.client_id == sdk_app.bitrix_app.client_id
    assert info.install.domain == full.domain
    assert info.install.member_id == full.control("/")["member_id"]


def test_b24pysdk_reports_dead_refresh_tokens_and_missing_scopes(full, sdk_app):
    with pytest.raises(BitrixAPIInsufficientScope):
        sdk_app.call_method("im.notify.system.add", {"USER_ID": 1, "MESSAGE": "x"})
    full.control("tokens/kill", {})
    with pytest.raises(BitrixAPIError) as refused:
        sdk_app.call_method("profile")
    assert refused.value.error.upper() == "INVALID_TOKEN"


def test_b24pysdk_follows_a_renamed_portal(full, sdk_app, monkeypatch):
    full.control("rename", {"domain": "first.portal.example"})
    sdk_app.domain = "first.portal.example"
    monkeypatch.setenv("http_proxy", full.url)  # every name leads to the emulator
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert sdk_app.call_method("crm.deal.get", {"id": 1})["result"]["ID"] == "1"
    full.control("rename", {"domain": RENAMED})
    rows = list(sdk_app.call_list("crm.company.list", {"select": ["ID"]})["result"])
    assert len(rows) == len(truth(full, "company"))
    assert sdk_app.domain == RENAMED


def test_b24pysdk_waits_out_the_bucket(full, sdk_hook):
    full.control("limits", {"enabled": True, "bucket_size": 2, "drain_per_second": 2})
    for _ in range(4):
        params = {"select": ["ID"], "filter": {"ID": 1}}
        answer = sdk_hook.call_method("crm.deal.list", params, initial_retry_delay=0.7)
        assert answer["result"] == [{"ID": "1"}]
    assert full.counters()["error:QUERY_LIMIT_EXCEEDED"] >= 1


def test_fast_bitrix24_survives_refusals_with_nothing_lost(full):
    """Two requests are refused as a full bucket refuses them, however slow the machine is."""
    full.fault("error", "batch", status=503, code="QUERY_LIMIT_EXCEEDED", times=2)
    rows = read_by_fast(full, "crm.deal.list", {"select": SELECT}, batch_size=10)
    assert differences(full, "deal", rows) == []
    assert [rule["hits"] for rule in full.control("faults")] == [2]
