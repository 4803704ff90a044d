"""Fixtures that unit tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kiok import yaml_reader


@pytest.fixture(params=["libyaml", "pure"])
def yaml_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with each YAML parser: authors without libyaml get the same results."""
    name: str = request.param
    loader = yaml.CSafeLoader if name == "libyaml" else yaml.SafeLoader
    monkeypatch.setattr(yaml_reader, "_LOADER", loader)
    return name


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the path of a properties file, which is not written yet."""
    return tmp_path / "kiok.properties"
