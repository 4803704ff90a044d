"""The version of this installation."""

VERSION = "0.1.0"  # the version in pyproject.toml, which is not part of an installed service
