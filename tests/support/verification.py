"""Verification of signatures as in a sync: a fetched commit is verified against keys, and no files remain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitsync.git.client import GitClient, GitSettings
from gitsync.git.errors import GitPersonError, GitReason
from gitsync.git.mirror import Mirror
from gitsync.git.ref import parse_ref
from gitsync.git.signature import TrustedKeys, trusted_keys_from_properties, verify
from gitsync.git.signer import Signer
from gitsync.git.url import parse_url
from tests.support.servers.process_list import command_lines
from tests.support.servers.repositories import WorkRepo
from tests.support.signing import PAST, GpgHome

FILE = frozenset({"file"})
ADA = "Ada <ada@example.org>"


@dataclass(frozen=True)
class OpenPgpKeys:
    """Fingerprints: Ada's key, another person's key with the same name, and an expired key."""

    home: GpgHome
    ada: str
    false_ada: str
    expired: str

    def trust(self, *fingerprints: str) -> TrustedKeys:
        return trusted_keys_from_properties({"openpgpKeys": self.home.public(*fingerprints)})

    @classmethod
    @contextmanager
    def made(cls) -> Iterator[OpenPgpKeys]:
        home = GpgHome()
        try:
            yield cls(
                home,
                ada=home.key(ADA),
                false_ada=home.key(ADA),
                expired=home.key("Old <old@example.org>", expires="2020-01-03", at=PAST),
            )
        finally:
            home.close()


class Verification:
    """Fetch a ref into a mirror and verify it."""

    def __init__(self, repo: WorkRepo, directory: Path) -> None:
        self.client = GitClient(GitSettings(home=directory / "home", allow_protocols=FILE))
        self.mirror = Mirror(directory / "mirror", self.client)
        self._url = parse_url(repo.file_url, allow_protocols=FILE)

    def fetch(self, ref: str = "main") -> str:
        return self.mirror.fetch(self._url, parse_ref(ref), None)

    def commit(self, keys: TrustedKeys) -> Signer:
        return verify(self.client, self.mirror.git_directory, "commit", keys, commit=self.fetch())

    def tag(self, keys: TrustedKeys, ref: str = "tag:v1") -> Signer:
        commit = self.fetch(ref)
        name = ref.removeprefix("tag:")
        return verify(self.client, self.mirror.git_directory, "tag", keys, commit=commit, tag_name=name)

    def refusal(self, check: Callable[[], Signer], reason: GitReason = GitReason.SIGNATURE_REFUSED) -> str:
        """The message of a refusal for `reason`, with nothing left behind."""
        with pytest.raises(GitPersonError) as caught:
            check()
        assert caught.value.reason is reason, caught.value
        self.is_clean()
        return str(caught.value)

    def is_clean(self) -> None:
        """No directory and no process is left of any call."""
        home = str(self.client.settings.home)
        assert list(Path(home).glob("verify/*")) == []
        assert [line for line in command_lines() if home in line] == []
