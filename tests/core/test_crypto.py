"""The vault: what it seals nobody else opens, for nobody else's portal, and old keys still open."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from core.crypto import SealBroken, Vault
from core.errors import ConfigError

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@given(st.integers(min_value=1), st.text())
def test_what_is_sealed_opens_again_for_its_owner(owner, text):
    vault = Vault([NEW])
    assert vault.open(owner, vault.seal(owner, text)) == text


@pytest.mark.parametrize(("owner", "thief"), [(1, 2), (1, 11), (11, 1), (12, 1)])
def test_a_value_copied_into_another_portals_row_does_not_open(owner, thief):
    sealed = Vault([NEW]).seal(owner, "2:secret")
    with pytest.raises(SealBroken, match="another portal"):
        Vault([NEW]).open(thief, sealed)


def test_the_sealed_form_holds_neither_the_text_nor_repeats_itself():
    vault = Vault([NEW])
    first, second = vault.seal(1, "canary-token"), vault.seal(1, "canary-token")
    assert first != second
    assert "canary" not in first


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "текст", "a" * 200])
def test_what_was_not_sealed_does_not_open(sealed):
    with pytest.raises(SealBroken):
        Vault([NEW]).open(1, sealed)
    with pytest.raises(SealBroken):
        Vault([NEW]).rotate(sealed)


def test_one_changed_character_breaks_the_seal():
    sealed = Vault([NEW]).seal(1, "secret")
    place = len(sealed) // 2
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
    with pytest.raises(SealBroken):
        Vault([NEW]).open(1, changed)


def test_the_first_key_seals_and_every_key_opens():
    before = Vault([OLD]).seal(1, "secret")
    both = Vault([NEW, OLD])
    assert both.open(1, before) == "secret"
    assert Vault([NEW]).open(1, both.seal(1, "secret")) == "secret"
    with pytest.raises(SealBroken):
        Vault([NEW]).open(1, before)


def test_rotation_lets_the_old_key_go_and_keeps_the_owner():
    rotated = Vault([NEW, OLD]).rotate(Vault([OLD]).seal(1, "secret"))
    assert Vault([NEW]).open(1, rotated) == "secret"
    with pytest.raises(SealBroken):
        Vault([NEW]).open(2, rotated)
    with pytest.raises(SealBroken):
        Vault([OLD]).open(1, rotated)


@pytest.mark.parametrize("keys", [[], [""], ["short"], [NEW, "short"], ["ключ" * 11]])
def test_wrong_keys_are_a_wrong_setting(keys):
    with pytest.raises(ConfigError, match="ENCRYPTION_KEYS"):
        Vault(keys)
