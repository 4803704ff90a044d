"""A commit of which only a part is fetched."""

from __future__ import annotations

import os
from pathlib import Path

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.listing import blob_sizes, read_listing
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.scope import WHOLE, parse_scope
from tests.support.mirrors import PROTOCOLS
from tests.support.servers.https import HttpsServer
from tests.support.servers.repositories import WorkRepo

MAIN = parse_ref("main")
SCOPE = parse_scope("team/dags", "*.py")
FILES: dict[str, str | bytes] = {
    "team/dags/a.yaml": "dag: {id: a}\n",
    "team/dags/sub/b.yaml": "dag: {id: b}\n",
    "team/dags/data.bin": b"\x00\xff" * 50,
    "team/dags2/no.yaml": "not this one\n",
    "team/notes.txt": "nor this one\n",
    "shared.py": "X = 1\n",
    "lib/deep/helper.py": "Y = 2\n",
    "lib/deep/helper.txt": "unwanted\n",
    ".kiokignore": "sub/\n",
    "other/.kiokignore": "*\n",
    "big/data.bin": os.urandom(100_000),
}
WANTED = {
    "team/dags/a.yaml",
    "team/dags/sub/b.yaml",
    "team/dags/data.bin",
    "shared.py",
    "lib/deep/helper.py",
    ".kiokignore",
}


def https_client(home: Path, server: HttpsServer) -> GitClient:
    """Return a git client that accepts the certificate of the server."""
    return GitClient(
        GitSettings(
            home=home,
            allow_protocols=PROTOCOLS,
            allow_private_hosts=frozenset({"localhost", "127.0.0.0/8"}),
            ssl_ca_info=str(server.ca_file),
        )
    )


def allow(repo: WorkRepo, key: str, value: str = "true") -> None:
    repo.git("--git-dir", str(repo.bare), "config", key, value)


def expected(files: dict[str, str | bytes], wanted: set[str]) -> dict[str, bytes]:
    return {
        path: text if isinstance(text, bytes) else text.encode()
        for path, text in files.items()
        if path in wanted
    }


def blobs_there(mirror: Mirror, commit: str) -> set[str]:
    """Paths of the commit whose content the mirror holds."""
    listing = read_listing(mirror._client, mirror.git_directory, commit, scope=WHOLE, max_files=100_000)
    sizes = blob_sizes(mirror._client, mirror.git_directory, listing.blobs)
    return {entry.path for entry in listing.entries if entry.blob in sizes}
