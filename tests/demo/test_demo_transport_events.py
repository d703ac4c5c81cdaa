"""Online posts and the offline queue of the demo portal."""

from __future__ import annotations

import time

import pytest
import requests
from support.receiver import Receiver


@pytest.fixture
def receiver():
    with Receiver.listening() as receiver:
        yield receiver


@pytest.fixture
def app(portal, receiver):
    return portal.register(title="App", handler_url=f"{receiver.url}/", scopes=["crm"])


@pytest.fixture
def call(portal, app):
    """Calls a method as a user of the application."""
    tokens = {}

    def call(method, user_id=1, **params):
        if user_id not in tokens:
            tokens[user_id] = portal.open(app["client_id"], user_id=user_id)["body"]["AUTH_ID"]
        answer = requests.post(
            f"{portal.url}/rest/{method}", json={"auth": tokens[user_id], **params}, timeout=10
        ).json()
        return answer.get("result", answer)

    return call


def touch(portal, row_id=1, table="deal", user_id=6, **order):
    fields = {"COMMENTS": str(time.time())}
    order = {"action": "update", "id": row_id, "user_id": user_id, "fields": fields, **order}
    portal.control("mutate", {"table": table, **order})


def test_change_is_posted_with_the_actors_token(portal, app, receiver, call):
    handler = f"{receiver.url}/events"
    assert call("event.bind", event="OnCrmDealUpdate", handler=handler) is True
    touch(portal, 5)
    body = receiver.wait(1)[0]
    assert receiver.posts[0][0] == "/events"
    assert body["event"] == "ONCRMDEALUPDATE"
    assert body["data[FIELDS][ID]"] == "5"
    assert abs(int(body["ts"]) - time.time()) < 60
    assert body["event_handler_id"].isdigit()
    assert body["auth[application_token]"] == app["application_token"]
    assert body["auth[domain]"] == portal.domain
    assert body["auth[client_endpoint]"] == f"{portal.url}/rest/"
    assert body["auth[user_id]"] == "6"
    assert "auth[refresh_token]" not in body
    url = f"{portal.oauth_url}/rest/app.info/"
    told = requests.get(url, params={"auth": body["auth[access_token]"]}, timeout=10).json()
    assert told["result"]["user_id"] == "6"
    assert portal.control("events")[0]["status"] == 200


def test_auth_type_gives_the_tokens_of_a_chosen_user(portal, receiver, call):
    call("event.bind", event="ONCRMDEALUPDATE", handler=f"{receiver.url}/e", auth_type=2)
    touch(portal, user_id=6)
    assert receiver.wait(1)[0]["auth[user_id]"] == "2"


def test_event_without_tokens_and_handler_id(portal, receiver, call):
    portal.control("options", {"event_tokens": False, "event_handler_id": False})
    call("event.bind", event="ONCRMDEALUPDATE", handler=f"{receiver.url}/e")
    touch(portal)
    body = receiver.wait(1)[0]
    assert "event_handler_id" not in body
    assert "auth[access_token]" not in body
    assert body["auth[member_id]"]


def test_failed_delivery_is_never_repeated(portal, receiver, call):
    receiver.status = 500
    call("event.bind", event="ONCRMDEALUPDATE", handler=f"{receiver.url}/e")
    touch(portal)
    receiver.wait(1)
    time.sleep(0.5)
    assert len(receiver.posts) == 1
    assert [sent["status"] for sent in portal.control("events")] == [500]


def test_burst_is_delivered_concurrently(portal, receiver, call):
    receiver.pause = 0.5
    call("event.bind", event="ONCRMDEALUPDATE", handler=f"{receiver.url}/e")
    started = time.monotonic()
    for row_id in range(1, 11):
        touch(portal, row_id)
    ids = {body["data[FIELDS][ID]"] for body in receiver.wait(10)}
    assert ids == {str(n) for n in range(1, 11)}
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(("copies", "expected"), [(0, 0), (3, 3)])
def test_lost_and_repeated_events(portal, receiver, call, copies, expected):
    portal.control("options", {"event_copies": copies})
    call("event.bind", event="ONCRMDEALUPDATE", handler=f"{receiver.url}/e")
    touch(portal)
    receiver.until(lambda: len(receiver.posts) == expected)
    time.sleep(0.3)
    assert len(receiver.posts) == expected


