"""A root file system of another Debian release, and commands run in it as on a machine of its own.

A mount namespace whose root it is: in a chroot the kernel refuses the user namespaces that the embedded PostgreSQL needs.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine_socket import ENGINE_SOCKET

PACKAGES = ("ca-certificates", "git", "make", "python3")  # the README expects these of a machine

ROOT = Path(__file__).parents[2]
_FOLDER = "/srv/kiok"
# What reaches the world outside besides the engine: names of hosts, and certificate authorities, which a proxy may add to.
_SHARED = ("/etc/hosts", "/etc/resolv.conf", "/etc/ssl/certs")
_ENTER = f"""
root="$1"; shift
mount --bind "$root" "$root"
for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
touch "$root/run/docker.sock"
mount --bind {ENGINE_SOCKET} "$root/run/docker.sock"
for shared in {" ".join(_SHARED)}; do
    if [ -d "$shared" ]; then mkdir -p "$root$shared"; else touch "$root$shared"; fi
    mount --bind "$shared" "$root$shared"
done
mkdir -p "$root/.outside"
cd "$root"
pivot_root . .outside
umount -l /.outside
cd {_FOLDER}
exec "$@"
"""
# How this machine reaches the index of Python packages.
_OF_NETWORK = re.compile(
    r"(PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT|TRUSTED_HOST)|SSL_CERT_FILE|(https?|no)_proxy)", re.I
)


@dataclass(frozen=True)
class Debian:
    """A root file system with a checkout of the project in it."""

    root: Path

    @classmethod
    def make(cls, release: str, root: Path) -> Debian:
        """Install a minimal system and copy the committed and changed files of the project. Takes about two minutes."""
        mirror = subprocess.run(
            ["scripts/debian_mirror.sh"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()
        assert mirror, "no mirror of Debian in this machine's apt sources; set KIOK_DEBIAN_MIRROR"
        archive = root.with_suffix(".tar")
        # In a mount namespace of its own: what mmdebstrap mounts for a while is seen by nobody else, and goes with it.
        _run(
            [
                *("unshare", "--mount", "--propagation=private", "--", "env", f"TMPDIR={root.parent}"),
                *("mmdebstrap", "--variant=minbase", "--components=main", f"--include={','.join(PACKAGES)}"),
                *("--aptopt=Apt::Install-Recommends false", release, str(archive), mirror),
            ]
        )
        root.mkdir()
        _run(["tar", "-xf", str(archive), "-C", str(root)])
        archive.unlink()
        debian = cls(root)
        debian.copy_project(_FOLDER)
        return debian

    def copy_project(self, folder: str, *, owner: int = 0) -> None:
        """Copy what git lists of the project to `folder`, as a clone would have it."""
        target = self.root / folder.lstrip("/")
        target.mkdir(parents=True)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
        there = b"\0".join(
            name for name in files.split(b"\0") if name and (ROOT / os.fsdecode(name)).exists()
        )
        packed = subprocess.run(
            ["tar", "-c", "--null", "--files-from=-"], cwd=ROOT, input=there, check=True, capture_output=True
        ).stdout
        _run(["tar", "-x", "--no-same-owner", "-C", str(target)], data=packed)
        if owner:
            _run(["chown", "-R", f"{owner}:{owner}", str(target)])

    def run(
        self, command: Sequence[str], *, user: int = 0, home: str = "/root", folder: str = _FOLDER
    ) -> str:
        """Run a command and return its output, of both kinds. Fail the test if its exit status is not 0.

        An ordinary user gets the group of the engine's socket, as one who may use the engine.
        """
        arguments = ["env", "--chdir", folder, *command]
        if user:
            engine = os.stat(ENGINE_SOCKET).st_gid
            arguments = [
                *("setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={engine}", "--"),
                *arguments,
            ]
        environment = {name: value for name, value in os.environ.items() if _OF_NETWORK.fullmatch(name)}
        environment |= {
            "HOME": home,
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
            "PIP_NO_COMPILE": "no",  # pip inverts it: compile nothing, since Python compiles what it imports
        }
        entering = ["unshare", "--mount", "--propagation=private", "--", "sh", "-euc", _ENTER, "sh"]
        return _run([*entering, str(self.root), *arguments], environment=environment)

    def add_user(self, name: str, number: int) -> str:
        """Add an ordinary user; the path of their home."""
        self.run(["useradd", "--create-home", "--uid", str(number), name])
        return f"/home/{name}"

    def python_version(self) -> str:
        """Return the version of the default Python, as `3.13.5`."""
        return self.run(["python3", "-c", "import platform; print(platform.python_version())"]).strip()


def _run(
    command: Sequence[str], *, data: bytes | None = None, environment: dict[str, str] | None = None
) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        input=data if data is not None else b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, (
        f"{' '.join(command[:8])}... ended with status {done.returncode}:\n{output[-8000:]}"
    )
    return output
