"""Changing the encryption keys from the command line."""

from __future__ import annotations

from dataclasses import replace

from cryptography.fernet import Fernet

from core.crypto import Vault
from core.runtime import install


def rotate(world, *keys):
    install(replace(world.runtime, vault=Vault(keys)))
    return world.app.test_cli_runner().invoke(args=["keys", "rotate", "--json"])


def test_secrets_move_to_the_new_key_and_a_missing_key_changes_nothing(world):
    old, new = world.runtime.settings.encryption_keys[0], Fernet.generate_key().decode()
    sealed = world.portal.client_secret_sealed

    refused = rotate(world, new)
    assert refused.exit_code == 1
    assert "ENCRYPTION_KEYS" in refused.output
    assert world.portal.client_secret_sealed == sealed

    assert rotate(world, new, old).exit_code == 0
    opened = Vault([new]).open(world.portal_id, world.portal.client_secret_sealed)
    assert opened == world.keys["client_secret"]