def test_every_kind_of_change_has_its_event(portal, receiver, call):
    names = [f"ONCRMCONTACT{verb}" for verb in ("ADD", "UPDATE", "DELETE")]
    names.append("ONCRMDEALMOVETOCATEGORY")
    for name in [*names, "ONCRMDEALUPDATE"]:
        call("event.bind", event=name, handler=f"{receiver.url}/e")
    order = {"table": "contact", "action": "insert", "fields": {"NAME": "N"}}
    contact = portal.control("mutate", order)
    touch(portal, contact["id"], "contact")
    portal.control("mutate", {"table": "contact", "action": "delete", "id": contact["id"]})
    deal = portal.control("rows/deal?limit=1")[0]
    funnels = [row["ID"] for row in portal.control("rows/category")]
    category = next(number for number in funnels if number != deal["CATEGORY_ID"])
    touch(portal, deal["ID"], fields={"CATEGORY_ID": category})
    posts = receiver.wait(4)
    assert sorted(body["event"] for body in posts) == sorted(names)
    moved = next(body for body in posts if body["event"] == "ONCRMDEALMOVETOCATEGORY")
    assert moved["data[FIELDS][CATEGORY_ID]"] == str(category)


def test_silent_mutation_is_seen_by_nobody(portal, receiver, call):
    call("event.bind", event="ONCRMDEALUPDATE", handler=f"{receiver.url}/e")
    before = portal.control("rows/deal?ids=1")[0]
    touch(portal, silent=True)
    after = portal.control("rows/deal?ids=1")[0]
    assert after["COMMENTS"] != before.get("COMMENTS")
    assert after["DATE_MODIFY"] == before["DATE_MODIFY"]
    touch(portal)
    assert len(receiver.wait(1)) == 1


def test_binding_rules(portal, receiver, call):
    handler = f"{receiver.url}/e"
    wanted = {"event": "ONCRMDEALADD", "handler": handler}
    for name in ("NOSUCH", "ONUSERADD"):
        assert call("event.bind", event=name, handler=handler)["error"] == "ERROR_EVENT_NOT_FOUND"
    assert call("event.bind", **wanted) is True
    assert "Unable to set event handler" in call("event.bind", **wanted)["error_description"]
    for more in ({"event_type": "offline"}, {"auth_type": 1}):
        assert call("event.bind", 6, **wanted, **more)["error"] == "ACCESS_DENIED"
    assert call("event.bind", 6, **wanted) is True
    mine = {"event": "ONCRMDEALADD", "handler": handler, "auth_type": "6", "offline": 0}
    assert call("event.get", 6) == [mine]
    assert call("event.get") == [mine | {"auth_type": "0"}, mine]
    assert call("event.unbind", event="ONCRMDEALADD", handler=handler, auth_type=0) == {"count": 1}
    assert call("event.unbind", event="ONCRMDEALADD") == {"count": 1}
    hook = requests.post(f"{portal.webhook()}event.get", timeout=10).json()
    assert hook["error"] == "WRONG_AUTH_TYPE"


def test_event_test_echoes_its_parameters(receiver, call):
    call("event.bind", event="ONAPPTEST", handler=f"{receiver.url}/e")
    assert call("event.test", any="data") == 1
    assert receiver.wait(1)[0]["data[QUERY][any]"] == "data"


def test_api_only_application_is_told_of_its_installation(portal, receiver):
    app = portal.register(
        title="Quiet", handler_url=receiver.url, install_url=f"{receiver.url}/install",
        scopes=["crm"], api_only=True,
    )  # fmt: skip
    path, body = receiver.posts[0]
    assert path == "/install"
    assert (body["event"], body["data[INSTALLED]"]) == ("ONAPPINSTALL", "Y")
    assert body["auth[application_token]"] == app["application_token"]
    assert body["auth[refresh_token]"]
    assert app["install_status"] == 200


def test_uninstall_is_told_without_tokens(portal, app, receiver, call):
    call("event.bind", event="ONAPPUNINSTALL", handler=f"{receiver.url}/bye")
    portal.control(f"apps/{app['client_id']}/uninstall", {"clean": True})
    path, body = receiver.posts[0]
    assert (path, body["event"], body["data[CLEAN]"]) == ("/bye", "ONAPPUNINSTALL", "1")
    assert body["auth[application_token]"] == app["application_token"]
    assert "auth[access_token]" not in body


def test_unfinished_installation_gets_no_events(portal, receiver):
    app = portal.register(
        title="W", handler_url=receiver.url, install_url=f"{receiver.url}/install", scopes=["crm"]
    )
    token = portal.open(app["client_id"])["body"]["AUTH_ID"]
    bind = {"auth": token, "event": "ONCRMDEALUPDATE", "handler": f"{receiver.url}/e"}
    requests.post(f"{portal.url}/rest/event.bind", json=bind, timeout=10)
    touch(portal, 1)
    portal.control(f"apps/{app['client_id']}/finish", {})
    touch(portal, 2)
    receiver.wait(1)
    time.sleep(0.2)
    assert [body["data[FIELDS][ID]"] for _, body in receiver.posts] == ["2"]


