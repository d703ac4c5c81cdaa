"""DKIM: signatures that somebody else's program verifies, and damage that it notices."""

from __future__ import annotations

import base64

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailings.channels.dkim import Signer

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
)
LETTER = (
    b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nTo: anna@example.org\r\n"
    b"Subject: =?utf-8?B?0J3QvtCy0LjQvdC60LA=?=\r\n =?utf-8?B?IQ==?=\r\nMessage-ID: <m1.1.1.aa@example.com>\r\n"
    b"List-Unsubscribe: <https://app.example.com/u/x>,  <mailto:u@b.example.com>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFrom: Sales <sales@example.com>\r\n\r\n"
)


def dns(name, timeout=5):
    assert name == b"s1._domainkey.example.com."
    return b"v=DKIM1; k=rsa; p=" + PUBLIC


@pytest.fixture(scope="module")
def signer():
    return Signer(PEM, "example.com", "s1")


def test_another_program_believes_it_and_notices_damage(signer):
    signed = signer.signed(LETTER + "Привет\r\n".encode())
    assert dkim.verify(signed, dnsfunc=dns)
    assert not dkim.verify(signed.replace(b"One-Click", b"Two-Click"), dnsfunc=dns)
    assert not dkim.verify(signed + b"more\r\n", dnsfunc=dns)
    assert dkim.verify(signed.replace(b">,  <", b">,\r\n <"), dnsfunc=dns), "folding may change"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(st.text(alphabet=" \tabЖ.", max_size=12), max_size=6))
def test_any_body_can_be_verified(signer, lines):
    body = "".join(f"{line}\r\n" for line in lines).encode()
    assert dkim.verify(signer.signed(LETTER + body), dnsfunc=dns)
