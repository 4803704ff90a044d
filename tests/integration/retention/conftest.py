"""Fixtures that the tests of retention share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from gitsync.retention import Retention
from tests.support.old_rows import NEVER


@pytest.fixture
def clear(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run one round under these properties only, and return the numbers of removed rows."""

    def clear(**given: int) -> Mapping[str, int]:
        monkeypatch.setattr(settings, "KIOK", replace(settings.KIOK, **{**NEVER, **given}))
        return Retention().round()

    return clear
