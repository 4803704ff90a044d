"""The files of a commit that are DAG sources."""

from __future__ import annotations

import pytest

from compilers.discovery import MAX_LISTED_LINKS, MAX_SHOWN_PATH, discover, is_under
from compilers.source import Ignored, TreeEntry
from tests.support.trees import MemoryTree


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.yaml", "yaml"),
        ("a.yml", "yaml"),
        ("deep/er/a.py", "python"),
        ("a.b.jar", "jar"),
        (".hidden.py", "python"),
        (".github/a.yml", "yaml"),
        ("a.YAML", "yaml"),
        ("Mixed.Yml", "yaml"),
        ("LOWER.PY", "python"),
        ("deep/UPPER.JAR", "jar"),
        ("a.json", None),
        ("a.py.txt", None),
        ("a.pyc", None),
        ("yaml", None),
        (".py", None),
        ("a.yaml/readme", None),
        ("a.yaml.", None),
    ],
)
def test_the_ending_tells_the_kind(path: str, kind: str | None) -> None:
    found = discover(MemoryTree({path: "x"}))
    assert [(source.path, source.kind, source.size) for source in found.sources] == (
        [(path, kind, 1)] if kind else []
    )
    assert found.ignored == ()


@pytest.mark.parametrize("mode", ["100644", "100755", "100664", "100600"])
def test_files_of_every_mode_are_sources(mode: str) -> None:
    assert len(discover(MemoryTree({"a.py": ""}, modes={"a.py": mode})).sources) == 1


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        ("a/b.py", "", True),
        ("a/b.py", "a", True),
        ("a/c/b.py", "a/c", True),
        ("ab/b.py", "a", False),
        ("a", "a", True),
        ("b/a/c.py", "a", False),
        ("A/b.py", "a", False),
    ],
)
def test_the_subpath_is_compared_by_components(path: str, folder: str, inside: bool) -> None:
    assert is_under(path, folder) is inside


def test_nothing_outside_the_subpath_is_listed_ignored_or_refused() -> None:
    outside = TreeEntry("dagsonly/big.py", "100644", "b", 10**9)
    tree = MemoryTree(
        {"dags/a.py": "", "dagsonly/b.py": "", "x.yaml": "", "link.py": "a"},
        modes={"link.py": "120000"},
        oversized=[outside],
        refused=[Ignored("dagsonly/x\\x01.py", "odd")],
    )
    found = discover(tree, "dags")
    assert [source.path for source in found.sources] == ["dags/a.py"]
    assert (found.refused, found.ignored) == ((), ())


def test_symbolic_links_and_submodules_are_listed_and_never_followed() -> None:
    tree = MemoryTree(
        {
            "a.py": "",
            "link.yaml": "a.py",
            "link": "a\x1b.py",
            "vendor": "",
            "drafts/b.py": "x",
            "drafts/c": "x",
        }
        | {".kiokignore": "drafts\n"},
        modes=dict.fromkeys(("link.yaml", "link", "drafts/b.py", "drafts/c"), "120000")
        | {"vendor": "160000"},
    )
    found = discover(tree)
    assert [source.path for source in found.sources] == ["a.py"]
    assert found.ignored == (
        Ignored("drafts/b.py", ".kiokignore"),
        Ignored("link", "symbolic link"),
        Ignored("link.yaml", "symbolic link to a.py"),
        Ignored("vendor", "submodule"),
    )


def test_many_links_are_listed_in_part_with_their_number_and_all_sources() -> None:
    links = {f"node_modules/.bin/{number:05}": "x" for number in range(MAX_LISTED_LINKS + 50)}
    links |= {f"z/{number}.yaml": "y" for number in range(MAX_LISTED_LINKS + 50)}
    found = discover(MemoryTree(links, modes=dict.fromkeys(links, "120000")))
    others = [item for item in found.ignored if item.path.startswith("node_modules/")]
    assert len(others) == MAX_LISTED_LINKS
    assert others[-1].reason == "symbolic link to x; 50 more links and submodules are not listed"
    assert {item.reason for item in others[:-1]} == {"symbolic link to x"}
    assert len(found.ignored) - len(others) == MAX_LISTED_LINKS + 50


