"""Fixtures that the tests of the server share."""

from __future__ import annotations

import pytest

from tests.support.canary.marks import Marks


@pytest.fixture
def marks() -> Marks:
    """Return marks whose secrets no other test has."""
    return Marks()
