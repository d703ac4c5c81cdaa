"""The generator keeps its promises: sameness, integrity, and every oddity it advertises."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from demo.data.dictionaries import HIRING, REPEAT, SALES
from demo.data.generate import TABLES, generate
from demo.data.load import load
from demo.data.sizes import PRESETS, Sizes
from demo.portal.store import Store

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def tables():
    dataset = generate(7, Sizes.preset("small"), NOW)
    return {name: list(rows) for name, rows in dataset.tables()}


def find(rows, **wanted):
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def texts(rows, field):
    return [value["VALUE"] for row in rows for value in row.get(field, ())]


def test_same_seed_tells_the_same_story_and_another_seed_another():
    one, two, other = (generate(seed, Sizes(), NOW) for seed in (5, 5, 6))
    for table in TABLES:
        assert list(one.rows(table)) == list(two.rows(table)) == list(one.rows(table))
    for table in ("company", "contact", "lead", "deal", "activity"):
        assert list(one.rows(table)) != list(other.rows(table))


def test_reading_tables_in_another_order_changes_nothing():
    forward, backward = generate(5, Sizes(), NOW), generate(5, Sizes(), NOW)
    told = {table: list(backward.rows(table)) for table in reversed(TABLES)}
    assert told == {table: list(forward.rows(table)) for table in TABLES}


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_presets_give_the_promised_counts(name):
    sizes = PRESETS[name]
    dataset = generate(1, sizes, NOW)
    for table, count in (
        ("contact", sizes.contacts),
        ("deal", sizes.deals),
        ("company", sizes.companies),
        ("lead", sizes.leads),
        ("activity", sizes.activities),
    ):
        assert sum(1 for _ in dataset.rows(table)) == count


@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(contacts=0, deals=0, companies=0, leads=0, activities=0),
        Sizes(contacts=0, deals=7, companies=1, leads=3, activities=2),
        Sizes(contacts=1, deals=1, companies=0, leads=0, activities=1),
        Sizes(contacts=3, deals=40, companies=2, leads=9, activities=9),
        Sizes(contacts=25, deals=0, companies=5, leads=0, activities=5),
    ],
)
def test_edge_sizes_are_honoured(sizes):
    dataset = generate(3, sizes, NOW)
    rows = {name: list(made) for name, made in dataset.tables()}
    assert [len(rows[name]) for name in ("contact", "deal", "company", "lead")] == [
        sizes.contacts, sizes.deals, sizes.companies, sizes.leads,
    ]  # fmt: skip


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="negative"):
        Sizes(contacts=-1)
    with pytest.raises(ValueError, match="aware"):
        generate(1, Sizes(), datetime(2026, 1, 1))


def test_ids_are_gapless_and_creation_follows_them(tables):
    for name in TABLES:
        ids = [row["ID"] for row in tables[name]]
        first = {"category": 0, "catalog": 23}.get(name, 1)
        assert ids == list(range(first, first + len(ids))), name
    for name in ("company", "contact", "lead", "deal"):
        created = [row["DATE_CREATE"] for row in tables[name]]
        assert created == sorted(created), name
        assert all(row["DATE_CREATE"] <= row["DATE_MODIFY"] <= NOW for row in tables[name])
        assert all(moment.microsecond == 0 and moment.tzinfo is UTC for moment in created)
    starts = [row["CREATED"] for row in tables["activity"]]
    assert starts == sorted(starts)


def test_deals_span_three_years(tables):
    moved = [row["MOVED_TIME"] for row in tables["deal"]]
    assert (max(moved) - min(moved)).days > 3 * 365
    assert max(moved) <= NOW


def test_every_link_leads_somewhere(tables):
    ids = {name: {row["ID"] for row in rows} for name, rows in tables.items()}
    for row in tables["deal"]:
        assert set(row.get("CONTACT_IDS", ())) <= ids["contact"]
        assert row.get("CONTACT_ID", 0) == (row.get("CONTACT_IDS") or [0])[0]
        assert len(set(row.get("CONTACT_IDS", ()))) == len(row.get("CONTACT_IDS", ()))
        assert row.get("COMPANY_ID", 1) in ids["company"]
        assert row.get("LEAD_ID", 1) in ids["lead"]
        if contact := row.get("CONTACT_ID"):
            assert tables["contact"][contact - 1]["DATE_CREATE"] < row["DATE_CREATE"]
    for row in tables["contact"]:
        assert set(row.get("COMPANY_IDS", ())) <= ids["company"]
        if lead := row.get("LEAD_ID"):
            assert tables["lead"][lead - 1]["CONTACT_ID"] == row["ID"]
    for row in tables["lead"]:
        assert row.get("CONTACT_ID", 1) in ids["contact"]
    owners = {1: "lead", 2: "deal", 3: "contact", 4: "company"}
    for row in tables["activity"]:
        for bound in row["BINDINGS"]:
            assert bound["OWNER_ID"] in ids[owners[bound["OWNER_TYPE_ID"]]]


def test_every_code_is_in_its_dictionary(tables):
    known = {(row["ENTITY_ID"], row["STATUS_ID"]) for row in tables["status"]}
    currencies = {row["CURRENCY"] for row in tables["currency"]}
    for row in tables["deal"]:
        category = row["CATEGORY_ID"]
        assert (f"DEAL_STAGE_{category}" if category else "DEAL_STAGE", row["STAGE_ID"]) in known
        assert row["CURRENCY_ID"] in currencies
        assert ("DEAL_TYPE", row["TYPE_ID"]) in known
    for row in tables["lead"]:
        assert ("STATUS", row["STATUS_ID"]) in known
    for row in tables["contact"] + tables["lead"] + tables["deal"]:
        assert "SOURCE_ID" not in row or ("SOURCE", row["SOURCE_ID"]) in known
    for row in tables["contact"]:
        assert ("CONTACT_TYPE", row["TYPE_ID"]) in known
    for row in tables["company"]:
        assert ("COMPANY_TYPE", row["COMPANY_TYPE"]) in known
        assert ("INDUSTRY", row["INDUSTRY"]) in known
        assert ("EMPLOYEES", row["EMPLOYEES"]) in known


def test_stages_agree_with_their_meaning(tables):
    meaning = {
        (row["ENTITY_ID"], row["STATUS_ID"]): row["SEMANTICS"] or "P" for row in tables["status"]
    }
    for row in tables["deal"]:
        category = row["CATEGORY_ID"]
        entity = f"DEAL_STAGE_{category}" if category else "DEAL_STAGE"
        assert row["STAGE_SEMANTIC_ID"] == meaning[entity, row["STAGE_ID"]]
        assert (row.get("CLOSED") == "Y") == (row["STAGE_SEMANTIC_ID"] != "P")
    apologies = {row["STATUS_ID"] for row in tables["status"] if _extra(row) == "apology"}
    assert {"APOLOGY", "C1:APOLOGY", "C2:APOLOGY"} <= apologies
    stages = Counter(row["STAGE_ID"] for row in tables["deal"])
    assert {"WON", "LOSE", "APOLOGY", "C1:WON", "C1:LOSE", "C2:WON", "NEW"} <= set(stages)


def _extra(row):
    return (row["EXTRA"] or {}).get("SEMANTICS")


def test_values_fit_their_custom_fields(tables):
    native = {
        "string": str, "integer": int, "double": float, "boolean": bool, "date": date,
        "datetime": datetime, "money": str, "url": str, "address": str, "enumeration": int,
        "employee": int, "crm": str, "crm_status": str,
    }  # fmt: skip
    filled = set()
    for name in ("lead", "deal", "contact", "company"):
        specs = {
            row["FIELD_NAME"]: row
            for row in tables["userfield"]
            if row["ENTITY_ID"] == f"CRM_{name.upper()}"
        }
        for row in tables[name]:
            for key in row.keys() & specs.keys():
                spec, value = specs[key], row[key]
                filled.add(spec["USER_TYPE_ID"])
                assert isinstance(value, list) == (spec["MULTIPLE"] == "Y")
                for part in value if isinstance(value, list) else [value]:
                    assert type(part) is native[spec["USER_TYPE_ID"]]
                    if spec["USER_TYPE_ID"] == "enumeration":
                        assert part in {item["ID"] for item in spec["LIST"]}
            assert {key for key in row if key.startswith("UF_")} <= specs.keys()
    assert filled == set(native)


def test_list_items_have_their_own_ids(tables):
    items = [item["ID"] for row in tables["userfield"] for item in row.get("LIST", ())]
    assert len(items) == len(set(items)) > 20


def test_history_ends_where_the_deal_is(tables):
    of_deal = {}
    for row in find(tables["stagehistory"], ENTITY_TYPE_ID=2):
        of_deal.setdefault(row["OWNER_ID"], []).append(row)
    assert of_deal.keys() == {row["ID"] for row in tables["deal"]}
    for deal in tables["deal"]:
        events = of_deal[deal["ID"]]
        assert events[0]["TYPE_ID"] == 1
        assert events[0]["CREATED_TIME"] == deal["DATE_CREATE"]
        last = events[-1]
        assert (last["STAGE_ID"], last["CATEGORY_ID"], last["STAGE_SEMANTIC_ID"]) == (
            deal["STAGE_ID"], deal["CATEGORY_ID"], deal["STAGE_SEMANTIC_ID"],
        )  # fmt: skip
        if last["TYPE_ID"] == 3:
            assert last["CREATED_TIME"] == deal["MOVED_TIME"]
        assert all(a["CREATED_TIME"] <= b["CREATED_TIME"] for a, b in pairwise(events))
    reopened = [
        events
        for events in of_deal.values()
        if sum(event["STAGE_SEMANTIC_ID"] == "S" for event in events) > 1
    ]
    assert reopened
    assert find(tables["stagehistory"], TYPE_ID=5)
    assert {row["STAGE_ID"] for row in find(tables["stagehistory"], ENTITY_TYPE_ID=1)} >= {
        "NEW", "CONVERTED", "JUNK",
    }  # fmt: skip


def test_users_have_the_promised_roles(tables):
    users = tables["user"]
    assert 8 <= len(users) <= 12
    assert len(find(users, ADMIN="Y")) == 2
    assert len(find(users, ACTIVE=False)) == 1
    assert {row["CRM_RIGHTS"] for row in users} == {"A", "D", "S", ""}
    departments = {row["ID"] for row in tables["department"]}
    assert all(set(row["UF_DEPARTMENT"]) <= departments for row in users)
    owners = {row["ASSIGNED_BY_ID"] for row in tables["deal"]}
    assert owners - {row["ID"] for row in users}, "some owners are never listed by user.get"


def test_dictionaries_are_complete(tables):
    entities = {row["ENTITY_ID"] for row in tables["status"]}
    assert entities == {
        "DEAL_STAGE", "DEAL_STAGE_1", "DEAL_STAGE_2", "STATUS", "SOURCE", "CONTACT_TYPE",
        "COMPANY_TYPE", "DEAL_TYPE", "INDUSTRY", "EMPLOYEES", "HONORIFIC",
    }  # fmt: skip
    assert [row["ID"] for row in tables["category"]] == [SALES, REPEAT, HIRING]
    base = find(tables["currency"], BASE="Y")
    assert [row["CURRENCY"] for row in base] == ["RUB"]
    assert find(tables["currency"], CURRENCY="KZT")[0]["AMOUNT_CNT"] == 100


def test_the_money_oddities_exist(tables):
    deals = tables["deal"]
    won = find(deals, STAGE_SEMANTIC_ID="S")
    assert any(row["OPPORTUNITY"] < 0 for row in won)
    assert any(row["OPPORTUNITY"] == 0 for row in won)
    assert find(won, IS_RECURRING="Y")
    assert any(row["OPPORTUNITY"] > 0 for row in find(won, CATEGORY_ID=HIRING))
    assert len({row["CURRENCY_ID"] for row in won}) >= 4
    assert any(row["CLOSEDATE"] != row["MOVED_TIME"].date() for row in won)
    assert all("CLOSEDATE" in row for row in won)
    assert any("CLOSEDATE" not in row for row in find(deals, STAGE_SEMANTIC_ID="P"))


def test_the_link_oddities_exist(tables):
    deals = tables["deal"]
    assert any(len(row.get("CONTACT_IDS", ())) > 1 for row in deals)
    assert any("COMPANY_ID" in row and "CONTACT_ID" not in row for row in deals)
    sales = [row for row in deals if row["CATEGORY_ID"] != HIRING]
    assert any("COMPANY_ID" not in row and "CONTACT_ID" not in row for row in sales)
    assert len(find(tables["company"], IS_MY_COMPANY="Y")) == 1
    assert any(len(row.get("COMPANY_IDS", ())) > 1 for row in tables["contact"])


def test_clients_come_back_as_real_ones_do(tables):
    won = [row for row in tables["deal"] if row["STAGE_SEMANTIC_ID"] == "S"]
    counts = Counter(row["CONTACT_ID"] for row in won if row.get("CONTACT_ID"))
    once = sum(1 for count in counts.values() if count == 1)
    assert 0.1 < once / len(counts) < 0.7
    assert max(counts.values()) >= 8
    never = len(tables["contact"]) - len(counts)
    assert never > len(tables["contact"]) * 0.1


def test_dirty_addresses_exist(tables):
    phones = texts(tables["contact"], "PHONE")
    assert any(phone.startswith("8 (9") for phone in phones)
    assert any(phone.startswith("+79") for phone in phones)
    assert any("доб." in phone for phone in phones)
    assert any("," in phone for phone in phones)
    assert any(sum(map(str.isdigit, phone)) < 10 for phone in phones)
    emails = texts(tables["contact"], "EMAIL")
    assert any(email != email.lower() for email in emails)
    assert any(email != email.strip() for email in emails)
    assert any("пример.испытание" in email for email in emails)
    assert any(email.count("@") != 1 for email in emails)
    kinds = {v["VALUE_TYPE"] for row in tables["contact"] for v in row.get("IM", ())}
    assert kinds == {"TELEGRAM", "VK", "OPENLINE"}
    assert any(text.startswith("imol|") for text in texts(tables["contact"], "IM"))
    assert all(row.get("HAS_IMOL") != "Y" or row["IM"] for row in tables["contact"])


def test_multifield_values_have_ids_of_their_own(tables):
    values = [
        value["ID"]
        for name in ("company", "contact", "lead")
        for row in tables[name]
        for field in ("PHONE", "EMAIL", "WEB", "IM")
        for value in row.get(field, ())
    ]
    assert len(values) == len(set(values)) > 500


def test_the_same_person_occurs_twice(tables):
    people = Counter(
        (row["NAME"], row["LAST_NAME"], tuple(v["VALUE"].strip().lower() for v in row["EMAIL"]))
        for row in tables["contact"]
        if row.get("EMAIL")
    )
    assert max(people.values()) >= 2


def test_names_break_naive_code(tables):
    names = " ".join(row["LAST_NAME"] for row in tables["contact"])
    assert "ё" in names
    assert "-" in names
    assert "\x00" in "".join(row["NAME"] for row in tables["contact"])
    assert any(len(row["LAST_NAME"]) > 250 for row in tables["contact"])
    assert any(ord(char) > 0xFFFF for row in tables["contact"] for char in row["NAME"])
    assert any(row["NAME"].isascii() and row["NAME"] for row in tables["contact"])


def test_the_first_contacts_are_fit_to_be_shown(tables):
    won = find(tables["deal"], STAGE_SEMANTIC_ID="S")
    buyers = Counter(row["CONTACT_ID"] for row in won if "CONTACT_ID" in row)
    for row in tables["contact"][:12]:
        assert buyers[row["ID"]] >= 1
        assert row["PHONE"][0]["VALUE"].startswith("+")
        assert row["EMAIL"][0]["VALUE"].islower()


def test_a_tidy_portal_has_no_dirty_names():
    dataset = generate(7, Sizes.preset("small").with_dirty(False), NOW)
    for row in [*dataset.rows("contact"), *dataset.rows("company")]:
        name = row.get("LAST_NAME") or row["TITLE"]
        assert "\x00" not in name
        assert len(name) < 80


def test_leads_of_every_status_and_foreign_ones_exist(tables):
    leads = tables["lead"]
    statuses = {row["STATUS_ID"] for row in find(tables["status"], ENTITY_ID="STATUS")}
    assert {row["STATUS_ID"] for row in leads} == statuses
    assert {row["UF_CRM_FOREIGN"] for row in leads} == {True, False}
    assert all(row["CONTACT_IDS"] for row in find(leads, STATUS_ID="CONVERTED"))
    assert any("UTM_SOURCE" in row for row in leads)


def test_activities_of_every_kind_exist(tables):
    kinds = {(row["TYPE_ID"], row["DIRECTION"]) for row in tables["activity"]}
    assert {(2, 1), (2, 2), (4, 1), (4, 2), (1, 2), (6, 2)} <= kinds
    missed = find(tables["activity"], SETTINGS={"MISSED_CALL": True})
    assert missed
    assert all(row["TYPE_ID"] == 2 and row["COMPLETED"] == "N" for row in missed)


def test_the_store_takes_everything(tables):
    store = Store()
    load(store, generate(7, Sizes.preset("small"), NOW))
    for name, rows in tables.items():
        assert len(store.tables[name]) == len(rows)
    for wanted in tables["deal"][::97]:
        stored = store.tables["deal"].get(wanted["ID"])
        for key, value in wanted.items():
            assert (list(stored[key]) if isinstance(value, list) else stored[key]) == value, key