def test_a_served_file_that_is_behind_a_link_is_refused_and_not_absent() -> None:
    tree = MemoryTree(
        {"dags/team": "../x", "dags/a.yaml": "b.yaml", "dags/sub": "", "dags/drafts": "x", "other": "x"}
        | {".kiokignore": "dags/drafts/\n"},
        modes=dict.fromkeys(("dags/team", "dags/a.yaml", "dags/drafts", "other"), "120000")
        | {"dags/sub": "160000"},
    )
    served = ["dags/team/deep/b.py", "dags/a.yaml", "dags/sub/c.jar", "dags/gone.yaml", "other/d.yaml"]
    found = discover(tree, "dags", [*served, "dags/drafts/e.yaml"])
    refused = {source.path: (source.kind, why) for source, why in found.refused}
    assert set(refused) == {"dags/team/deep/b.py", "dags/a.yaml", "dags/sub/c.jar"}
    kind, why = refused["dags/team/deep/b.py"]
    assert kind == "python"
    assert why == (
        "dags/team is now a symbolic link (dags/team -> ../x); links are not followed, so the file cannot be read. "
        "Replace it with the folder, or delete it to remove the DAGs"
    )
    assert "dags/a.yaml is now a symbolic link (dags/a.yaml -> b.yaml)" in refused["dags/a.yaml"][1]
    assert (
        "dags/sub is now a submodule (dags/sub); submodules are not fetched" in refused["dags/sub/c.jar"][1]
    )
    # What failed is not listed a second time.
    assert [item.path for item in found.ignored] == ["dags/drafts", "dags/sub", "dags/team"]


def test_files_that_are_too_large_are_failures_and_not_absent() -> None:
    large = [TreeEntry(path, "100644", "blob", 70_000_000) for path in ("a.jar", "b.txt", "drafts/c.py")]
    found = discover(MemoryTree({".kiokignore": "drafts/"}, oversized=large))
    ((source, why),) = found.refused
    assert (source.path, source.kind, source.blob, source.size) == ("a.jar", "jar", "blob", 70_000_000)
    assert "70000000 bytes" in why
    assert "kiok.gitsync.max.file.bytes" in why


def test_files_whose_name_cannot_be_a_path_are_failures_with_the_reason() -> None:
    long = "d" * 5000
    refused = [
        Ignored("a::b.py", "it contains '::'"),
        Ignored("x\\x07.txt", "odd"),
        Ignored(f"{long}/a.py", "long"),
        Ignored(f"{long}/b.PY", "long"),
        Ignored(f"{long}d/b.PY", "long"),
        Ignored("drafts/" + "e" * 2000 + ".py", "ignored"),
        Ignored("caf\\xe9.yaml", "not UTF-8"),
    ]
    tree = MemoryTree({".kiokignore": "drafts/", "caf\\xe9.yaml": ""}, refused=refused)
    found = discover(tree)
    paths = [source.path for source, _ in found.refused]
    assert (paths[0], paths[-1]) == ("a::b.py", "caf\\xe9.yaml [2]")
    assert [source.path for source in found.sources] == ["caf\\xe9.yaml"]
    assert found.refused[0][1] == "the path cannot be a source path: it contains '::'"
    shortened = paths[1:-1]
    assert [path[-5:] for path in shortened] == ["/a.py", "/b.PY", "/b.PY"]
    assert [len(path) for path in shortened] == [MAX_SHOWN_PATH] * 3
    assert len(set(shortened)) == 3


def test_a_name_that_no_file_system_accepts_fails_alone() -> None:
    long = "n" * 300
    tree = MemoryTree({f"{long}.yaml": "", f"{long}/a.py": "", "b/ä" + "ä" * 130 + ".jar": "", "c.py": ""})
    found = discover(tree)
    assert [source.path for source in found.sources] == ["c.py", f"{long}.yaml"]
    refused = {source.path: why for source, why in found.refused}
    assert "a name in the path has 300 bytes" in refused[f"{long}/a.py"]
    assert "266 bytes" in refused["b/ä" + "ä" * 130 + ".jar"]
