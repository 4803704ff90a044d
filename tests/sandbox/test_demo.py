"""The demo from beginning to end: it checks each of its claims itself."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class FailedDemo:
    """A demo that ended before its end, and the folder with what it left."""

    folder: Path
    ended: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def failed_demo(java_builder_image: str, tmp_path_factory: pytest.TempPathFactory) -> FailedDemo:
    """Run the demo with a missing image, so that no Python file or jar can be compiled."""
    folder = tmp_path_factory.mktemp("demo")
    demo = (ROOT / "scripts" / "demo.py").read_text(encoding="utf-8")
    broken = demo.replace(
        '"# Written by `make demo`.\\n"', '"kiok.sandbox.image.python = kiok-no-such-image:none\\n"'
    )
    assert broken != demo
    for name in ("examples", "scripts", "kiok", "compilers", "gitsync", "manage.py"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "told").mkdir()
    (folder / "told" / "stage.py").write_bytes((ROOT / "scripts" / "stage.py").read_bytes())
    (folder / "told" / "demo.py").write_text(broken, encoding="utf-8")
    return FailedDemo(folder / "demo", run_demo(folder / "told" / "demo.py", folder / "demo"))


def run_demo(script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo in this folder."""
    return subprocess.run(
        [sys.executable, script, folder],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_the_demo_fails_where_a_claim_does_not_hold(failed_demo: FailedDemo) -> None:
    assert failed_demo.ended.returncode == 1, failed_demo.ended.stdout
    assert "The demo failed" in failed_demo.ended.stdout


@pytest.mark.usefixtures("python_image", "java_image")
def test_the_demo_holds_what_it_claims_where_another_demo_ran(failed_demo: FailedDemo) -> None:
    assert (failed_demo.folder / "data").is_dir()
    told = run_demo(ROOT / "scripts" / "demo.py", failed_demo.folder)
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-2000:]
    assert "DAGs of all three formats are registered" in told.stdout
    assert "the deleted DAG is pruned" in told.stdout
    assert "run 1, from before it was deleted, is among its runs" in told.stdout
    assert f"make run CONFIG={failed_demo.folder}/kiok.properties" in told.stdout
