"""Fixtures for every test. The environment is made in tests/environment.py."""

pytest_plugins = ["tests.servers.fixtures"]
