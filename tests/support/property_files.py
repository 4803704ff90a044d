"""Files of properties and of declared repositories, and the errors in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiok.server import properties
from kiok.server.errors import PropertyError


def problems(environ: dict[str, str] | None = None, config: Path | None = None) -> str:
    with pytest.raises(PropertyError) as caught:
        properties.load(environ or {}, config)
    return str(caught.value)


def declared_file(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "repos.yaml"
    file.write_text(text)
    return {"KIOK_GITSYNC_REPOS_FILE": str(file)}
