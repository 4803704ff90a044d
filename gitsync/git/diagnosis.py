"""What a server answers that does not speak git: told from the headers of its answers, which git alone does not report."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gitsync.git.errors import GitError, GitReason, git_error
from gitsync.git.url import RemoteUrl

_MEDIA_TYPE = re.compile(r"<= recv header: content-type:\s*([\w.+-]+/[\w.+-]+)", re.IGNORECASE)
_STATUS_LINE = re.compile(r"<= recv header: http/\S+ [0-9]{3}", re.IGNORECASE)
_OF_GIT = "application/x-git-"
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class Advertised:
    """What `git ls-remote` said of a remote.

    `output` are its lines, the last one cut where `is_complete` is false. `stderr` holds a trace of the headers of HTTP
    answers: never show it.
    """

    output: bytes
    is_complete: bool
    stderr: str
    is_failed: bool = False

    @property
    def refs(self) -> dict[str, str]:
        """Object by ref's name. A line that was cut is left out."""
        text = self.output.decode("utf-8", "replace")
        if not self.is_complete:
            text = text.rpartition("\n")[0]
        lines = (line.split("\t", 1) for line in text.split("\n"))
        return {parts[1]: parts[0] for parts in lines if len(parts) == 2}


def explained(error: GitError, url: RemoteUrl | None, ask: Callable[[RemoteUrl], Advertised]) -> GitError:
    """Return the error, or a better one where a web server answered with something that is not git.

    `ask` asks the server once more, for its answer's headers.
    """
    if error.reason is not GitReason.NOT_GIT or url is None or url.scheme not in ("http", "https"):
        return error
    try:
        return not_git(url, ask(url)) or error
    except GitError:
        return error  # that of the command which was to be run says more


def not_git(url: RemoteUrl, answer: Advertised) -> GitError | None:
    """Return the error for an answer that is not git's; None for one that is, or of which nothing can be told."""
    if url.scheme not in ("http", "https") or not _STATUS_LINE.search(answer.stderr):
        return None
    types = [found.lower() for found in _MEDIA_TYPE.findall(answer.stderr)]
    last = types[-1] if types else ""
    if last.startswith(_OF_GIT):
        return None
    if last in _PAGES:
        return git_error(
            GitReason.WEB_PAGE,
            f"{url.display} answers with a web page ({last}) instead of git. Often it is a sign-in page, of the git "
            "service or of a proxy before it: does the repository need a connection? Open the url in a browser to see "
            "what it is",
        )
    given = f"with {last!r}" if last else "without a media type"
    return git_error(
        GitReason.NOT_GIT,
        f"{url.display} answers {given}, which is not git's smart protocol ({_OF_GIT}...). Is the url that of the "
        "repository itself, and does a proxy let git through?",
    )
