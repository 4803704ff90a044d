"""What is asked of a server: one commit, and then the files of it that are wanted and not there.

Where only a part of a commit is wanted, the commit and its folders come first, without any file
(`--filter=blob:none`); then the files that are missing, all in one request. A later commit comes with the small files
that it changed, wanted or not: that mostly saves the second request, which takes longer than they do. A server that
knows no filters ignores that and sends everything with the commit; then nothing is missing.

git must never fetch a missing file by itself, one by one. It does so only for a repository that has a promisor
remote. The mirror's own configuration names none, so no command that reads it ever does; the fetches here are told
of one for as long as they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitsync.git.client import GitClient
from gitsync.git.credentials import Credential
from gitsync.git.url import RemoteUrl

_REMOTE = "server"
NO_FILES = "blob:none"
NO_LARGE_FILES = "blob:limit=16k"
"""Filters: what a server leaves out. Most DAG files are far below the limit."""
_OPTIONS = (
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """From a server to the bare repository `directory`. `inherit` are descriptors that git keeps open."""

    client: GitClient
    directory: Path
    url: RemoteUrl
    credential: Credential | None
    inherit: Sequence[int] = ()

    def fetch_commit(self, source: str, target: str, *, without: str = "") -> None:
        """One commit, named by its ref or id, into the ref `target`; `without` is a filter. Raises GitError."""
        options = [*_OPTIONS, "--depth=1", "--force"]
        refspec = f"+{source}:{target}"
        if without:
            self._run(["fetch", *options, f"--filter={without}", "--", _REMOTE, refspec], self._promisor())
        else:
            self._run(["fetch", *options, "--", self.url.fetch_url, refspec], {})

    def fetch_blobs(self, blobs: Sequence[str]) -> None:
        """Exactly these files' contents, in one request, however many they are. Raises GitError.

        What the mirror has is not told to the server: it would leave out what it takes for known.
        """
        settings = {**self._promisor(), "fetch.negotiationAlgorithm": "noop"}
        wanted = "".join(f"{blob}\n" for blob in blobs)
        arguments = ["fetch", *_OPTIONS, f"--filter={NO_FILES}", "--stdin", "--", _REMOTE]
        self._run(arguments, settings, wanted.encode("ascii"))

    def _promisor(self) -> dict[str, str]:
        return {
            f"remote.{_REMOTE}.url": self.url.fetch_url,
            f"remote.{_REMOTE}.promisor": "true",
            # As it is on record already, git writes neither url nor filter into the mirror's configuration.
            f"remote.{_REMOTE}.partialCloneFilter": NO_FILES,
        }

    def _run(self, arguments: Sequence[str], settings: dict[str, str], stdin: bytes | None = None) -> None:
        self.client.run(
            arguments,
            directory=self.directory,
            remote=self.url,
            credential=self.credential,
            stdin=stdin,
            inherit=self.inherit,
            settings=settings,
        )
