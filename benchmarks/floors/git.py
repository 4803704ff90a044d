"""The floors of listing a remote and fetching from it: bare git processes, without any service."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.served import git


@dataclass(frozen=True, slots=True)
class Cost:
    """The wall time and CPU time of git in seconds, without those of the server."""

    seconds: float
    cpu_seconds: float


def ls_remote(url: str) -> Cost:
    """Run one `git ls-remote` of one ref."""
    return _cost("ls-remote", "--exit-code", url, "refs/heads/main")


def fetch(url: str, mirror: Path, *, ca_file: Path | None = None) -> Cost:
    """Run one `git fetch --depth 1` into a bare repository, which is created (not counted) if it does not exist.

    `ca_file` has the certificate authority of an https server.
    """
    if not mirror.exists():
        git("init", "-q", "--bare", "--template=", str(mirror))
        git("--git-dir", str(mirror), "config", "gc.auto", "0")
    trusting = ("-c", f"http.sslCAInfo={ca_file}") if ca_file else ()
    fetching = ("fetch", "-q", "--depth", "1", "--no-tags", url, "+main:main")
    return _cost("--git-dir", str(mirror), *trusting, *fetching)


def _cost(*arguments: str) -> Cost:
    before = _children()
    began = time.perf_counter()
    git(*arguments)
    return Cost(time.perf_counter() - began, _children() - before)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
