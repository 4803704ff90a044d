"""The git client, the only way to run git: fixed arguments, a clean environment, limits, and errors without secrets."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from gitsync.git.credentials import ASKPASS_SCRIPT, Credential, Handover, hand_over
from gitsync.git.diagnosis import Advertised, explained
from gitsync.git.environment import CONFIG, TRACE, environment
from gitsync.git.errors import GitReason, git_error
from gitsync.git.failure import failure
from gitsync.git.gitpython import GitCommandNotFound
from gitsync.git.passphrase import WRONG, is_wrong_passphrase
from gitsync.git.private_directory import secrets_root, sweep_stale
from gitsync.git.process import GitProcess, OutputLimitPassed, TimeLimitPassed
from gitsync.git.redaction import Redactor
from gitsync.git.url import DEFAULT_PROTOCOLS, RemoteUrl, check_host
from kiok.folders import make_private

MINIMUM_GIT_VERSION = (2, 39)


@dataclass(frozen=True, slots=True)
class GitSettings:
    """The operator's settings for git. `home` is a private directory of the service, created if it does not exist.

    `allow_private_hosts` holds host names, addresses and CIDR networks. An HTTP transfer is aborted if it stays below
    `low_speed_bytes` per second for `low_speed_seconds`. A git process can write no file (pack) larger than
    `max_pack_bytes` and use at most `max_memory_bytes` of address space. `ssl_ca_info` is the path of a PEM file with the
    certificate authorities to trust instead of the system's.
    """

    home: Path
    timeout_seconds: float = 60.0
    kill_after_seconds: float = 10.0
    max_output_bytes: int = 64 * 1024 * 1024
    allow_protocols: frozenset[str] = DEFAULT_PROTOCOLS
    allow_private_hosts: frozenset[str] = field(default_factory=frozenset)
    low_speed_bytes: int = 1000
    low_speed_seconds: int = 30
    max_pack_bytes: int = 2 * 1024**3
    max_memory_bytes: int = 4 * 1024**3
    ssl_ca_info: str | None = None


class GitClient:
    """A client that runs git commands. It can be shared between threads."""

    def __init__(
        self, settings: GitSettings, *, resolve: Callable[..., list[Any]] = socket.getaddrinfo
    ) -> None:
        """Create the private directories and remove the leftovers of killed processes from them.

        `resolve` resolves host names and has the interface of `socket.getaddrinfo`.

        Raises GitError (DISK_FULL) if a directory cannot be created.
        """
        self.settings = settings
        self._resolve = resolve
        home = settings.home
        try:
            for directory in (home, home / "empty"):
                make_private(directory)
                directory.chmod(0o700)
            self._askpass = _install_askpass(home)
        except OSError as exc:
            raise git_error(
                GitReason.DISK_FULL, f"git's private directory {home} cannot be used: {exc}"
            ) from exc
        self.secrets_root = secrets_root(home / "secrets")
        self.sweep()

    def sweep(self) -> int:
        """Remove the key files of killed processes. Return the number of removed directories."""
        return sweep_stale(self.secrets_root)

    def git_version(self) -> tuple[int, ...]:
        """Return git's version, such as `(2, 39, 5)`, to compare with `MINIMUM_GIT_VERSION`.

        Raises GitError (GIT_MISSING).
        """
        text = self.run(["version"]).decode("utf-8", "replace")
        match = re.search(r"\d+(?:\.\d+)+", text)
        if match is None:
            raise git_error(GitReason.UNKNOWN, f"git's version cannot be read from {text[:80]!r}")
        return tuple(int(part) for part in match.group().split("."))

    def run(
        self,
        args: Sequence[str],
        *,
        directory: Path | None = None,
        remote: RemoteUrl | None = None,
        credential: Credential | None = None,
        stdin: bytes | None = None,
        timeout_seconds: float | None = None,
        max_output_bytes: int | None = None,
        inherit: Sequence[int] = (),
        settings: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run `git <args>` and return its output.

        `args` must have `--` before every value that comes from a user or a server. `directory` is the bare repository to
        work on. `remote` is the url of the remote: its host is checked here, and the connection is pinned to the resolved
        addresses. `inherit` are file descriptors that git keeps open. `settings` are additional git settings for this
        command.
        Raises GitError.
        """
        limit = timeout_seconds if timeout_seconds is not None else self.settings.timeout_seconds
        cap = max_output_bytes if max_output_bytes is not None else self.settings.max_output_bytes
        what = f"git {args[0]}" + (f" from {remote.display}" if remote else "")
        redact = Redactor(credential.secrets if credential else ())
        with self._started(args, directory, remote, credential, inherit, settings=settings) as (
            process,
            handover,
        ):
            try:
                status, output = process.finish(stdin, timeout_seconds=limit, max_output_bytes=cap)
            except TimeLimitPassed as exc:
                raise git_error(GitReason.TIMEOUT, f"{what} was stopped after {limit:g} s") from exc
            except OutputLimitPassed as exc:
                too_large = git_error(
                    GitReason.OUTPUT_TOO_LARGE, f"{what} was stopped: it printed more than {cap} bytes"
                )
                too_large.output = exc.output[:cap]
                raise too_large from exc
            error = None
            if status != 0:
                error = failure(what, status, process.stderr, url=remote, handover=handover, redact=redact)
                if error.reason is GitReason.AUTHENTICATION_FAILED and self._has_wrong_passphrase(handover):
                    error = git_error(GitReason.CREDENTIAL_INVALID, f"{what}: {WRONG}")
        if error is not None:
            raise explained(error, remote, lambda url: self.ask(url, credential, timeout_seconds=limit))
        return output

    def ask(
        self,
        remote: RemoteUrl,
        credential: Credential | None,
        *patterns: str,
        max_output_bytes: int = 1 << 20,
        timeout_seconds: float | None = None,
    ) -> Advertised:
        """List the refs of a remote that match `patterns`. Return the whole response, also if git failed.

        Output beyond `max_output_bytes` is cut off. Raises GitError only if git could not be started or timed out.
        """
        args = ["ls-remote", "--quiet", "--", remote.fetch_url, *patterns]
        limit = timeout_seconds if timeout_seconds is not None else self.settings.timeout_seconds
        with self._started(args, None, remote, credential, (), extra=TRACE) as (process, _):
            try:
                status, output = process.finish(
                    None, timeout_seconds=limit, max_output_bytes=max_output_bytes
                )
            except TimeLimitPassed as exc:
                message = f"git ls-remote from {remote.display} was stopped after {limit:g} s"
                raise git_error(GitReason.TIMEOUT, message) from exc
            except OutputLimitPassed as exc:
                return Advertised(exc.output[:max_output_bytes], False, process.stderr)
            return Advertised(output, status == 0, process.stderr, is_failed=status != 0)

    @contextlib.contextmanager
    def open(
        self, args: Sequence[str], *, directory: Path, inherit: Sequence[int] = ()
    ) -> Iterator[GitProcess]:
        """Start a local git command for a dialogue. It is stopped at the end of the block."""
        with self._started(args, directory, None, None, inherit, die_with_parent=False) as (process, _):
            yield process

    @contextlib.contextmanager
    def _started(
        self,
        args: Sequence[str],
        directory: Path | None,
        remote: RemoteUrl | None,
        credential: Credential | None,
        inherit: Sequence[int],
        die_with_parent: bool = True,
        settings: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Iterator[tuple[GitProcess, Handover | None]]:
        program = shutil.which("git")
        if program is None:
            raise git_error(GitReason.GIT_MISSING, "git is not installed, or not on the PATH of the service")
        variables = environment(self.settings.home, self._askpass, directory) | dict(extra or {})
        config = {**CONFIG, **(settings or {})}
        with contextlib.ExitStack() as stack:
            handover = None
            if remote is not None:
                addresses = self._admit(remote)
                config |= self._http_config(remote, addresses)
                address = addresses[0] if addresses and addresses[0] != remote.host else None
                handover = stack.enter_context(
                    hand_over(
                        credential, remote, root=self.secrets_root, askpass=self._askpass, address=address
                    )
                )
                variables |= handover.environment
                variables["GIT_ALLOW_PROTOCOL"] = remote.scheme
            variables["GIT_CONFIG_COUNT"] = str(len(config))
            for index, (key, value) in enumerate(config.items()):
                variables[f"GIT_CONFIG_KEY_{index}"] = key
                variables[f"GIT_CONFIG_VALUE_{index}"] = value
            try:
                process = GitProcess(
                    [program, *args],
                    directory=directory or self.settings.home / "empty",
                    environment=variables,
                    inherit=inherit,
                    die_with_parent=die_with_parent,
                    kill_after_seconds=self.settings.kill_after_seconds,
                    max_file_bytes=self.settings.max_pack_bytes,
                    max_memory_bytes=self.settings.max_memory_bytes,
                )
            except GitCommandNotFound as exc:
                raise git_error(GitReason.GIT_MISSING, "git cannot be started: no /bin/sh") from exc
            except OSError as exc:  # no process, file descriptor or memory left
                raise git_error(GitReason.UNKNOWN, f"git cannot be started: {exc}") from exc
            yield stack.enter_context(process), handover

    def _has_wrong_passphrase(self, handover: Handover | None) -> bool:
        if handover is None or handover.locked_key is None:
            return False
        variables = environment(self.settings.home, self._askpass, None) | dict(handover.environment)
        return is_wrong_passphrase(handover.locked_key, variables)

    def _admit(self, remote: RemoteUrl) -> tuple[str, ...]:
        if remote.scheme not in self.settings.allow_protocols:
            raise git_error(
                GitReason.PROTOCOL_NOT_ALLOWED,
                f"the scheme {remote.scheme!r} of {remote.display} is not allowed",
            )
        if remote.scheme == "https" and _is_proxied(remote):
            return check_host(remote, self.settings.allow_private_hosts, resolve=None)
        return check_host(remote, self.settings.allow_private_hosts, self._resolve)

    def _http_config(self, remote: RemoteUrl, addresses: Sequence[str]) -> dict[str, str]:
        if remote.scheme not in ("http", "https"):
            return {}
        config = {
            "http.lowSpeedLimit": str(self.settings.low_speed_bytes),
            "http.lowSpeedTime": str(self.settings.low_speed_seconds),
        }
        if self.settings.ssl_ca_info is not None:
            config["http.sslCAInfo"] = self.settings.ssl_ca_info
        if addresses and addresses != (remote.host,):
            # Connect to the checked addresses. The name could resolve to others by then.
            listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
            config["http.curloptResolve"] = f"{remote.host}:{remote.port_or_default}:{listed}"
        return config


def _install_askpass(home: Path) -> Path:
    """Write the askpass program atomically, since other processes may be running it."""
    path = home / "askpass"
    temporary = home / f"askpass.{os.getpid()}.{os.urandom(4).hex()}"
    temporary.write_text(ASKPASS_SCRIPT, encoding="ascii")
    temporary.chmod(0o700)
    temporary.replace(path)
    return path


def _is_proxied(remote: RemoteUrl) -> bool:
    """Return whether a proxy of the environment makes the connection, and so resolves the name."""
    proxies = getproxies_environment()
    return bool(proxies.get("https") or proxies.get("all")) and not proxy_bypass_environment(
        remote.host, proxies
    )
