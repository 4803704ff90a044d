"""Repositories to sync from, made by git itself with a fixed author and no configuration of the machine's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class WorkRepo:
    """A bare repository that is served, and a clone in which commits are made and pushed."""

    def __init__(self, root: Path, name: str = "dags.git", *, object_format: str = "sha1") -> None:
        self.bare = root / name
        self.work = root / f"{name}.work"
        root.mkdir(parents=True, exist_ok=True)
        init = ("init", "-q", "--initial-branch=main", f"--object-format={object_format}")
        self._run(*init, "--bare", str(self.bare), directory=root)
        self._run(*init, str(self.work), directory=root)
        self.git("remote", "add", "origin", str(self.bare))
        # An http server may have to hand it out too.
        self.git("--git-dir", str(self.bare), "config", "http.uploadpack", "true")

    @property
    def file_url(self) -> str:
        return f"file://{self.bare}"

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git in the clone; fails the test with git's words if git fails."""
        return self._run(*arguments, directory=self.work, stdin=stdin)

    def write(self, files: dict[str, str | bytes]) -> None:
        for path, content in files.items():
            target = self.work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str | bytes] | None = None, message: str = "change") -> str:
        """Write the files, commit everything, return the commit."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def push(self, *refspecs: str, force: bool = False) -> None:
        self.git("push", "-q", *(["--force"] if force else []), "origin", *(refspecs or ("HEAD",)))

    def publish(self, files: dict[str, str | bytes] | None = None, message: str = "change") -> str:
        """Commit and push; returns the commit."""
        commit = self.commit(files, message)
        self.push()
        return commit

    def rewrite(self, files: dict[str, str | bytes], message: str = "rewritten") -> str:
        """Replace all history by one new root commit and force-push it; returns the commit."""
        branch = self.git("symbolic-ref", "--short", "HEAD")
        self.git("checkout", "-q", "--orphan", "rewriting")
        self.git("rm", "-rqf", "--ignore-unmatch", ".")
        commit = self.commit(files, message)
        self.git("branch", "-q", "-M", branch)
        self.push(f"+HEAD:refs/heads/{branch}")
        return commit

    def tag(self, name: str, *, annotated: bool = False, at: str = "HEAD") -> None:
        """Create or move a tag and push it."""
        self.git("tag", "-f", *(["-a", "-m", name] if annotated else []), name, at)
        self.push(f"+refs/tags/{name}:refs/tags/{name}")

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    @staticmethod
    def _run(*arguments: str, directory: Path, stdin: bytes | None = None) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "gc.auto",
            "GIT_CONFIG_VALUE_0": "0",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            ["git", *arguments], cwd=directory, env=environment, input=stdin, capture_output=True, check=False
        )
        if done.returncode:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="surrogateescape").strip()
