"""Fixtures for every test. The environment is made in tests/environment.py."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.servers.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    """The markers by which a test says what it shows; see tests/rules.py."""
    config.addinivalue_line("markers", "rule(*ids): a rule of docs/git-rules.md that the test shows")
    config.addinivalue_line("markers", "case(*ids): a case of docs/git-rules.md that the test shows")
