"""Hints in errors about a path that is a link in the repository."""

from __future__ import annotations

import pytest

from compilers.build_cache import View
from compilers.links import Link, Links
from compilers.result import FileResult, FileStatus, failed
from compilers.sandbox.link_hints import with_link_hints
from compilers.source import DiscoveredFile, TreeEntry
from tests.support.trees import MemoryTree

MODES = {
    "dags/common": "120000",
    "dags/config.json": "120000",
    "lib/shared.py": "120000",
    "vendor": "160000",
    "dags/odd": "120000",
}
TREE = MemoryTree(
    {"dags/a.py": "", "lib/x.py": ""}
    | {"dags/common": "../lib/common", "dags/config.json": "/etc/x.json", "lib/shared.py": "x.py"}
    | {"vendor": "", "dags/odd": "\x1b[2J"},
    modes=MODES,
    links_outside=[TreeEntry("outer", "120000", "c" * 40, 0)],
)
COMMON = "common is a symbolic link in the repository (dags/common -> ../lib/common); links are not followed in the sandbox"
VENDOR = "vendor is a submodule in the repository (vendor); submodules are not fetched in the sandbox"


def hinted(message: str, path: str = "dags/a.py") -> str:
    result = failed(DiscoveredFile(path, "python", "b", 1), message)
    return with_link_hints(result, Links(TREE), ("dags", "")).diagnostics[0].message


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("ModuleNotFoundError: No module named 'common'", COMMON),
        ("No module named 'common.base'", COMMON),
        ("No module named 'vendor'", VENDOR),
        (
            "No module named 'lib.shared'",
            "shared.py is a symbolic link in the repository (lib/shared.py -> x.py)",
        ),
        ("cannot import name 'shared' from 'lib' (unknown location)", "shared.py is a symbolic link"),
        ("[Errno 2] No such file or directory: 'dags/config.json'", "config.json is a symbolic link"),
        ("[Errno 2] No such file or directory: '/src/dags/common/a/b.txt'", COMMON),
        ("[Errno 2] No such file or directory: 'config.json'", "(dags/config.json -> /etc/x.json)"),
        (
            "No module named 'outer'",
            "outer is a symbolic link in the repository (outer); links are not followed",
        ),
        ("No module named 'odd'", "odd is a symbolic link in the repository (dags/odd); links"),
    ],
)
def test_hint_names_the_link_with_its_target(message: str, hint: str) -> None:
    assert hinted(message).startswith(f"{message}: ")
    assert hint in hinted(message)


@pytest.mark.parametrize(
    "message",
    [
        "No module named 'requests'",
        "No module named 'lib.x'",
        "common is wrong",
        "No such file or directory: '/etc/dags/common'",
        "No such file or directory: '../../vendor'",
    ],
)
def test_error_about_another_path_is_unchanged(message: str) -> None:
    assert hinted(message) == message


def test_hint_is_in_the_first_line_and_in_doubts() -> None:
    (diagnostic,) = failed(
        DiscoveredFile("dags/a.py", "python", "b", 1), "No module named 'common'\n  frame"
    ).diagnostics
    result = FileResult(
        DiscoveredFile("dags/a.py", "python", "b", 1),
        FileStatus.NOT_A_DAG,
        diagnostics=(diagnostic,),
        doubts=(diagnostic,),
    )
    found = with_link_hints(result, Links(TREE), ("dags", ""))
    assert found.diagnostics == found.doubts
    assert found.diagnostics[0].message == f"No module named 'common': {COMMON}\n  frame"


@pytest.mark.parametrize(
    ("path", "target", "resolved"),
    [
        ("dags", "pipelines", "pipelines"),
        ("team/dags", "../x/y/", "x/y"),
        ("team/dags", "..", ""),
        ("dags", "../x", None),
        ("dags", "/srv/dags", None),
        ("dags", "", None),
    ],
)
def test_target_is_resolved_inside_the_repository(path: str, target: str, resolved: str | None) -> None:
    assert Link(path, False, target).resolved == resolved


@pytest.mark.parametrize("question", ["p:dags/common", "p:dags/common/base.py", "m:dags/common"])
def test_cached_result_with_a_link_holds_while_the_link_is_the_same(question: str) -> None:
    def answer(files: dict[str, str], modes: dict[str, str]) -> str:
        tree = MemoryTree({"dags/a.py": "", **files}, modes=modes)
        view = View(
            [entry for entry in tree.entries if entry.is_file],
            [entry for entry in tree.entries if not entry.is_file],
        )
        return view.answer(question)

    link = {"dags/common": "120000"}
    answers = [
        answer({}, {}),
        answer({"dags/common": "../lib"}, link),
        answer({"dags/common": "../other"}, link),
        answer({"dags/common/base.py": "", "dags/common/__init__.py": ""}, {}),
    ]
    assert len(set(answers)) == 4
