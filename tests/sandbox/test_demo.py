"""The demo from beginning to end: it checks each of its claims itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("python_image", "java_image", "java_builder_image")
def test_the_demo_does_what_it_claims_and_can_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, ROOT / "scripts" / "demo.py", tmp_path / "demo"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "DAGs of all three formats are registered" in done.stdout
    assert "the deleted DAG is pruned" in done.stdout
    assert "run 1, from before it was deleted, is among its runs" in done.stdout
    assert f"make run CONFIG={tmp_path}/demo/kiok.properties" in done.stdout


@pytest.mark.usefixtures("java_builder_image")
def test_the_demo_fails_where_a_claim_does_not_hold(tmp_path: Path) -> None:
    # A missing image: no Python file or jar can be compiled.
    demo = (ROOT / "scripts" / "demo.py").read_text(encoding="utf-8")
    broken = demo.replace(
        '"# Written by `make demo`.\\n"', '"kiok.sandbox.image.python = kiok-no-such-image:none\\n"'
    )
    assert broken != demo
    for name in ("examples", "scripts", "kiok", "compilers", "gitsync", "manage.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "told").mkdir()
    (tmp_path / "told" / "stage.py").write_bytes((ROOT / "scripts" / "stage.py").read_bytes())
    (tmp_path / "told" / "demo.py").write_text(broken, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "told" / "demo.py", tmp_path / "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 1, done.stdout
    assert "The demo failed" in done.stdout
