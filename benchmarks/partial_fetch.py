"""What a fetch costs when only a folder of a big repository is synced, against fetching all of it.

    .venv/bin/python -m benchmarks.partial_fetch [--outside N] [--dags N] [--file-bytes N] [--runs N]

From the repository's root; by default 50 000 files outside the synced folder and 100 DAGs in it. The repository is
made by `git fast-import`, served by `git http-backend` behind a real https server on a loopback port, and fetched
as a sync does it. Bytes are those the server sent, TLS included; seconds are wall time, of fetch and tree
together, the median of the runs. Prints a table, and writes `build/bench/partial_fetch.json`.
"""

# ruff: noqa: S101, S311, T201  (it prints, and nothing here is a secret)

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import WHOLE, Scope, parse_scope
from gitsync.git.tree import TreeLimits
from gitsync.git.url import RemoteUrl, parse_url
from tests.servers.byte_counter import ByteCounter
from tests.servers.https import HttpsServer
from tests.servers.repositories import WorkRepo

RESULT = Path("build/bench/partial_fetch.json")
MAIN = parse_ref("main")
FOLDER = "dags"
SCOPES = {"partial": parse_scope(FOLDER, "*.py"), "full": WHOLE}


@dataclass(frozen=True, slots=True)
class Cost:
    """One kind of fetch: what came, how long it took, what the mirror holds then."""

    scope: str
    case: str
    received_bytes: int
    seconds: float
    disk_bytes: int


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="kiok-bench-") as name:
        folder = Path(name)
        repo = _make_repository(folder, options)
        with (
            HttpsServer(repo.bare.parent, folder / "https") as server,
            ByteCounter(server.port) as counter,
        ):
            client = GitClient(
                GitSettings(
                    home=folder / "home",
                    timeout_seconds=600,
                    allow_private_hosts=frozenset({"localhost", "127.0.0.0/8"}),
                    ssl_ca_info=str(server.ca_file),
                )
            )
            url = parse_url(f"https://localhost:{counter.port}/{repo.bare.name}")
            costs = [
                cost
                for run in range(options.runs)
                for kind, scope in SCOPES.items()
                for cost in _measure(repo, folder / f"{kind}-{run}", client, url, counter, kind, scope)
            ]
    medians = _medians(costs)
    _print(medians, options)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(_report(medians, costs, options), indent=1) + "\n")
    print(f"\nwritten to {RESULT}")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="partial_fetch", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--outside", type=int, default=50_000, help="files outside the synced folder")
    parser.add_argument("--dags", type=int, default=100, help="DAGs in the synced folder")
    parser.add_argument("--file-bytes", type=int, default=2_000, help="size of a file outside")
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args(arguments)


def _make_repository(folder: Path, options: argparse.Namespace) -> WorkRepo:
    repo = WorkRepo(folder / "served", "big.git")
    git = ("git", "--git-dir", str(repo.bare))
    importer = subprocess.Popen([*git, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    assert importer.stdin is not None
    for piece in _stream(options):
        importer.stdin.write(piece)
    importer.stdin.close()
    if importer.wait():
        raise SystemExit("git fast-import failed")
    subprocess.run([*git, "config", "uploadpack.allowFilter", "true"], check=True)
    return repo


def _stream(options: argparse.Namespace) -> Iterator[bytes]:
    """One commit: half text, half bytes that do not compress, 50 files to a folder."""
    content = random.Random(1)
    yield b"commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 0\n"
    size = options.file_bytes
    for number in range(options.outside):
        data = content.randbytes(size // 2) + (b"line of text %d\n" % number) * (size // 40)
        yield b"M 100644 inline src/d%d/f%d.dat\ndata %d\n%s\n" % (number // 50, number, len(data), data)
    for number in range(options.dags):
        yield _dag(number, "first")


def _dag(number: int, word: str) -> bytes:
    text = f"dag:\n  id: d{number}\ntasks:\n- id: a\n  script: echo {word}\n".encode()
    return b"M 100644 inline %s/d%d.yaml\ndata %d\n%s\n" % (FOLDER.encode(), number, len(text), text)


def _measure(
    repo: WorkRepo,
    directory: Path,
    client: GitClient,
    url: RemoteUrl,
    counter: ByteCounter,
    kind: str,
    scope: Scope,
) -> Iterator[Cost]:
    mirror = Mirror(directory, client, TreeLimits(max_files=10_000_000, max_tree_bytes=1 << 40))
    for case in ("cold", "one DAG changed", "nothing changed"):
        if case == "one DAG changed":
            head = b"commit refs/heads/main\ncommitter A <a@b> 1700000001 +0000\ndata 0\n"
            head += b"from refs/heads/main^0\n"
            repo.git(
                *("--git-dir", str(repo.bare), "fast-import", "--quiet"),
                stdin=head + _dag(3, os.urandom(8).hex()),
            )
        counter.received = 0
        started = time.perf_counter()
        commit = mirror.fetch(url, MAIN, None, scope)
        tree = mirror.tree(commit, scope)
        seconds = time.perf_counter() - started
        contents = [content for _, content in tree.read(tree.under(FOLDER))]
        if not all(content.startswith(b"dag:") for content in contents) or not contents:
            raise SystemExit("what was fetched is not what was pushed")
        disk = sum(path.stat().st_size for path in mirror.git_directory.rglob("*") if path.is_file())
        yield Cost(kind, case, counter.received, seconds, disk)


def _medians(costs: list[Cost]) -> list[Cost]:
    groups: dict[tuple[str, str], list[Cost]] = {}
    for cost in costs:
        groups.setdefault((cost.case, cost.scope), []).append(cost)
    return [
        Cost(
            scope,
            case,
            int(statistics.median(cost.received_bytes for cost in group)),
            statistics.median(cost.seconds for cost in group),
            int(statistics.median(cost.disk_bytes for cost in group)),
        )
        for (case, scope), group in groups.items()
    ]


def _ratios(medians: list[Cost]) -> dict[str, dict[str, float]]:
    """How many times as much the full fetch takes, by case."""
    by = {(cost.case, cost.scope): cost for cost in medians}
    return {
        case: {
            "bytes": by[case, "full"].received_bytes / by[case, "partial"].received_bytes,
            "seconds": by[case, "full"].seconds / by[case, "partial"].seconds,
            "disk": by[case, "full"].disk_bytes / by[case, "partial"].disk_bytes,
        }
        for case in dict.fromkeys(cost.case for cost in medians)
    }


def _print(medians: list[Cost], options: argparse.Namespace) -> None:
    print(
        f"{options.outside} files outside the folder, {options.dags} DAGs in it; median of {options.runs} runs\n"
    )
    print(f"{'':18}{'':10}{'received':>14}{'seconds':>10}{'on disk':>14}")
    for case, ratio in _ratios(medians).items():
        for cost in medians:
            if cost.case == case:
                print(
                    f"{case:18}{cost.scope:10}{cost.received_bytes:>14,}{cost.seconds:>10.2f}{cost.disk_bytes:>14,}"
                )
        print(f"{'':18}{'ratio':10}{ratio['bytes']:>14.1f}{ratio['seconds']:>10.1f}{ratio['disk']:>14.1f}")


def _report(medians: list[Cost], costs: list[Cost], options: argparse.Namespace) -> dict[str, object]:
    git = subprocess.run(["git", "version"], capture_output=True, check=True).stdout.decode().strip()
    return {
        "options": vars(options),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "git": git},
        "median": [asdict(cost) for cost in medians],
        "ratio_full_to_partial": _ratios(medians),
        "runs": [asdict(cost) for cost in costs],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
