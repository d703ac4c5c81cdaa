"""Settings for bulk work are thrown while anyone needs them, and put back after the last one."""

from __future__ import annotations

import gc
import sys

import pytest

from core.bulk import bulk_work


def _settings() -> tuple[object, float]:
    return gc.get_threshold(), sys.getswitchinterval()


def test_the_last_block_puts_back_what_the_first_one_found() -> None:
    before = _settings()
    with bulk_work:
        inside = _settings()
        with bulk_work:
            assert _settings() == inside
        assert _settings() == inside
    assert inside != before
    assert _settings() == before


def test_a_failure_puts_it_back_too() -> None:
    before = _settings()
    with pytest.raises(ZeroDivisionError), bulk_work:
        _ = 1 / 0
    assert _settings() == before
