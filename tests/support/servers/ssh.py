"""A real OpenSSH server on a loopback port, with its own host keys and one authorized key at a time."""

from __future__ import annotations

import getpass
import os
import shlex
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from tests.support.servers.ports import free_port, listens


class SshServer:
    """`sshd` run by the current user; every repository readable by that user can be fetched.

    Use as a context manager. `delay_seconds` is slept on the server before each git command.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()
        self.user = getpass.getuser()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._delay = root / "delay"
        self._make_host_key("host_key")
        self.authorized_keys = root / "authorized_keys"
        self.authorized_keys.touch()
        self._wrapper = root / "git-only"
        self._wrapper.write_text(
            "#!/bin/sh\n"
            f'[ -f {shlex.quote(str(self._delay))} ] && sleep "$(cat {shlex.quote(str(self._delay))})"\n'
            'case "$SSH_ORIGINAL_COMMAND" in\n'
            '  git-upload-pack\\ *) exec git shell -c "$SSH_ORIGINAL_COMMAND" ;;\n'
            "  *) echo 'only git here' >&2; exit 1 ;;\n"
            "esac\n"
        )
        self._wrapper.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SshServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)  # privilege separation
        config = self.root / "sshd_config"
        config.write_text(
            f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey "{self.root / "host_key"}"
PidFile none
AuthorizedKeysFile "{self.authorized_keys}"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding no
ForceCommand {self._wrapper}
MaxStartups 100
LogLevel ERROR
"""
        )
        log = (self.root / "sshd.log").open("ab")
        self._process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        log_file = self.root / "sshd.log"
        assert listens(self.port, self._process), f"sshd does not listen: {log_file.read_text()}"

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(timeout=600)
            self._process = None

    def change_host_key(self) -> None:
        """Come back with another host key."""
        self.stop()
        self._make_host_key("host_key")
        self.start()

    def delay(self, seconds: float) -> None:
        """Sleep that long before every git command from now on; 0 for no more."""
        if seconds:
            self._delay.write_text(str(seconds))
        else:
            self._delay.unlink(missing_ok=True)

    @property
    def known_hosts(self) -> str:
        kind, key = (self.root / "host_key.pub").read_text().split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    @property
    def fingerprint(self) -> str:
        """`SHA256:...` of the host key, as ssh-keygen prints it."""
        done = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(self.root / "host_key.pub")], capture_output=True, check=True
        )
        return done.stdout.decode().split()[1]

    def url(self, path: Path | str) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}{path}"

    def client_key(self, name: str = "client", *, passphrase: str = "", authorize: bool = True) -> str:
        """Return the text of a new private key, which the server accepts unless `authorize` is False."""
        path = self.root / name
        _keygen(path, passphrase)
        if authorize:
            with self.authorized_keys.open("a") as file:
                file.write(path.with_name(path.name + ".pub").read_text())
        return path.read_text()

    def revoke_all(self) -> None:
        self.authorized_keys.write_text("")

    def _make_host_key(self, name: str) -> None:
        _keygen(self.root / name, "")


def _keygen(path: Path, passphrase: str) -> None:
    for old in (path, path.with_name(path.name + ".pub")):
        old.unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
