"""The fetch of one commit into a mirror, with its files in the scope and a check that all of them arrived."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitsync.git import advertisement
from gitsync.git.commit_object import CommitFacts, facts_of
from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.listing import Listing, blob_sizes, read_listing
from gitsync.git.ref import Ref, RefKind
from gitsync.git.scope import FetchScope
from gitsync.git.transfer import NO_FILES, NO_LARGE_FILES, Transfer

HEAD_REF = "refs/kiok/head"
MAX_COMMIT_BYTES = 64 * 1024  # read of a commit object, whose message can have any length
# The object that the ref names, the object behind its tags, and that object's content if it is a commit.
_QUESTIONS = f"info {HEAD_REF}\ninfo {HEAD_REF}^{{}}\ncontents {HEAD_REF}^{{commit}}\n"
_NOT_OUR_REF = re.compile(r"not our ref ([0-9a-f]{40,64})")
DAMAGE = frozenset({GitReason.MIRROR_BROKEN, GitReason.UNKNOWN})
# Errors of a server that supports filters but does not serve single files, and of a commit that was replaced during
# the fetch.
_WITHHELD = DAMAGE | {GitReason.COMMIT_NOT_SERVED, GitReason.REF_MISSING, GitReason.UNSUPPORTED}


class BlobsWithheld(Exception):
    """The server cannot leave files out, or does not serve the files that it left out."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The commit in the mirror, the listing of its files in the scope, all of which are present, and facts about it.

    The listing is None if the tree passes a limit.
    """

    commit: str
    listing: Listing | None
    facts: CommitFacts


@dataclass(frozen=True, slots=True)
class CommitFetch:
    """A fetch of one commit. `filtered`: without the files outside the scope, except small ones that changed."""

    transfer: Transfer
    ref: Ref
    scope: FetchScope
    max_files: int
    filtered: bool

    def run(self) -> Fetched:
        """Fetch the commit. Raises GitError (MIRROR_BROKEN if something in the scope is missing) and BlobsWithheld."""
        try:
            self._fetch_commit()
        except GitError as exc:
            if self.filtered and exc.reason is GitReason.UNSUPPORTED and not exc.other_object_format:
                raise BlobsWithheld from exc
            raise self._explained(exc) from exc
        commit, facts = self._fetched_commit()
        return Fetched(commit, self._completed(commit), facts)

    def _fetch_commit(self) -> None:
        if not self.filtered:
            self.transfer.fetch_commit(self.ref.full_name, HEAD_REF)
            return
        if (self.transfer.directory / HEAD_REF).exists():
            try:
                self.transfer.fetch_commit(self.ref.full_name, HEAD_REF, without=NO_LARGE_FILES)
            except GitError as exc:
                if exc.reason is not GitReason.UNSUPPORTED or exc.other_object_format:
                    raise
            else:
                return
        self.transfer.fetch_commit(self.ref.full_name, HEAD_REF, without=NO_FILES)

    def _fetched_commit(self) -> tuple[str, CommitFacts]:
        """Return the commit in the mirror and facts about it, from one git process."""
        named, peeled, content = self._answers()
        lines = [named.split(), peeled.split()]
        if any(len(words) != 3 for words in lines):
            raise git_error(GitReason.MIRROR_BROKEN, f"the mirror lacks what {self.ref} points to")
        (name, *_), (commit, kind, _) = lines
        if self.ref.kind is RefKind.COMMIT and name != commit:
            kind = "tag"
        if kind != "commit":
            raise git_error(
                GitReason.NOT_A_COMMIT, f"{self.ref.full_name} points to a {kind}, not to a commit"
            )
        return commit, facts_of(content)

    def _answers(self) -> tuple[str, str, bytes]:
        """Return git's answers to `_QUESTIONS`. The content is cut at `MAX_COMMIT_BYTES`."""
        transfer = self.transfer
        try:
            output = transfer.client.run(
                ("cat-file", "--batch-command"),
                directory=transfer.directory,
                stdin=_QUESTIONS.encode("ascii"),
                inherit=transfer.inherit,
                max_output_bytes=MAX_COMMIT_BYTES,
            )
        except GitError as exc:
            if exc.reason is not GitReason.OUTPUT_TOO_LARGE or not exc.output:
                raise
            output = exc.output
        named, _, rest = output.partition(b"\n")
        peeled, _, rest = rest.partition(b"\n")
        content = rest.partition(b"\n")[2]
        return named.decode("utf-8", "replace"), peeled.decode("utf-8", "replace"), content

    def _completed(self, commit: str) -> Listing | None:
        """Fetch the missing files and return the listing of the scope, or None if the tree passes a limit.

        Listing a commit reads each of its folders, so this also shows that none of them is missing.
        """
        try:
            listing = read_listing(
                self.transfer.client,
                self.transfer.directory,
                commit,
                scope=self.scope,
                max_files=self.max_files,
                inherit=self.transfer.inherit,
            )
        except GitError as exc:
            # The commit is present, and for a whole scope so is every file. Reading its tree raises the same error.
            if exc.reason is GitReason.TREE_TOO_LARGE or (self.scope.is_whole and exc.reason not in DAMAGE):
                return None
            raise
        sizes = self._sizes(listing.blobs) if listing.sizes is None else dict(listing.sizes)
        if missing := [blob for blob in listing.blobs if blob not in sizes]:
            if not self.filtered:
                raise git_error(
                    GitReason.MIRROR_BROKEN, f"the mirror lacks {len(missing)} files of {commit[:12]}"
                )
            try:
                self.transfer.fetch_blobs(missing)
            except GitError as exc:
                if exc.reason in _WITHHELD:
                    raise BlobsWithheld from exc
                raise
            sizes |= self._sizes(missing)
            if any(blob not in sizes for blob in missing):
                raise BlobsWithheld
        return replace(listing, sizes=sizes)

    def _sizes(self, blobs: Sequence[str]) -> dict[str, int]:
        transfer = self.transfer
        return blob_sizes(transfer.client, transfer.directory, blobs, transfer.inherit)

    def _explained(self, error: GitError) -> GitError:
        """Return the error of a fetch, with similar refs or a remedy in its message."""
        url, ref = self.transfer.url, self.ref
        if error.reason is GitReason.REF_MISSING:
            client, credential = self.transfer.client, self.transfer.credential
            if wanted := _NOT_OUR_REF.search(str(error)):
                return advertisement.not_sent(client, url, ref, credential, wanted[1])
            return advertisement.missing(client, url, ref, credential)
        if error.reason is GitReason.COMMIT_NOT_SERVED:
            return git_error(
                error.reason,
                f"{url.display} serves commits only by branch or tag, and none points to {ref.name}. Put a tag on "
                "the commit and follow the tag ('tag:NAME'), or ask the server's operator to set "
                "uploadpack.allowReachableSHA1InWant",
            )
        return error
