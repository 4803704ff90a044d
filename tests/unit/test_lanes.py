"""The runner of all tests: two lanes in parallel, and a failure of either is reported."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
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
def test_slow(here): time.sleep(3600)
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
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output


def test_output_of_two_passing_lanes_is_shown_in_order(tmp_path: Path) -> None:
    write(tmp_path, GOOD, GOOD)
    status, output = run(tmp_path, "-v")
    assert status == 0, output
    assert 0 < output.index("test_one.py::test_good PASSED") < output.index("output of lane two")
    assert output.index("output of lane two") < output.index("test_two.py::test_good PASSED")


@pytest.mark.parametrize(
    ("lane", "text", "message"),
    [
        ("one", "def test_bad(): assert False, 'the cause'\n", "failed: "),
        (
            "two",
            "import pytest\n@pytest.fixture\ndef f(): 1 / 0\ndef test_bad(f): pass\n",
            "failed during setup",
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
def test_failures_of_either_lane_are_listed_at_the_end(
    tmp_path: Path, lane: str, text: str, message: str
) -> None:
    write(tmp_path, **{"one": GOOD, "two": GOOD, lane: GOOD + text})
    status, output = run(tmp_path)
    assert status == 1, output
    (line,) = [line for line in output.splitlines() if line.startswith(f"test: {message}")]
    assert f"test_{lane}::test_bad" in line


def test_lane_that_dies_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "import os\ndef test_dies(): os._exit(0)\n")
    status, output = run(tmp_path)
    assert status == 1, output
    assert "test-results-two.xml is missing: its tests did not finish" in output


def test_run_without_a_test_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "")
    status, output = run(tmp_path)
    assert status == 1, output
    assert "test: no test of tests.two ran" in output


def test_one_empty_lane_is_no_failure_but_two_are(tmp_path: Path) -> None:
    write(tmp_path, GOOD, GOOD.replace("good", "fair"))
    assert run(tmp_path, "-k", "fair")[0] == 0
    assert run(tmp_path, "-k", "neither")[0] == 5


def ran(output: str) -> list[str]:
    return sorted(line.split(" ")[0] for line in output.splitlines() if " PASSED" in line)


def test_path_runs_only_in_the_lane_that_has_it(tmp_path: Path) -> None:
    write(tmp_path, GOOD, GOOD)
    (tmp_path / "tests/one/test_other.py").write_text(GOOD)
    for path in (
        "tests/one/test_one.py",
        "tests/one/test_one.py::test_good",
        str(tmp_path / "tests/one/test_one.py"),
    ):
        status, output = run(tmp_path, "-v", path)
        assert status == 0, output
        assert ran(output) == ["tests/one/test_one.py::test_good"]
        assert "1 lane, one" in output
    status, output = run(tmp_path, "-v", "-k", "good", "tests/one", "tests/two/test_two.py")
    assert status == 0, output
    assert ran(output) == [
        f"tests/{name}.py::test_good" for name in ("one/test_one", "one/test_other", "two/test_two")
    ]


def test_folder_of_several_lanes_runs_in_each_of_them(tmp_path: Path) -> None:
    write(tmp_path, GOOD, GOOD)
    status, output = run(tmp_path, "-v", "tests")
    assert status == 0, output
    assert ran(output) == ["tests/one/test_one.py::test_good", "tests/two/test_two.py::test_good"]


@pytest.mark.parametrize(
    ("path", "message"), [("tests/one/test_gone.py", "no such file"), ("tests/three", "no lane runs it")]
)
def test_path_of_no_lane_is_refused(tmp_path: Path, path: str, message: str) -> None:
    write(tmp_path, GOOD, GOOD)
    (tmp_path / "tests/three").mkdir()
    status, output = run(tmp_path, path)
    assert (status, "PASSED" in output) == (4, False)
    assert f"test: {path}: {message}" in output


def test_each_test_module_runs_in_exactly_one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    lanes = importlib.import_module("scripts.test_lanes")
    modules = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")]
    owners = {
        module: [name for name, lane in lanes.LANES.items() if lanes.selected(lane, module)]
        for module in modules
    }
    assert {module: names for module, names in owners.items() if len(names) != 1} == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_both_lanes_after_their_teardown(tmp_path: Path, number: signal.Signals) -> None:
    write(tmp_path, SLOW, SLOW)
    process = start(tmp_path)

    def here() -> list[str]:
        return [text for path in tmp_path.glob("*.here") if (text := path.read_text())]

    wait_until(lambda: len(here()) == 2, "both lanes run their test")
    pids = [int(text) for text in here()]
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1, output
    assert list(tmp_path.glob("*.here")) == []
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
