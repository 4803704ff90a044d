"""Git Sync: see ARCHITECTURE.md."""

VERSION = "0.1.0"
"""That of pyproject.toml, which is not there where the service is installed."""