def offline(call, connector=""):
    source = {"auth_connector": connector} if connector else {}
    for event in ("ONCRMDEALUPDATE", "ONCRMCONTACTUPDATE"):
        assert call("event.bind", event=event, event_type="offline", **source) is True


def test_offline_queue_keeps_one_row_per_object_and_event(portal, call):
    offline(call)
    for row_id in (1, 2, 1, 1):
        touch(portal, row_id)
    touch(portal, 1, "contact")
    rows = call("event.offline.list")
    assert [(r["EVENT_NAME"], r["EVENT_DATA"]["FIELDS"]["ID"]) for r in rows] == [
        ("ONCRMDEALUPDATE", 1), ("ONCRMDEALUPDATE", 2), ("ONCRMCONTACTUPDATE", 1),
    ]  # fmt: skip
    assert call("event.offline.list", filter={"EVENT_NAME": "ONCRMCONTACTUPDATE"}) == rows[2:]
    assert {r["PROCESS_ID"] for r in rows} == {""}
    assert len({r["MESSAGE_ID"] for r in rows}) == 3
    assert call("event.offline.list", 6)["error"] == "ACCESS_DENIED"


def test_offline_get_clears_at_once_unless_told_otherwise(portal, call):
    offline(call)
    touch(portal, 1)
    taken = call("event.offline.get")
    assert taken["process_id"] is None
    assert len(taken["events"]) == 1
    assert call("event.offline.get")["events"] == []


def test_reserved_rows_are_hidden_until_cleared_or_failed(portal, call):
    offline(call)
    for row_id in range(1, 6):
        touch(portal, row_id)
    first = call("event.offline.get", clear=0, limit=3)
    second = call("event.offline.get", clear=0, limit=3)
    assert (len(first["events"]), len(second["events"])) == (3, 2)
    assert call("event.offline.get", process_id=first["process_id"])["events"] == first["events"]
    touch(portal, 1)
    assert len(call("event.offline.get", clear=0)["events"]) == 1
    done, failed, left = first["events"]
    assert call("event.offline.clear", process_id=first["process_id"], id=[done["ID"]]) is True
    failing = {"process_id": first["process_id"], "message_id": [failed["MESSAGE_ID"]]}
    assert call("event.offline.error", **failing) is True
    assert call("event.offline.get", process_id=first["process_id"])["events"] == [left]
    assert call("event.offline.get", clear=0)["events"] == []
    assert call("event.offline.get", clear=0, error=1)["events"] == [failed]
    assert call("event.offline.clear", process_id=second["process_id"]) is True
    assert call("event.offline.get", process_id=second["process_id"])["events"] == []


def test_own_changes_stay_out_of_the_own_queue(portal, call):
    offline(call, "rubilnik")
    call("crm.deal.update", id=1, fields={"COMMENTS": "ours"}, auth_connector="rubilnik")
    call("crm.deal.update", id=2, fields={"COMMENTS": "theirs"}, auth_connector="another")
    command = "crm.deal.update?id=3&fields[COMMENTS]=ours"
    call("batch", cmd={"a": command}, auth_connector="rubilnik")
    touch(portal, 4)
    assert call("event.offline.list") == []
    rows = call("event.offline.list", auth_connector="rubilnik")
    assert [row["EVENT_DATA"]["FIELDS"]["ID"] for row in rows] == [2, 4]


def test_old_portal_queues_without_data(portal, call):
    portal.control("options", {"offline_data": False})
    offline(call)
    touch(portal)
    row = call("event.offline.get")["events"][0]
    assert (row["EVENT_DATA"], row["EVENT_ADDITIONAL"]) == (False, False)


def test_offline_queue_rings_a_bell(portal, receiver, call):
    offline(call)
    bell = {"event": "ONOFFLINEEVENT", "handler": f"{receiver.url}/bell"}
    call("event.bind", options={"minTimeout": 60}, auth_type=1, **bell)
    for row_id in (1, 2, 3):
        touch(portal, row_id)
    receiver.wait(1)
    time.sleep(0.2)
    assert [body["event"] for _, body in receiver.posts] == ["ONOFFLINEEVENT"]
    assert receiver.posts[0][1]["auth[refresh_token]"]
