"""The first command of the README and the unit tests on a fresh Debian 13, with its Python 3.13."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.stack.debian import ROOT, Debian

USER = 1000
# Programs that these unit tests call; `make test` installs them on a machine.
PROGRAMS_OF_UNIT_TESTS = ("gpg", "gpg-agent", "openssh-client")
# Unit tests that read documents and sources, run promtool, or test the runner of tests. Their results
# do not depend on the version of Python.
SAME_ON_EVERY_PYTHON = (
    *("alert_rules", "attack_table", "compose_file", "contributing", "docs", "docs_incidents", "docs_links"),
    *("docs_names", "docs_reference", "git_rules", "house", "lanes", "language", "reference_pages"),
)


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    folder = tmp_path_factory.mktemp("debian13")
    yield Debian.make("trixie", folder / "root")
    shutil.rmtree(folder)  # 1 GB


@pytest.fixture(scope="module")
def demo_of_root(debian: Debian) -> str:
    """The output of `make demo` as root, which installs what is missing."""
    return debian.run(["make", "demo"])


def test_the_demo_holds_for_root(debian: Debian, demo_of_root: str) -> None:
    assert debian.python_version().startswith("3.13.")
    assert "installing the Debian packages" in demo_of_root
    assert "All of it held." in demo_of_root


def test_the_demo_holds_for_an_ordinary_user_who_may_use_the_engine(
    debian: Debian, demo_of_root: str
) -> None:
    home = debian.add_user("ada", USER)
    debian.copy_project(f"{home}/kiok", owner=USER)
    output = debian.run(["make", "demo"], user=USER, home=home, folder=f"{home}/kiok")
    assert "installing the Debian packages" not in output
    assert "All of it held." in output


@pytest.mark.timeout(3600)  # all of them, next to the other lanes
def test_the_unit_tests_pass_on_python_3_13(debian: Debian, demo_of_root: str) -> None:
    # `make demo` has updated apt's lists of packages.
    debian.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", *PROGRAMS_OF_UNIT_TESTS])
    debian.run(["make", "venv-dev"])
    left_out = [f"tests/unit/test_{name}.py" for name in SAME_ON_EVERY_PYTHON]
    assert [path for path in left_out if not (ROOT / path).exists()] == []
    output = debian.run(
        [
            *(".venv/bin/python", "-m", "pytest", "tests/unit", "-q", "-p", "no:cacheprovider"),
            "--hypothesis-profile=few",
            *(f"--ignore={path}" for path in left_out),
        ]
    )
    assert " passed" in output
    assert "failed" not in output.splitlines()[-1]
    assert "skipped" not in output.splitlines()[-1]
