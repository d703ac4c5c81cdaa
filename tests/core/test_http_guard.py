"""The address guard: a corpus of hostile URLs reaches no socket, rebinding included."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.addresses import AddressPolicy, is_public, parse_target, unwrapped
from core.errors import ForbiddenAddress
from core.http import Http, NoConnection

CORPUS = [
    "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
    "https://017700000001/", "https://0x7f.1/", "https://127.0.0.1.nip.test/", "https://0/",
    "https://0.0.0.0/", "https://[::]/", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/", "https://[::ffff:10.0.0.1]/", "https://[::ffff:a00:1]/",
    "https://[::10.0.0.1]/", "https://[2002:7f00:1::]/", "https://[64:ff9b::7f00:1]/",
    "https://[2001:0:4136:e378:8000:63bf:f5ff:fffe]/", "https://10.0.0.1/", "https://172.16.5.4/",
    "https://192.168.1.1/", "https://100.64.0.1/", "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/", "https://[fe80::1]/", "https://[fec0::1]/", "https://[fc00::1]/",
    "https://224.0.0.1/", "https://255.255.255.255/", "https://198.18.0.1/", "https://192.0.2.1/",
    "https://localhost/", "https://LOCALHOST./", "https://metadata.test/", "https://mixed.test/",
    "https://portal.example.com@127.0.0.1/", "https://user:pw@portal.example.com/",
    "https://127.0.0.1\\@portal.example.com/", "https://portal.example.com\\.evil.test/",
    "https://portal.example.com:8443/", "https://portal.example.com:22/",
    "http://portal.example.com/", "http://portal.example.com:443/", "ftp://portal.example.com/",
    "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "//portal.example.com/", "portal",
    "https://", "https:///path", "https://portal.example.com:0/", "https://portal.example.com:x/",
    "https://portal.example.com\r\nHost: evil.test/", "https://портал.example/",
    "https://①②⑦.⓪.⓪.①/", "https://portal%2eexample.com/", "https://[::1%25lo]/",
    "https://[v1.x]/", "https://127。0。0。1/", "https:portal.example.com", "https://1.2.3.4.5/",
]  # fmt: skip

NAMES = {
    "127.0.0.1.nip.test": ["127.0.0.1"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "mixed.test": ["93.184.215.14", "10.0.0.7"],
    "portal.example.com": ["93.184.215.14"],
}


def resolve(host, port, **_):
    """The corpus' names; numbers in any notation resolve as the C library resolves them."""
    if host in NAMES:
        found = NAMES[host]
    else:
        entries = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
        found = [entry[4][0] for entry in entries]
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    return [
        (families[ipaddress.ip_address(ip).version], socket.SOCK_STREAM, 6, "", (ip, port))
        for ip in found
    ]


@pytest.fixture
def connections(monkeypatch):
    """Every attempt to connect a socket, none of which succeeds."""
    made = []

    def connect(_self, address):
        made.append(address)
        raise ConnectionRefusedError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return made


@pytest.mark.parametrize("url", CORPUS)
def test_no_connection_is_made_to_a_hostile_url(url, connections):
    http = Http(policy=AddressPolicy.build(resolve=resolve))
    with pytest.raises(ForbiddenAddress):
        http.get(url)
    assert connections == []


def test_a_public_name_is_connected_at_the_address_that_was_checked(connections):
    http = Http(policy=AddressPolicy.build(resolve=resolve))
    with pytest.raises(NoConnection):
        http.get("https://portal.example.com/rest/")
    assert connections == [("93.184.215.14", 443)]


def test_rebinding_between_check_and_connection_is_impossible(connections):
    answers = iter(["93.184.215.14", "127.0.0.1"])
    asked = []

    def rebinding(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    http = Http(policy=AddressPolicy.build(resolve=rebinding))
    with pytest.raises(NoConnection):
        http.get("https://rebind.example.com/")
    assert asked == ["rebind.example.com"]
    assert connections == [("93.184.215.14", 443)]
    with pytest.raises(ForbiddenAddress):
        http.get("https://rebind.example.com/")
    assert len(connections) == 1


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3:8899/rest/", "http://localhost:8899/", "https://[fd12::1]:8443/"]
)
def test_private_portals_are_reached_only_when_the_operator_allows_them(url, connections):
    with pytest.raises(ForbiddenAddress):
        Http(policy=AddressPolicy.build(resolve=resolve)).get(url)
    assert connections == []
    with pytest.raises(NoConnection):
        Http(policy=AddressPolicy.build(allow_private=True, resolve=resolve)).get(url)
    assert connections


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/",
        "http://100.100.100.200/", "http://0.0.0.0/", "http://metadata.test/", "http://[fe80::1]/",
        "http://u@10.0.0.1/",
    ],
)  # fmt: skip
def test_metadata_and_link_local_are_refused_even_then(url, connections):
    http = Http(policy=AddressPolicy.build(allow_private=True, resolve=resolve))
    with pytest.raises(ForbiddenAddress):
        http.get(url)
    assert connections == []


def test_a_trusted_origin_opens_itself_and_nothing_else(connections):
    http = Http(
        policy=AddressPolicy.build(trusted=["http://127.0.0.1:8900/oauth/"], resolve=resolve)
    )
    with pytest.raises(NoConnection):
        http.get("http://127.0.0.1:8900/rest/app.info/")
    assert connections == [("127.0.0.1", 8900)]
    for url in ("http://127.0.0.1:8901/", "https://127.0.0.1/", "http://127.0.0.2:8900/"):
        with pytest.raises(ForbiddenAddress):
            http.get(url)
    assert len(connections) == 1


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_by_the_address_inside(inner):
    number = int(inner)
    for outer in (
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | number),
    ):
        assert is_public(unwrapped(outer)) == is_public(inner)


def test_the_origin_keeps_secrets_out():
    target = parse_target("https://portal.example.com/rest/1/abcdef/crm.deal.list?auth=secret")
    assert target.origin == "https://portal.example.com:443"
