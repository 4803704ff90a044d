"""The requests of a fetch to a server: one commit, and then its missing files in the scope.

For a partial scope, the first request fetches the commit and its folders without files (`--filter=blob:none`), and the
second one all missing files. A later commit is fetched with the small files that it changed, in the scope or not: that
mostly saves the second request, which takes longer than they do. A server without filters ignores the filter and sends all
files with the commit, so none is missing.

git must never fetch missing files on its own, one by one. It does so only in a repository that has a promisor remote. The
mirror's configuration has none, so no command that reads the mirror does it. The fetches here set one for their own
duration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitsync.git.client import GitClient
from gitsync.git.credentials import Credential
from gitsync.git.url import RemoteUrl

_REMOTE = "server"
# Filters for the files that a server leaves out.
NO_FILES = "blob:none"
NO_LARGE_FILES = "blob:limit=16k"  # most DAG files are far below the limit
_OPTIONS = (
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer from a server to the bare repository `directory`. `inherit` are descriptors that git keeps open."""

    client: GitClient
    directory: Path
    url: RemoteUrl
    credential: Credential | None
    inherit: Sequence[int] = ()

    def fetch_commit(self, source: str, target: str, *, without: str = "") -> None:
        """Fetch one commit, by ref or id, into the ref `target`. `without` is a filter. Raises GitError."""
        options = [*_OPTIONS, "--depth=1", "--force"]
        refspec = f"+{source}:{target}"
        if without:
            self._run(["fetch", *options, f"--filter={without}", "--", _REMOTE, refspec], self._promisor())
        else:
            self._run(["fetch", *options, "--", self.url.fetch_url, refspec], {})

    def fetch_blobs(self, blobs: Sequence[str]) -> None:
        """Fetch exactly these blobs in one request. Raises GitError.

        The request does not say what the mirror has, or the server would leave out objects that it assumes to be there.
        """
        settings = {**self._promisor(), "fetch.negotiationAlgorithm": "noop"}
        wanted = "".join(f"{blob}\n" for blob in blobs)
        arguments = ["fetch", *_OPTIONS, f"--filter={NO_FILES}", "--stdin", "--", _REMOTE]
        self._run(arguments, settings, wanted.encode("ascii"))

    def _promisor(self) -> dict[str, str]:
        return {
            f"remote.{_REMOTE}.url": self.url.fetch_url,
            f"remote.{_REMOTE}.promisor": "true",
            # Since it is set here, git writes neither url nor filter into the mirror's configuration.
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
