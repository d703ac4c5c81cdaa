"""Forms that Bitrix24 posts, and forms that only pretend to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.bitrix.payloads import EventPost, FramePost, MalformedPayload, decode

MEMBER = "a223c6b3710f85df22e9377d6c4f7553"
QUERY = b"DOMAIN=Portal.Example.com&PROTOCOL=1&LANG=ru&APP_SID=dd8c0"
BODY = (
    "AUTH_ID=acc&AUTH_EXPIRES=3600&REFRESH_ID=ref&SERVER_ENDPOINT=https%3A%2F%2Foauth.bitrix24.tech"
    f"%2Frest%2F&APPLICATION_TOKEN=app&APPLICATION_SCOPE=crm%2Cplacement+user&member_id={MEMBER}&status=L"
    "&PLACEMENT=CRM_CONTACT_DETAIL_TAB&PLACEMENT_OPTIONS=%7B%22ID%22%3A%228061%22%7D"
)


def test_a_frame_post_is_read():
    post = FramePost.parse(QUERY, BODY)
    assert (post.domain, post.protocol, post.language) == ("portal.example.com", "https", "ru")
    assert (post.auth_id, post.refresh_id, post.expires_in) == ("acc", "ref", 3600)
    assert post.scopes == {"crm", "placement", "user"}
    assert (post.placement, post.entity_id) == ("CRM_CONTACT_DETAIL_TAB", 8061)
    assert post.member_id == MEMBER
    assert "acc" not in repr(post)


def test_body_and_query_do_not_stand_in_for_each_other():
    post = FramePost.parse("AUTH_ID=x&member_id=y", "DOMAIN=evil.example.net")
    assert (post.auth_id, post.member_id, post.domain) == ("", "", "")


@pytest.mark.parametrize(
    "options", ["", "undefined", "[]", '"text"', "[1,2]", "{broken", "null", "\x00"]
)
def test_odd_placement_options_are_no_options(options):
    post = FramePost.parse({}, {"PLACEMENT_OPTIONS": options})
    assert post.options == {}
    assert post.entity_id is None
    assert post.placement == "DEFAULT"


@pytest.mark.parametrize("value", ["abc", "-1", "1e5", "٣", "9" * 40, "", "[1]"])
def test_an_odd_id_is_no_id(value):
    assert FramePost.parse({}, {"PLACEMENT_OPTIONS": f'{{"ID":"{value}"}}'}).entity_id is None


def test_an_event_is_read():
    post = EventPost.parse(
        "event=onCrmContactUpdate&event_handler_id=12&data[FIELDS][ID]=82&ts=1724697689"
        f"&auth[access_token]=a&auth[expires_in]=3600&auth[scope]=crm&auth[domain]=P.example.com"
        f"&auth[client_endpoint]=https%3A%2F%2Fp.example.com%2Frest%2F&auth[member_id]={MEMBER}"
        "&auth[application_token]=app&auth[user_id]=7"
    )
    assert (post.event, post.object_id, post.ts) == ("ONCRMCONTACTUPDATE", 82, 1724697689)
    assert (post.application_token, post.auth.member_id) == ("app", MEMBER)
    assert (post.auth.user_id, post.auth.domain) == (7, "p.example.com")
    assert "app" not in repr(post.auth).replace("application", "")


def test_an_event_of_a_robot_has_no_tokens():
    post = EventPost.parse(f"event=ONAPPUNINSTALL&data[CLEAN]=1&auth[member_id]={MEMBER}")
    assert post.auth.access_token == ""
    assert post.data == {"CLEAN": "1"}
    assert post.object_id is None


@pytest.mark.parametrize(
    "body",
    [
        "event=X&auth=text&data=text", "event=X&auth[member_id][x]=1&data[FIELDS]=1",
        "event=X&data[FIELDS][ID][]=5&ts=soon&auth[]=1",
    ],
)  # fmt: skip
def test_wrong_shapes_become_empty_values(body):
    post = EventPost.parse(body)
    assert post.auth.member_id == ""
    assert post.object_id is None


@pytest.mark.parametrize(
    "body", ["", "x=1", "event=", "event[a]=X", "event=X&" + "a" + "[b]" * 20 + "=1",
             "&".join(["a=1"] * 5000), "a=" + "x" * 400_000]
)  # fmt: skip
def test_what_cannot_be_an_event_is_refused(body):
    with pytest.raises(MalformedPayload):
        EventPost.parse(body)


def test_php_arrays():
    assert decode("a[]=1&a[]=2&b[x]=3&b[y][]=4&c=5&d[0]=6&d[1]=7&e[1]=8&f[=9&g]=1") == {
        "a": ["1", "2"], "b": {"x": "3", "y": ["4"]}, "c": "5", "d": ["6", "7"], "e": {"1": "8"},
        "f[": "9", "g]": "1",
    }  # fmt: skip


@given(st.text(max_size=300))
def test_no_form_breaks_the_parser(text):
    try:
        decode(text)
        FramePost.parse(text, text)
        EventPost.parse(text)
    except MalformedPayload:
        pass
