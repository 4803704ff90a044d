"""A Docker engine of the fault tests' own: it is killed and started again, and shares nothing with the machine's."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from tests.support.cluster import eventually

START_SECONDS = 180.0
STOP_SECONDS = 180.0


class OwnEngine:
    """A `dockerd`, and apart from it a `containerd`, as distributions start them; no container gets a network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/docker.sock"
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        if self._containerd is None:
            (self.folder / "containerd.toml").write_text(
                "version = 2\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n"
            )
            self._containerd = self._run(
                *("containerd", "--config", f"{self.folder}/containerd.toml"),
                *("--root", f"{self.folder}/containerd-data", "--state", f"{self.folder}/containerd-run"),
                *("--address", f"{self.folder}/containerd.sock"),
            )
        self._dockerd = self._run(
            # In its own network namespace: a dockerd without a bridge removes the bridge of the machine's engine.
            *(
                "unshare",
                "--net",
                "dockerd",
                f"--host={self.url}",
                f"--containerd={self.folder}/containerd.sock",
            ),
            *(
                f"--data-root={self.folder}/data",
                f"--exec-root={self.folder}/run",
                f"--pidfile={self.folder}/pid",
            ),
            *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        )
        eventually(self.answers, START_SECONDS, f"the engine answers; its log is {self.folder}/log")

    def kill(self) -> None:
        """Stop it like a crash: its containers run on without it, until it is back and ends them."""
        assert self._dockerd is not None
        self._dockerd.kill()
        self._dockerd.wait()

    def stop(self) -> None:
        """In order: containers, engine, containerd."""
        for process in (self._dockerd, self._containerd):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(STOP_SECONDS)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except (DockerException, RequestException):
            return False

    def containers(self) -> list[str]:
        """The names of all there are, running or not."""
        with self._client() as client:
            return [item["Names"][0] for item in client.api.containers(all=True)]

    def load(self, image: str) -> None:
        """The machine's engine hands an image over."""
        with tempfile.TemporaryFile() as archive:
            subprocess.run(["docker", "save", image], stdout=archive, check=True)
            archive.seek(0)
            subprocess.run(
                ["docker", "--host", self.url, "load", "--quiet"],
                stdin=archive,
                stdout=subprocess.DEVNULL,
                check=True,
            )

    @contextmanager
    def _client(self) -> Iterator[docker.DockerClient]:
        client = docker.DockerClient(base_url=self.url, version="1.41", timeout=180)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def own_engine(image: str) -> Iterator[OwnEngine]:
    """A running engine that has `image`; nothing of it is left in the end."""
    # Not under pytest's folder: a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="kiok-engine-"))
    engine = OwnEngine(folder)
    try:
        engine.start()
        engine.load(image)
        yield engine
    finally:
        engine.stop()
        for mount in sorted(_mounts_below(folder), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [target for line in lines if (target := line.split()[4]).startswith(f"{folder}/")]
