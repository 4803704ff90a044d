"""The branches, tags and default branch of a remote, listed with one `ls-remote`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gitsync.git.client import GitClient
from gitsync.git.credentials import Credential
from gitsync.git.errors import GitError, GitReason
from gitsync.git.url import RemoteUrl
from kiok.text import printable

MAX_BYTES = 16 << 20  # over 200 000 names
_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """The refs of a remote: names without their `refs/...` prefix, each with its commit (of an annotated tag: peeled).

    `default_branch` is the branch of HEAD, or "" if there is none or the server does not report it. Characters of names
    that are not printable or not UTF-8 are replaced. `is_complete` is false if the remote has more refs than were read.
    """

    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    default_branch: str = ""
    is_complete: bool = True


def list_refs(
    client: GitClient,
    url: RemoteUrl,
    credential: Credential | None,
    *,
    timeout_seconds: float | None = None,
) -> RemoteRefs:
    """List the refs of the remote, up to `MAX_BYTES` of output. Raises GitError."""
    try:
        output = client.run(
            ["ls-remote", "--symref", "--", url.fetch_url],
            remote=url,
            credential=credential,
            timeout_seconds=timeout_seconds,
            max_output_bytes=MAX_BYTES,
        )
    except GitError as error:
        if error.reason is not GitReason.OUTPUT_TOO_LARGE or not error.output:
            raise
        return replace(parse_refs(error.output.rpartition(b"\n")[0]), is_complete=False)
    return parse_refs(output)


def parse_refs(output: bytes) -> RemoteRefs:
    """Parse the output of `git ls-remote --symref`. Other lines are ignored."""
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    default = ""
    for line in output.split(b"\n"):
        value, tab, raw_name = line.partition(b"\t")
        if not tab:
            continue
        name, what = _text(raw_name), _text(value)
        if name == "HEAD":
            if what.startswith(f"ref: {_BRANCHES}"):
                default = what.removeprefix(f"ref: {_BRANCHES}")
        elif name.startswith(_BRANCHES):
            branches[name.removeprefix(_BRANCHES)] = what
        elif name.startswith(_TAGS):
            # The peeled line `<tag>^{}` follows the tag's own.
            tags[name.removeprefix(_TAGS).removesuffix("^{}")] = what
    return RemoteRefs(branches, tags, default)


def _text(raw: bytes) -> str:
    return printable(raw.decode("utf-8", "replace"), "�")
