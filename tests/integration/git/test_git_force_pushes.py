"""A thousand rewritten histories through one mirror."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.commit_fetch import HEAD_REF
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import WHOLE, parse_scope
from gitsync.git.url import parse_url
from tests.support.servers.repositories import WorkRepo

PUSHES = 1000
FILE = frozenset({"file"})


@pytest.mark.rule("content.disk-bounded")
@pytest.mark.case("surface.disk", "recovery.garbage")
def test_after_a_thousand_force_pushes_a_mirror_is_as_good_as_new(
    work_repo: WorkRepo, tmp_path: Path
) -> None:
    commits = _unrelated_commits(work_repo, PUSHES)
    url, main = parse_url(work_repo.file_url, allow_protocols=FILE), parse_ref("main")
    client = GitClient(GitSettings(home=tmp_path / "home", allow_protocols=FILE))
    fresh = Mirror(tmp_path / "mirrors" / "fresh", client)
    _push(work_repo, commits[0])
    fresh.fetch(url, main, None)
    allowed, names = 3 * _bytes(fresh), _names(fresh)

    mirror = Mirror(tmp_path / "mirrors" / "1", client)
    for number, commit in enumerate(commits):
        _push(work_repo, commit)
        assert mirror.fetch(url, main, None) == commit
        used = _bytes(mirror)
        assert used <= allowed, f"after {number} force-pushes: {used} bytes, allowed are {allowed}"

    # Nothing in it has a name that the new one's has not: no lock, no temporary pack, no folder.
    assert _names(mirror) <= names
    assert sorted(path.name for path in mirror.directory.iterdir()) == ["lock", "mirror.git"]
    tree = mirror.tree(commits[-1])
    assert [content[:5] for _, content in tree.read(tree.entries)] == [b"999-0", b"999-1", b"999-2"]
    git = ("--git-dir", str(mirror.git_directory))
    assert (
        work_repo.git(*git, "rev-list", "--all") == work_repo.git(*git, "rev-parse", HEAD_REF) == commits[-1]
    )


@pytest.mark.rule("content.disk-bounded")
@pytest.mark.case("surface.disk")
def test_so_is_a_mirror_of_a_part_and_one_whose_commits_come_and_go(
    work_repo: WorkRepo, tmp_path: Path
) -> None:
    commits = _unrelated_commits(work_repo, 40)
    work_repo.git("--git-dir", str(work_repo.bare), "config", "uploadpack.allowFilter", "true")
    url, main = parse_url(work_repo.file_url, allow_protocols=FILE), parse_ref("main")
    client = GitClient(GitSettings(home=tmp_path / "home", allow_protocols=FILE))
    for name, scope in (("part", parse_scope("dags", "")), ("whole", WHOLE)):
        fresh = Mirror(tmp_path / "mirrors" / f"fresh-{name}", client)
        _push(work_repo, commits[0])
        fresh.fetch(url, main, None, scope)
        mirror = Mirror(tmp_path / "mirrors" / name, client)
        order = random.Random(1)
        for _ in range(40):
            commit = order.choice(commits[:10])
            _push(work_repo, commit)
            assert mirror.fetch(url, main, None, scope) == commit
            assert _bytes(mirror) <= 3 * _bytes(fresh)
            assert len(mirror.tree(commit, scope).entries) == (2 if name == "part" else 3)
        assert not list(mirror.git_directory.rglob("*.lock")) + list(mirror.git_directory.rglob("tmp_*"))


def _unrelated_commits(repo: WorkRepo, count: int) -> list[str]:
    """Commits without parents, each of three files that no other has, made in the served repository itself."""
    content = random.Random(7)
    stream = bytearray()
    for number in range(count):
        stream += b"commit refs/kept/%d\ncommitter A <a@b> %d +0000\ndata 0\n" % (
            number,
            1_700_000_000 + number,
        )
        for index, path in enumerate((b"dags/a.yaml", b"dags/b.bin", b"other/c.bin")):
            data = b"%d-%d" % (number, index) + content.randbytes(2000)
            stream += b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(data), data)
    repo.git("--git-dir", str(repo.bare), "fast-import", "--quiet", stdin=bytes(stream))
    listed = repo.git(
        "--git-dir", str(repo.bare), "for-each-ref", "--format=%(refname) %(objectname)", "refs/kept"
    )
    found = dict(line.split() for line in listed.splitlines())
    # Under names that are not advertised: a thousand of them would be most of the time.
    repo.git("--git-dir", str(repo.bare), "config", "transfer.hideRefs", "refs/kept")
    repo.git("--git-dir", str(repo.bare), "pack-refs", "--all")
    return [found[f"refs/kept/{number}"] for number in range(count)]


def _push(repo: WorkRepo, commit: str) -> None:
    (repo.bare / "refs/heads/main").write_text(f"{commit}\n")


def _bytes(mirror: Mirror) -> int:
    return sum(path.stat().st_size for path in mirror.git_directory.rglob("*") if path.is_file())


def _names(mirror: Mirror) -> set[str]:
    """The mirror's files and folders, packs by their ending."""
    inside = mirror.git_directory
    return {
        f"pack{path.suffix}" if path.name.startswith("pack-") else str(path.relative_to(inside))
        for path in inside.rglob("*")
    }
