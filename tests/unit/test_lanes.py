"""The runner of all tests: two lanes side by side, of which neither may fail unseen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import test_lanes
test_lanes.SUITES = ("one", "two")
test_lanes.LANES = {"one": ["tests/one"], "two": ["tests/two"]}
sys.exit(test_lanes.run(sys.argv[1:]))
"""
GOOD = "def test_good(): pass\n"
# Says that it runs, and then when it was taken down.
SLOW = """
import os, pathlib, pytest, time
@pytest.fixture
def here():
    file = pathlib.Path(f"{__name__}.here")
    file.write_text(str(os.getpid()))
    yield
    file.unlink()
def test_slow(here): time.sleep(60)
"""


def write(folder: Path, one: str, two: str) -> None:
    for name, text in (("one", one), ("two", two)):
        suite = folder / "tests" / name
        suite.mkdir(parents=True)
        (suite / f"test_{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:django\n")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DJANGO"))}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take longer to load than all else here
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(SCRIPTS), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    process = start(folder, *arguments)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def test_when_both_lanes_are_well_both_are_shown_one_after_the_other(tmp_path: Path) -> None:
    write(tmp_path, GOOD, GOOD)
    status, output = run(tmp_path, "-v")
    assert status == 0, output
    assert 0 < output.index("test_one.py::test_good PASSED") < output.index("what the lane two says")
    assert output.index("what the lane two says") < output.index("test_two.py::test_good PASSED")


@pytest.mark.parametrize(
    ("lane", "text", "says"),
    [
        ("one", "def test_bad(): assert False, 'the cause'\n", "failed: "),
        (
            "two",
            "import pytest\n@pytest.fixture\ndef f(): 1 / 0\ndef test_bad(f): pass\n",
            "failed while set up",
        ),
        ("two", "import pytest\ndef test_bad(): pytest.skip('no')\n", "skipped, which counts as failed: "),
        (
            "one",
            "import pytest\n@pytest.mark.xfail\ndef test_bad(): assert 0\n",
            "skipped, which counts as failed: ",
        ),
    ],
    ids=["failed", "error", "skipped", "expected to fail"],
)
def test_what_is_wrong_in_either_lane_is_said_at_the_end(
    tmp_path: Path, lane: str, text: str, says: str
) -> None:
    write(tmp_path, **{"one": GOOD, "two": GOOD, lane: GOOD + text})
    status, output = run(tmp_path)
    assert status == 1, output
    (line,) = [line for line in output.splitlines() if line.startswith(f"test: {says}")]
    assert f"test_{lane}::test_bad" in line


def test_a_lane_that_dies_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "import os\ndef test_dies(): os._exit(0)\n")
    status, output = run(tmp_path)
    assert status == 1, output
    assert "test-results-two.xml is missing: its tests did not run to their end" in output


def test_a_suite_of_which_nothing_ran_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "")
    status, output = run(tmp_path)
    assert status == 1, output
    assert "test: no test of tests.two ran" in output


def test_a_lane_that_the_arguments_leave_empty_is_no_failure_but_two_are(tmp_path: Path) -> None:
    write(tmp_path, GOOD, GOOD.replace("good", "fair"))
    assert run(tmp_path, "-k", "fair")[0] == 0
    assert run(tmp_path, "-k", "neither")[0] == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_both_lanes_and_lets_them_take_down_what_they_set_up(
    tmp_path: Path, number: signal.Signals
) -> None:
    write(tmp_path, SLOW, SLOW)
    process = start(tmp_path)
    deadline = time.monotonic() + 60
    while len(here := list(tmp_path.glob("*.here"))) < 2 or not all(path.read_text() for path in here):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids = [int(path.read_text()) for path in here]
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert list(tmp_path.glob("*.here")) == []
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
