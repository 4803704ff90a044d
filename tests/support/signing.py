"""Real keys, and commits and tags signed with them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

from tests.support.servers.repositories import WorkRepo

PAST = "20200101T120000"  # in gpg's form


class GpgHome:
    """A GNUPGHOME with secret keys, for signing. `close` ends its agent and removes it.

    Not under pytest's folder: the path of an agent's socket has to be short.
    """

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="kiok-gpg-"))
        self._programs = 0

    def close(self) -> None:
        self._run(["gpgconf", "--homedir", str(self.home), "--kill", "all"])
        # The agent removes its sockets concurrently.
        shutil.rmtree(self.home, ignore_errors=True)

    def key(self, user_id: str, *, expires: str = "never", at: str | None = None) -> str:
        """Make a small key without a passphrase, and return its fingerprint."""
        before = set(self.fingerprints())
        # --yes: also where there is a key of that name.
        self.gpg(
            "--yes", "--passphrase", "", "--quick-generate-key", user_id, "ed25519", "sign", expires, at=at
        )
        (made,) = set(self.fingerprints()) - before
        return made

    def fingerprints(self) -> list[str]:
        """Return the fingerprints of the primary keys."""
        lines = self.gpg("--list-keys", "--with-colons").splitlines()
        found = [line.split(":") for line in lines]
        return [
            following[9]
            for fields, following in pairwise(found)
            if fields[0] == "pub" and following[0] == "fpr"
        ]

    def revoke(self, fingerprint: str) -> None:
        certificate = (self.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
        self.gpg("--import", stdin=certificate.replace(":-----BEGIN", "-----BEGIN"))

    def public(self, *fingerprints: str) -> str:
        return "".join(self.gpg("--armor", "--export", one) for one in fingerprints)

    def secret(self, fingerprint: str) -> str:
        return self.gpg("--armor", "--export-secret-keys", fingerprint)

    def options(self, fingerprint: str, *more: str) -> tuple[str, ...]:
        """Options of git that make it sign with a key; `more` are options of gpg."""
        self._programs += 1
        program = self.home / f"program-{self._programs}"
        program.write_text(f'#!/bin/sh\nexec {shlex.join([*self._command(), *more])} "$@"\n')
        program.chmod(0o700)
        return ("-c", f"gpg.program={program}", "-c", f"user.signingKey={fingerprint}")

    def gpg(self, *arguments: str, at: str | None = None, stdin: str = "") -> str:
        faked = [f"--faked-system-time={at}"] if at else []
        return self._run([*self._command(), *faked, *arguments], stdin)

    def _command(self) -> list[str]:
        return ["gpg", f"--homedir={self.home}", "--batch", "--quiet", "--pinentry-mode=loopback"]

    @staticmethod
    def _run(command: list[str], stdin: str = "") -> str:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


class SshKey:
    """An ed25519 key in a folder."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.path)]
        subprocess.run(command, check=True, capture_output=True)
        self.public = " ".join(self.path.with_suffix(".pub").read_text().split()[:2])

    @property
    def fingerprint(self) -> str:
        command = ["ssh-keygen", "-l", "-f", str(self.path.with_suffix(".pub"))]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]

    def signer(self, principal: str, options: str = "") -> str:
        """An allowed_signers line."""
        return " ".join(filter(None, (principal, options, self.public))) + "\n"

    def options(self) -> tuple[str, ...]:
        """Options of git that make it sign with this key."""
        return ("-c", "gpg.format=ssh", "-c", f"user.signingKey={self.path}")


def signed_commit(repo: WorkRepo, options: tuple[str, ...], content: str = "dag: a\n") -> str:
    """Commit signed and push; returns the commit."""
    repo.write({"a.yaml": content})
    repo.git("add", "-A")
    repo.git(*options, "commit", "-q", "--allow-empty", "-S", "-m", "signed")
    repo.push("+HEAD:refs/heads/main")
    return repo.head()


def signed_tag(repo: WorkRepo, options: tuple[str, ...], name: str, target: str = "HEAD") -> str:
    """Make a signed tag and push it; returns the tag object."""
    repo.git(*options, "tag", "-f", "-s", "-m", "release", name, target)
    repo.push(f"+refs/tags/{name}:refs/tags/{name}")
    return repo.git("rev-parse", f"refs/tags/{name}")


def put_commit(repo: WorkRepo, content: bytes) -> str:
    """Make a commit object of exactly these bytes, push it as main; returns the commit."""
    commit = repo.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=content)
    repo.push(f"+{commit}:refs/heads/main")
    return commit


def raw_object(repo: WorkRepo, name: str) -> bytes:
    """The bytes of a commit or tag object."""
    kind = repo.git("cat-file", "-t", name)
    done = subprocess.run(
        ["git", "--git-dir", str(repo.bare), "cat-file", kind, name], capture_output=True, check=True
    )
    return done.stdout
