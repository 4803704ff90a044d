"""The soak itself, for half a minute: it starts, makes faults, compares, ends with nothing wrong, and leaves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_random_pushes_and_faults_end_with_every_repository_as_pushed(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "soak", "--minutes", "0.4", "--repositories", "6", "--into", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    report = json.loads((tmp_path / "results.json").read_text())
    assert report["violations"] == []
    assert report["pushes"] > 0
    assert sum(report["syncs"].values()) >= report["repositories"]
    assert report["compared"] > report["repositories"]
    assert sum(report["faults"].values()) >= 4
    assert (tmp_path / "results.md").read_text() in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "results.md"]
